//! The result.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    judge::{Verdict, judge},
    plan::{Bounds, Plan},
    run::Run,
};
use crate::{clock::Moment, latency::Latency, table::Table};

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Clients.
    pub clients: usize,
    /// Channels of these clients.
    pub channels: usize,
    /// The time of publishing, in seconds.
    pub seconds: f64,
    /// Whether the channels have history, and clients come back with a position.
    pub history: bool,
    /// Publishes that were taken.
    pub taken: u64,
    /// Publishes that were not taken, by answer.
    pub not_taken: BTreeMap<String, u64>,
    /// From the request of a publish until it was taken, in microseconds.
    pub answers: Latency,
    /// Whether the right messages came.
    pub verdict: Verdict,
    /// Connections that ended other than by the close code of a restart, by reason.
    pub other_ends: BTreeMap<String, u64>,
    /// Reconnects.
    pub reconnects: usize,
    /// The most reconnects in any second.
    pub reconnects_in_a_second: usize,
    /// The longest delay of a timer in this program, in seconds. The times here are not more exact than this.
    pub late: f64,
    /// Reconnects that failed, by kind.
    pub turned_away: BTreeMap<String, u64>,
    /// Connections whose position was not recovered.
    pub unrecovered: u64,
    /// The faults, a sentence each.
    pub wrong: Vec<String>,
}

impl Figures {
    pub(super) fn new(plan: &Plan, lasted: Duration, run: &Run) -> Self {
        let mut figures = Self {
            clients: plan.clients,
            channels: plan.channels,
            seconds: lasted.as_secs_f64(),
            history: plan.history,
            taken: run.answers.count(),
            not_taken: run.not_taken.clone(),
            answers: run.answers.summary(),
            verdict: judge(&run.ledger, plan.history),
            other_ends: run.other_ends.clone(),
            reconnects: run.reconnects.len(),
            reconnects_in_a_second: most_in(Duration::from_secs(1), &run.reconnects),
            late: run.late.as_secs_f64(),
            turned_away: run.turned_away.clone(),
            unrecovered: run.unrecovered,
            wrong: Vec::new(),
        };
        figures.wrong = figures.judge(&plan.bounds);
        figures
    }

    /// Whether the run has no fault.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.wrong.is_empty()
    }

    fn judge(&self, bounds: &Bounds) -> Vec<String> {
        let verdict = &self.verdict;
        let sum = |kinds: &BTreeMap<String, u64>| kinds.values().sum::<u64>();
        let mut wrong: Vec<String> = [
            (sum(&self.not_taken), "publishes were not taken"),
            (verdict.doubled, "messages came twice to a client"),
            (verdict.out_of_order, "messages came behind a later one"),
            (verdict.foreign, "messages came to a channel that they were not published to"),
            (verdict.lost, "messages did not come to a connected client"),
            (verdict.early, "messages came to a client that was not connected yet"),
            (sum(&self.other_ends), "connections did not end by the close code of a restart"),
            (sum(&self.turned_away), "reconnects failed"),
            (self.unrecovered, "reconnects did not recover their position"),
            (if self.history { verdict.missed } else { 0 }, "messages were missed, in spite of history"),
            (verdict.nodes.values().map(|node| node.gone).sum(), "clients are not back"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if self.taken == 0 {
            wrong.push("no message was published".to_owned());
        }
        let most = self.reconnects_in_a_second;
        if let Some(pace) = bounds.pace.filter(|pace| most > 2 * *pace as usize) {
            wrong.push(format!("{most} reconnects in one second, at a pace of {pace}"));
        }
        let longest = verdict.nodes.values().map(|node| node.longest).fold(0.0, f64::max);
        if let Some(away) = bounds.away.filter(|away| longest > away.as_secs_f64()) {
            wrong.push(format!("a client was away for {longest:.2} s, longer than {} s", away.as_secs_f64()));
        }
        wrong
    }
}

/// The highest number of moments within a span. The moments are in order.
fn most_in(span: Duration, moments: &[Moment]) -> usize {
    let until = |first: &Moment| first.after(span);
    let within = |(place, first)| moments.partition_point(|moment| *moment < until(first)) - place;
    moments.iter().enumerate().map(within).max().unwrap_or(0)
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, channels, seconds, taken, not_taken, answers, verdict, .. } = self;
        writeln!(out, "{clients} clients in {channels} channels, {seconds:.0} s:")?;
        writeln!(out, "  publishes: {taken} taken, {:.0} a second; {answers}", *taken as f64 / seconds)?;
        kinds(out, "publishes not taken", not_taken)?;
        let Verdict { deliveries, latency, doubled, out_of_order, foreign, lost, early, .. } = verdict;
        writeln!(out, "  deliveries: {deliveries}; {latency}")?;
        writeln!(
            out,
            "  doubled {doubled}, out of order {out_of_order}, foreign {foreign}, \
             lost {lost}, from before {early}"
        )?;
        let mut table = Table::new(["node", "closed", "within", "all back", "longest away", "missed"]);
        for (node, absences) in &verdict.nodes {
            let node = if node.is_empty() { "(unnamed)" } else { node };
            table.row([
                node.to_owned(),
                absences.ended.to_string(),
                format!("{:.1} s", absences.over),
                format!("{:.1} s", absences.back),
                format!("{:.2} s", absences.longest),
                absences.missed.to_string(),
            ]);
        }
        write!(out, "{table}")?;
        let Verdict { missed, missed_in_absence, missed_before_close, heard_before_connect, .. } = verdict;
        writeln!(
            out,
            "  missed by clients that were away: {missed}; {missed_in_absence} of these were sent after the close and taken \
             before the connect; the earliest was taken {:.1} ms before the close was read",
            missed_before_close * 1e3
        )?;
        if !self.history {
            writeln!(
                out,
                "  received by clients that came back: no message that was taken more than {:.1} ms before they began to \
                 connect",
                heard_before_connect * 1e3
            )?;
        }
        kinds(out, "ends other than by a restart", &self.other_ends)?;
        writeln!(
            out,
            "  reconnects: {}, at most {} in a second; timers of this program were up to {:.0} ms late",
            self.reconnects,
            self.reconnects_in_a_second,
            self.late * 1e3
        )?;
        kinds(out, "failed", &self.turned_away)?;
        if self.is_right() {
            let right = if self.history {
                "0 missed: clients got all messages, those of their absence too"
            } else {
                "clients missed only messages that were published while they were away"
            };
            return writeln!(out, "RIGHT: {right}");
        }
        self.wrong.iter().try_for_each(|what| writeln!(out, "WRONG: {what}"))
    }
}

fn kinds(out: &mut fmt::Formatter<'_>, name: &str, kinds: &BTreeMap<String, u64>) -> fmt::Result {
    kinds.iter().try_for_each(|(kind, count)| writeln!(out, "  {name}: {count} × {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_begin_at_any_moment() {
        let at = |millis: &[u64]| -> Vec<Moment> {
            millis.iter().map(|millis| Moment(millis * 1_000_000)).collect()
        };
        let second = Duration::from_secs(1);
        assert_eq!(most_in(second, &[]), 0);
        assert_eq!(most_in(second, &at(&[0, 900, 1_100, 1_899, 1_900, 5_000])), 3);
        assert_eq!(most_in(second, &at(&[0, 1_000, 2_000])), 1);
    }
}
