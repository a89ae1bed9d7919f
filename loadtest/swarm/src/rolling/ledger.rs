//! The published messages, and those that each client got on each of its connections.
//!
//! Invariant: a channel has one publisher, which waits for each answer. So the numbers of its messages are the order
//! in which the server took them.

use crate::{clock::Moment, latency::Latencies, sequence::Receipt};

/// A message that was sent to the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    pub(super) sent: Moment,
    /// The moment of the server's answer that the message is taken. `None`: another answer.
    pub(super) taken: Option<Moment>,
}

/// A connection of a client.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The balancer's name of the node; empty if the balancer sets no cookie.
    pub(super) node: String,
    /// The beginning of the connection.
    pub(super) began: Moment,
    /// The moment of its 101.
    pub(super) opened: Moment,
    /// The moment that the client learned of its end.
    pub(super) ended: Option<Moment>,
    /// The lowest and the highest number that came on it.
    pub(super) span: Option<(usize, usize)>,
}

/// The connections of a client and the messages on them.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) channel: usize,
    pub(super) sessions: Vec<Session>,
    /// For each number of its channel: the session that it came to first.
    pub(super) heard: Vec<Option<usize>>,
}

/// The messages and the clients.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The messages of each channel, in order.
    pub(super) channels: Vec<Vec<Published>>,
    pub(super) clients: Vec<Client>,
    /// From the sending of a message until a client had it, for each message that came, with copies.
    pub(super) deliveries: Latencies,
    /// Messages that came to a client again, on any of its connections.
    pub(super) doubled: u64,
    /// Messages that came to a client after a later one.
    pub(super) out_of_order: u64,
    /// Messages that were not published to the client's channel.
    pub(super) foreign: u64,
}

impl Ledger {
    /// A ledger in which the clients go round the channels.
    pub(super) fn new(clients: usize, channels: usize) -> Self {
        let client = |number| Client { channel: number % channels, ..Client::default() };
        Self {
            channels: vec![Vec::new(); channels],
            clients: (0..clients).map(client).collect(),
            ..Self::default()
        }
    }

    /// Notes that a message is sent. Returns its number.
    pub(super) fn publishes(&mut self, channel: usize, sent: Moment) -> usize {
        let Some(published) = self.channels.get_mut(channel) else { return 0 };
        published.push(Published { sent, taken: None });
        published.len() - 1
    }

    /// Notes that a message was taken.
    pub(super) fn taken(&mut self, channel: usize, number: usize, at: Moment) {
        if let Some(message) = self.channels.get_mut(channel).and_then(|all| all.get_mut(number)) {
            message.taken = Some(at);
        }
    }

    /// Notes that a client is connected.
    pub(super) fn opened(&mut self, client: usize, node: &str, began: Moment, opened: Moment) {
        if let Some(client) = self.clients.get_mut(client) {
            let node = node.to_owned();
            client.sessions.push(Session { node, began, opened, ended: None, span: None });
        }
    }

    /// Notes that a client's connection has ended.
    pub(super) fn ended(&mut self, client: usize, at: Moment) {
        let session = self.clients.get_mut(client).and_then(|client| client.sessions.last_mut());
        if let Some(session) = session {
            session.ended = Some(at);
        }
    }

    /// Notes a message on a client's connection; `number` is `None` for a message that is not a number.
    pub(super) fn heard(&mut self, client: usize, number: Option<usize>, at: Moment) {
        let Some(client) = self.clients.get_mut(client) else { return };
        let published = self.channels.get(client.channel).map(Vec::as_slice).unwrap_or_default();
        let message = number.and_then(|number| Some((number, published.get(number)?)));
        let Some((number, message)) = message else {
            self.foreign += 1;
            return;
        };
        self.deliveries.record(at.since(message.sent));
        match client.hear(number) {
            Receipt::InOrder => {}
            Receipt::Doubled => self.doubled += 1,
            Receipt::OutOfOrder => self.out_of_order += 1,
        }
    }

    /// The number of connected clients.
    pub(super) fn connected(&self) -> usize {
        self.clients.iter().filter(|client| client.is_connected()).count()
    }

    /// Whether every client is connected, and has the last message of its channel.
    pub(super) fn is_complete(&self) -> bool {
        self.clients.iter().all(|client| {
            let last = self.channels.get(client.channel).and_then(|all| all.len().checked_sub(1));
            let heard = client.sessions.last().and_then(|session| session.span).map(|(_, last)| last);
            client.is_connected() && heard == last
        })
    }
}

impl Client {
    pub(super) fn is_connected(&self) -> bool {
        self.sessions.last().is_some_and(|session| session.ended.is_none())
    }

    fn hear(&mut self, number: usize) -> Receipt {
        let is_late = number < self.heard.len();
        if !is_late {
            self.heard.resize(number + 1, None);
        }
        let now = self.sessions.len().saturating_sub(1);
        if let Some(session) = self.sessions.last_mut() {
            let (first, last) = session.span.unwrap_or((number, number));
            session.span = Some((first.min(number), last.max(number)));
        }
        match self.heard.get_mut(number) {
            Some(first @ None) => *first = Some(now),
            _ => return Receipt::Doubled,
        }
        if is_late { Receipt::OutOfOrder } else { Receipt::InOrder }
    }
}
