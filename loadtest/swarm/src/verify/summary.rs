//! The result.

use std::fmt;

use serde::Serialize;

use super::{checker::Verdict, plan::Plan};

/// The verdict, and the run that it is about.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Nodes that the clients were spread over.
    pub nodes: usize,
    /// The channel's path.
    pub path: String,
    /// Clients that only listened.
    pub subscribers: usize,
    /// Clients that published, and listened too.
    pub publishers: usize,
    /// The seed that repeats this run.
    pub seed: u64,
    /// Messages sent by all publishers.
    pub sent: u64,
    /// Messages of the plan that were not sent, because earlier ones of their publishers did not come back.
    pub unsent: u64,
    /// The counts of all clients.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Connections that ended before the end of the run, with the reason.
    pub ended: Vec<String>,
}

impl Summary {
    pub(super) fn new(plan: &Plan, sent: &[usize], verdict: Verdict, ended: Vec<String>) -> Self {
        let planned = plan.publishers * plan.messages;
        let sent = sent.iter().sum::<usize>();
        Self {
            nodes: plan.targets.len(),
            path: plan.targets.first().map(|target| target.path().to_owned()).unwrap_or_default(),
            subscribers: plan.subscribers,
            publishers: plan.publishers,
            seed: plan.seed,
            sent: sent as u64,
            unsent: planned.saturating_sub(sent) as u64,
            verdict,
            ended,
        }
    }

    /// Whether all messages were sent, and every client saw each once, in order and unchanged, and stayed to the end.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.verdict.is_right() && self.unsent == 0 && self.ended.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, path, subscribers, publishers, seed, sent, unsent, verdict, ended } = self;
        writeln!(
            out,
            "{subscribers} subscribers and {publishers} publishers on {nodes} nodes, channel path {path}, seed {seed}:"
        )?;
        writeln!(
            out,
            "  sent {sent}, unsent {unsent}; deliveries expected {}, received {}",
            verdict.expected, verdict.received
        )?;
        writeln!(
            out,
            "  lost {}, doubled {}, out of order {}, damaged {}, foreign {}, connections ended {}",
            verdict.lost,
            verdict.doubled,
            verdict.out_of_order,
            verdict.damaged,
            verdict.foreign,
            ended.len()
        )?;
        for fault in &verdict.examples {
            writeln!(out, "    {fault}")?;
        }
        for why in ended.iter().take(20) {
            writeln!(out, "    {why}")?;
        }
        writeln!(
            out,
            "{}",
            if self.is_right() { "every client saw every message once, in order" } else { "WRONG" }
        )
    }
}
