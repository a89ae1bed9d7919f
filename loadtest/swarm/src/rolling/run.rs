//! The notes of clients and publishers.

use std::{collections::BTreeMap, time::Duration};

use super::ledger::Ledger;
use crate::{client::Ended, clock::Moment, latency::Latencies};

/// IANA's registry of close codes: the service restarts.
const RESTART: u16 = 1012;

/// The notes of clients and publishers.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) ledger: Ledger,
    /// From the request of a publish until it was taken.
    pub(super) answers: Latencies,
    /// Publishes that were not taken, by answer.
    pub(super) not_taken: BTreeMap<String, u64>,
    /// Ends of connections other than by [`RESTART`], by reason.
    pub(super) other_ends: BTreeMap<String, u64>,
    /// The moments of reconnects.
    pub(super) reconnects: Vec<Moment>,
    /// The longest delay of a timer in this program.
    pub(super) late: Duration,
    /// Reconnects that failed, by kind.
    pub(super) turned_away: BTreeMap<String, u64>,
    /// Connections whose position was not recovered.
    pub(super) unrecovered: u64,
}

impl Run {
    /// Notes that a client is connected now. The cookie names the node.
    pub(super) fn opened(&mut self, client: usize, cookie: Option<&str>, began: Moment) {
        let node = cookie.and_then(|cookie| cookie.split_once('=')).map_or("", |(_, node)| node);
        self.ledger.opened(client, node, began, Moment::now());
    }

    pub(super) fn ended(&mut self, client: usize, at: Moment, how: &Ended) {
        self.ledger.ended(client, at);
        if !how.is_closed_with(RESTART) {
            *self.other_ends.entry(how.to_string()).or_default() += 1;
        }
    }

    pub(super) fn not_taken(&mut self, why: String) {
        *self.not_taken.entry(why).or_default() += 1;
    }

    pub(super) fn turned_away(&mut self, why: String) {
        *self.turned_away.entry(why).or_default() += 1;
    }
}
