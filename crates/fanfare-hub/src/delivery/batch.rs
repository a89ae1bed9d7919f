//! The publications of one channel in one tick.
//!
//! Invariant: the bytes are built once per encoding in use, for all members. A member that must not get all of them (it
//! joined later, it is the sender and its namespace has no echo, it did not ask for news of clients, its dialect has no
//! word for a gap, or it has a filter) gets its own selection of the same encoded frames.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fanfare_core::{
    Channel, Dialect, EncodingKey, Message, Namespaces, Publication, SessionId, SlowClient, Transport,
};
use smallvec::SmallVec;

use crate::{
    delivery::{
        bases,
        filtering::{Filtering, Passed, PassedAt},
        membership::Membership,
        wishes::Wishes,
    },
    session::outgoing::Outgoing,
};

/// A publication and its place in a shard's queue.
#[derive(Clone)]
pub struct Queued {
    /// Its place in the shard's queue, counted from 0.
    pub(crate) sequence: u64,
    pub(crate) publication: Arc<Publication>,
    /// The sessions of this node that do not get it: its sender, where the namespace has no echo, and the one that its
    /// publisher leaves out.
    pub(crate) except: [Option<SessionId>; 2],
}

/// Publications of one channel, in order.
#[derive(Default)]
pub struct Batch {
    queued: SmallVec<[Queued; 1]>,
    /// The bytes of all of them, per encoding in use.
    whole: SmallVec<[(EncodingKey, Bytes); 1]>,
    /// Whether a member may not get a publication, however early it joined. Without it members are not looked at.
    has_exceptions: bool,
    /// `Some` where members have wishes.
    filtering: Option<Box<Filtering>>,
}

/// A member of a channel, before a batch.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    session: SessionId,
    membership: Membership,
    /// The publications that pass its filter.
    passed: Option<PassedAt>,
    /// Whether its dialect has a word for a gap.
    tells_gaps: bool,
}

impl Batch {
    /// Appends a publication of this batch's channel.
    pub fn push(&mut self, queued: Queued) {
        self.has_exceptions |= queued.except != [None; 2] || queued.publication.is_notice();
        self.queued.push(queued);
    }

    /// Publications of one channel that one member gets, whoever published them.
    pub(crate) fn of(publications: impl Iterator<Item = Arc<Publication>>) -> Self {
        let mut batch = Self::default();
        publications
            .for_each(|publication| batch.push(Queued { sequence: 0, publication, except: [None; 2] }));
        batch
    }

    /// The members of the channel have these wishes. From now on nothing is appended.
    pub(crate) fn heed(&mut self, wishes: Arc<Wishes>) {
        self.filtering = Some(Box::new(Filtering::new(wishes, self.publications())));
    }

    /// A member, for [`Batch::queued_for`].
    pub(crate) fn member(
        &mut self,
        session: SessionId,
        membership: Membership,
        dialect: &dyn Dialect,
    ) -> Member {
        let passed = membership.is_filtered().then(|| self.evaluate(session)).flatten();
        Member { session, membership, passed, tells_gaps: dialect.tells_gaps() }
    }

    fn evaluate(&mut self, session: SessionId) -> Option<PassedAt> {
        let publications = self.queued.iter().map(|queued| &queued.publication);
        self.filtering.as_mut()?.evaluate(session, publications)
    }

    /// The publications that a member gets.
    pub(crate) fn queued_for(&self, member: Member) -> impl Iterator<Item = &Queued> {
        let passed = self.passed(member);
        let passes = move |at| match passed {
            Some(passed) => passed.has(at),
            // A filtered member without its filter gets nothing rather than what it did not ask for.
            None => !member.membership.is_filtered(),
        };
        let is_for = move |(at, queued): &(usize, &Queued)| queued.is_for(member) && passes(*at);
        self.queued.iter().enumerate().filter(is_for).map(|(_, queued)| queued)
    }

    /// The number of publications that a member gets.
    fn count_for(&self, member: Member) -> usize {
        let Member { membership, .. } = member;
        let joined_before = self.queued.first().is_some_and(|first| first.sequence >= membership.since());
        match self.passed(member) {
            _ if self.has_exceptions || !joined_before => self.queued_for(member).count(),
            Some(passed) => passed.count(),
            None if membership.is_filtered() => 0,
            None => self.queued.len(),
        }
    }

    fn passed(&self, member: Member) -> Option<&Passed> {
        self.filtering.as_ref()?.get(member.passed?)
    }

    /// The number of publications.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.queued.iter()
    }

    /// The publications, in order.
    pub(crate) fn publications(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.queued.iter().map(|queued| &queued.publication)
    }

    /// The share of the member `session`; `None` where it gets nothing.
    #[inline]
    pub(crate) fn share<'a>(
        &'a mut self,
        session: SessionId,
        membership: Membership,
        dialect: &'static dyn Dialect,
        namespaces: &'a Namespaces,
    ) -> Option<Share<'a>> {
        let looks_at = self.queued.first().is_some_and(|first| membership.looks_at(first.sequence));
        let mut member = Member { session, membership, passed: None, tells_gaps: false };
        let (mut count, mut dialect) = (self.queued.len(), dialect);
        if looks_at || self.has_exceptions {
            (member, count, dialect) = self.selection(session, membership, dialect);
            if count == 0 {
                return None;
            }
        }
        Some(Share { batch: self, count, member, dialect, namespaces })
    }

    // Apart from `share`, which is inlined without it.
    #[cold]
    fn selection(
        &mut self,
        session: SessionId,
        membership: Membership,
        mut dialect: &'static dyn Dialect,
    ) -> (Member, usize, &'static dyn Dialect) {
        if membership.is_delta() {
            dialect = match &mut self.filtering {
                Some(filtering) => filtering.form(session, dialect),
                None => bases::form(dialect, None, &[]),
            };
        }
        let member = self.member(session, membership, dialect);
        (member, self.count_for(member), dialect)
    }

    /// Does `act` with the bytes of all publications.
    fn whole<T>(
        &mut self,
        dialect: &'static dyn Dialect,
        transport: &'static dyn Transport,
        act: impl FnOnce(&Bytes) -> T,
    ) -> T {
        let key = EncodingKey { encoding: dialect.encoding(), framing: transport.framing() };
        if let Some((_, bytes)) = self.whole.iter().find(|(found, _)| *found == key) {
            return act(bytes);
        }
        let bytes = join(self.queued.iter().map(|queued| queued.encoded(key, dialect, transport)));
        let done = act(&bytes);
        self.whole.push((key, bytes));
        done
    }
}

/// The publications of a batch that one member gets.
pub(crate) struct Share<'a> {
    batch: &'a mut Batch,
    count: usize,
    member: Member,
    dialect: &'static dyn Dialect,
    namespaces: &'a Namespaces,
}

impl Share<'_> {
    /// The number of publications.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn queued(&self) -> impl Iterator<Item = &Queued> {
        self.batch.queued_for(self.member)
    }

    /// The publications that pass the member's filter, where it gets all of them.
    fn passed(&mut self) -> Option<&mut Passed> {
        let passed = self.batch.filtering.as_mut()?.get_mut(self.member.passed?)?;
        (passed.count() == self.count).then_some(passed)
    }

    #[cold]
    fn has_notice(&self) -> bool {
        self.queued().any(|queued| queued.publication.is_notice())
    }
}

impl Outgoing for Share<'_> {
    fn framed<T>(&mut self, transport: &'static dyn Transport, act: impl FnOnce(&Bytes) -> T) -> T {
        if self.count == self.batch.len() {
            return self.batch.whole(self.dialect, transport, act);
        }
        let key = EncodingKey { encoding: self.dialect.encoding(), framing: transport.framing() };
        if let Some(bytes) = self.passed().and_then(|passed| passed.whole(key)) {
            return act(&bytes);
        }
        let bytes = join(self.queued().map(|queued| queued.encoded(key, self.dialect, transport)));
        if let Some(passed) = self.passed() {
            passed.keep(key, bytes.clone());
        }
        act(&bytes)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.count).unwrap_or(u32::MAX)
    }

    fn messages(&mut self, hold: &mut dyn FnMut(Message)) {
        self.queued().for_each(|queued| hold(self.dialect.publication(&queued.publication)));
    }

    fn replaceable(&self) -> Option<Channel> {
        let channel = &self.batch.queued.first()?.publication.channel;
        match self.namespaces.of(channel).slow_client {
            SlowClient::Disconnect => None,
            // A notice replaces no publication, and no publication replaces a notice. So publications that wait together
            // with one are not replaced either.
            SlowClient::Conflate if self.batch.has_exceptions && self.has_notice() => None,
            SlowClient::Conflate => Some(channel.clone()),
        }
    }

    fn frames(&mut self, transport: &'static dyn Transport, each: &mut dyn FnMut(Bytes)) {
        let key = EncodingKey { encoding: self.dialect.encoding(), framing: transport.framing() };
        self.queued().for_each(|queued| each(queued.encoded(key, self.dialect, transport)));
    }
}

impl Queued {
    /// Whether a member gets it, if it passes its filter.
    fn is_for(&self, member: Member) -> bool {
        let Member { session, membership, tells_gaps, .. } = member;
        self.sequence >= membership.since()
            && !self.except.contains(&Some(session))
            && (membership.wants_news() || !self.publication.is_news())
            && (tells_gaps || !self.publication.is_gap())
    }

    fn encoded(&self, key: EncodingKey, dialect: &dyn Dialect, transport: &dyn Transport) -> Bytes {
        self.publication.encoded(key, |publication| {
            let mut framed = Vec::new();
            transport.frame(&dialect.publication(publication), &mut framed);
            framed.into()
        })
    }
}

/// The bytes that a publication counts for between the broker and a shard.
pub(crate) fn cost(publication: &Publication) -> usize {
    let attributes = publication.attributes.as_ref().map_or(0, |attributes| attributes.bytes());
    publication.payload.len() + attributes + size_of::<Publication>()
}

/// Joins parts, so that each member needs one write. One part is passed on without a copy.
fn join(mut parts: impl Iterator<Item = Bytes>) -> Bytes {
    let Some(first) = parts.next() else { return Bytes::new() };
    let Some(second) = parts.next() else { return first };
    let mut joined = BytesMut::from(&*first);
    joined.extend_from_slice(&second);
    parts.for_each(|part| joined.extend_from_slice(&part));
    joined.freeze()
}
