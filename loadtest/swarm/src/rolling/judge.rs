//! Whether each client missed exactly what was published while it was away. The ledger in, figures out: no clock, no
//! socket.
//!
//! - A client hears a message that was sent after its 101, and taken well before it learned of its close.
//! - Of what one connection hears, nothing is left out.
//! - It hears nothing that was taken well before it began to connect.
//!
//! What is published nearer to a close or a return may be heard or missed: nodes hear the broker at the same time, and
//! clients hear of a close, only as far as the machine has time for them. "Well before" is [`APART`], and the longest that
//! any message was under way in this run. How near it came is told.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::ledger::{Client, Ledger, Published, Session};
use crate::{clock::Moment, latency::Latency};

/// How far apart two nodes may hear the same message.
pub const APART: Duration = Duration::from_secs(1);

/// What became of the messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Messages that clients heard, copies included.
    pub deliveries: u64,
    /// From handing over a message until a client had it, in microseconds.
    pub latency: Latency,
    /// How long before a close, or a connect, a message may be missed, or heard, in seconds.
    pub leeway: f64,
    /// Came to a client again, on whichever of its connections.
    pub doubled: u64,
    /// Came to a client after a later one.
    pub out_of_order: u64,
    /// Came to a client, and was not published to its channel.
    pub foreign: u64,
    /// Never came to a client that was there.
    pub lost: u64,
    /// Came to a client that was not there yet.
    pub early: u64,
    /// Never came to a client that was away.
    pub missed: u64,
    /// Of those: sent after the close was read, and taken before the client began to connect.
    pub missed_in_absence: u64,
    /// The longest time from a missed message that was taken until the client learned of its close, in seconds.
    pub missed_before_close: f64,
    /// The longest time from a heard message that was taken until the client began to connect, in seconds.
    pub heard_before_connect: f64,
    /// What each node's clients went through, by what the balancer calls it.
    pub nodes: BTreeMap<String, Absences>,
}

/// What those went through whose connections to one node ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Absences {
    /// Connections that ended.
    pub ended: u64,
    /// From the first of these ends to the last, in seconds.
    pub over: f64,
    /// From the first of these ends until the last client was back, in seconds.
    pub back: f64,
    /// The longest that one client was away, in seconds.
    pub longest: f64,
    /// Messages that they missed.
    pub missed: u64,
    /// Clients that are not back.
    pub gone: u64,
    #[serde(skip)]
    first: Option<Moment>,
}

pub(super) fn judge(ledger: &Ledger) -> Verdict {
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
    verdict
}

/// From a close until the next 101.
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
    /// In the order of their beginnings.
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
    /// Judges what one client heard of a message that was taken.
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
        // The connection behind which it fell.
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
    /// Whether this connection had to hear the message, if it was still open when that was due.
    fn owes(&self, number: usize, message: &Published, due: Moment) -> bool {
        let there = message.sent >= self.opened;
        let in_time = self.ended.is_none_or(|ended| due <= ended);
        (there && in_time)
            || self.span.is_some_and(|(first, last)| (there || first < number) && number < last)
    }
}
