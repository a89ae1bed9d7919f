//! The result.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{judge::Verdict, notes::Notes, plan::Plan};
use crate::median::median;

/// The verdict, and the run that it is about.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Channels.
    pub channels: usize,
    /// Clients that listened.
    pub subscribers: usize,
    /// Callers of the API that published.
    pub publishers: usize,
    /// The counts.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Publishes that were repeated, by the reason.
    pub repeated: BTreeMap<String, u64>,
    /// Ends of connections, by reason.
    pub ends: BTreeMap<String, u64>,
    /// Upgrades that failed, by kind.
    pub turned_away: BTreeMap<String, u64>,
    /// The seconds from faults until subscribers were whole: the median and the worst.
    pub whole: Option<(f64, f64)>,
    /// Faults that are not in the counts, a sentence each.
    pub wrong: Vec<String>,
}

impl Summary {
    pub(super) fn new(plan: &Plan, verdict: Verdict, notes: Notes, whole: &[Duration]) -> Self {
        let Notes { ledger: _, repeated, ends, turned_away, wrong } = notes;
        let (channels, subscribers) = (plan.channels, plan.subscribers + plan.guests);
        let publishers = plan.publishers + plan.guest_publishers;
        let whole: Vec<f64> = whole.iter().map(Duration::as_secs_f64).collect();
        let worst = whole.iter().copied().reduce(f64::max);
        let whole = worst.map(|worst| (median(whole.iter().copied()), worst));
        Self { channels, subscribers, publishers, verdict, repeated, ends, turned_away, whole, wrong }
    }

    /// Whether the run has no fault.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.verdict.is_right() && self.wrong.is_empty()
    }

    /// The counts, as fields between bars: each is a word and a number.
    #[must_use]
    pub fn fields(&self) -> String {
        let Verdict {
            acknowledged,
            delivered,
            lost,
            doubled,
            reordered,
            told,
            foreign,
            forgotten,
            unacknowledged,
            unknown,
            ..
        } = self.verdict;
        let sum = |kinds: &BTreeMap<String, u64>| kinds.values().sum::<u64>();
        let (repeated, ends) = (sum(&self.repeated), sum(&self.ends));
        let whole = |(median, worst): (f64, f64)| {
            format!(" | whole in the median {median:.2} s | whole at worst {worst:.2} s")
        };
        let whole = self.whole.map(whole).unwrap_or_default();
        format!(
            "acknowledged {acknowledged} | delivered {delivered} | lost {lost} | doubled {doubled} | \
             reordered {reordered} | told {told} | foreign {foreign} | forgotten {forgotten} | \
             unacknowledged {unacknowledged} | unknown {unknown} | repeated {repeated} | returns {ends}{whole}"
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, subscribers, publishers, .. } = self;
        writeln!(
            out,
            "{subscribers} subscribers and {publishers} publishers in {channels} channels with history:"
        )?;
        writeln!(out, "  {}", self.fields())?;
        for (name, kinds) in [
            ("publish repeated", &self.repeated),
            ("connection ended", &self.ends),
            ("upgrade failed", &self.turned_away),
        ] {
            kinds.iter().try_for_each(|(kind, count)| writeln!(out, "  {name}: {count} × {kind}"))?;
        }
        for what in self.verdict.examples.iter().chain(&self.wrong) {
            writeln!(out, "    {what}")?;
        }
        let right = "every acknowledged message reached every subscriber once, in order";
        writeln!(out, "{}", if self.is_right() { right } else { "WRONG" })
    }
}
