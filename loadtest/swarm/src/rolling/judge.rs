//! Judges whether each client missed exactly the messages that were published while it was away. Uses the ledger only: no
//! clock, no socket.
//!
//! - A client gets a message that was sent after its 101 and taken well before it learned of its close.
//! - A connection gets every message between its first and its last.
//! - A client gets no message that was taken well before it began to connect; but in a channel with history, where it
//!   asks for them.
//!
//! A client may get or miss a message that was published nearer to a close or a return: a busy machine delays the broker's
//! messages to its nodes, and closes to its clients. "Well before" is [`APART`] plus the longest delivery of the run. The
//! verdict says how near such messages were.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::ledger::{Client, Ledger, Published, Session};
use crate::{clock::Moment, latency::Latency};

/// The longest time between the receipts of one message on two nodes.
pub const APART: Duration = Duration::from_secs(1);

/// The fates of the messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Messages that clients got, with copies.
    pub deliveries: u64,
    /// From the sending of a message until a client had it, in microseconds.
    pub latency: Latency,
    /// The time before a close, or a connect, in which a message may be missed, or got, in seconds.
    pub leeway: f64,
    /// Messages that came to a client again, on any of its connections.
    pub doubled: u64,
    /// Messages that came to a client after a later one.
    pub out_of_order: u64,
    /// Messages that were not published to the client's channel.
    pub foreign: u64,
    /// Messages that never came to a connected client.
    pub lost: u64,
    /// Messages that came to a client that was not connected yet.
    pub early: u64,
    /// Messages that never came to a client that was away.
    pub missed: u64,
    /// The part of `missed` that was sent after the close was read, and taken before the client began to connect.
    pub missed_in_absence: u64,
    /// The longest time from the taking of a missed message until the client learned of its close, in seconds.
    pub missed_before_close: f64,
    /// The longest time from the taking of a received message until the client began to connect, in seconds.
    pub heard_before_connect: f64,
    /// The absences of each node's clients, by the balancer's name of the node.
    pub nodes: BTreeMap<String, Absences>,
}

/// The absences of clients whose connection to one node ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Absences {
    /// Connections that ended.
    pub ended: u64,
    /// From the first of these ends to the last, in seconds.
    pub over: f64,
    /// From the first of these ends until the last client was back, in seconds.
    pub back: f64,
    /// The longest absence of a client, in seconds.
    pub longest: f64,
    /// Messages that these clients missed.
    pub missed: u64,
    /// Clients that are not back.
    pub gone: u64,
    #[serde(skip)]
    first: Option<Moment>,
}

/// `history`: clients get messages from before their connections too.
pub(super) fn judge(ledger: &Ledger, history: bool) -> Verdict {
    let latency = ledger.deliveries.summary();
    let leeway = APART + Duration::from_micros(latency.max);
    let mut verdict = Verdict {
        deliveries: ledger.deliveries.count(),
        latency,
        leeway: leeway.as_secs_f64(),
        doubled: ledger.doubled,
        out_of_order: ledger.out_of_order,
        foreign: ledger.foreign,
        ..Verdict::default()
    };
    let mut absences: Vec<Absence<'_>> = ledger.clients.iter().flat_map(absences).collect();
    absences.sort_by_key(|absence| absence.from);
    for absence in absences {
        verdict.nodes.entry(absence.node.to_owned()).or_default().add(&absence);
    }
    for client in &ledger.clients {
        let published = ledger.channels.get(client.channel).map(Vec::as_slice).unwrap_or_default();
        for (number, message) in published.iter().enumerate() {
            if let Some(taken) = message.taken {
                verdict.add(client, leeway, number, message, taken);
            }
        }
    }
    if history {
        verdict.early = 0;
    }
    verdict
}

/// The time from a close until the next 101.
struct Absence<'a> {
    node: &'a str,
    from: Moment,
    until: Option<Moment>,
}

fn absences(client: &Client) -> impl Iterator<Item = Absence<'_>> {
    client.sessions.iter().enumerate().filter_map(|(place, session)| {
        let until = client.sessions.get(place + 1).map(|next| next.opened);
        Some(Absence { node: &session.node, from: session.ended?, until })
    })
}

impl Absences {
    /// Adds an absence. They come in the order of their beginnings.
    fn add(&mut self, absence: &Absence<'_>) {
        let first = *self.first.get_or_insert(absence.from);
        self.ended += 1;
        self.over = absence.from.since(first).as_secs_f64();
        match absence.until {
            Some(until) => {
                self.back = self.back.max(until.since(first).as_secs_f64());
                self.longest = self.longest.max(until.since(absence.from).as_secs_f64());
            }
            None => self.gone += 1,
        }
    }
}

impl Verdict {
    /// Judges one client and one message that was taken.
    fn add(&mut self, client: &Client, leeway: Duration, number: usize, message: &Published, taken: Moment) {
        let heard_by = client.heard.get(number).copied().flatten();
        if let Some(session) = heard_by.and_then(|place| client.sessions.get(place)) {
            let before = session.began.since(taken);
            self.heard_before_connect = self.heard_before_connect.max(before.as_secs_f64());
            self.early += u64::from(before > leeway);
            return;
        }
        if client.sessions.iter().any(|session| session.owes(number, message, taken.after(leeway))) {
            self.lost += 1;
            return;
        }
        // The connection before the message.
        let behind = client.sessions.partition_point(|session| session.opened <= message.sent);
        let Some(session) = behind.checked_sub(1).and_then(|place| client.sessions.get(place)) else {
            return;
        };
        let Some(ended) = session.ended else { return };
        let returned = client.sessions.get(behind).map(|next| next.began);
        self.missed += 1;
        self.missed_before_close = self.missed_before_close.max(ended.since(taken).as_secs_f64());
        self.missed_in_absence +=
            u64::from(message.sent >= ended && returned.is_none_or(|began| taken <= began));
        if let Some(absences) = self.nodes.get_mut(&session.node) {
            absences.missed += 1;
        }
    }
}

impl Session {
    /// Whether this connection had to get the message, if it was still open at `due`.
    fn owes(&self, number: usize, message: &Published, due: Moment) -> bool {
        let there = message.sent >= self.opened;
        let in_time = self.ended.is_none_or(|ended| due <= ended);
        (there && in_time)
            || self.span.is_some_and(|(first, last)| (there || first < number) && number < last)
    }
}
