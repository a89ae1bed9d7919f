//! The way of the publications of one channel.

use std::sync::Arc;

use fanfare_core::{Namespace, Publication};

use crate::delivery::{
    membership::{Joining, Membership},
    tails::shared::SharedTail,
};

/// See the head of this file.
pub(super) struct Route {
    pub(super) audience: Audience,
    /// Their tail, in a channel with history. It is there before the first subscriber.
    pub(super) tail: Option<Arc<SharedTail>>,
    /// The number of its subscribers on this node that want news of clients.
    want_news: u32,
}

/// The shards that the publications of one channel go to.
#[derive(Clone, Copy)]
pub(super) struct Audience {
    /// One bit for each shard that has a member.
    pub(super) shards: u64,
    /// The number of its subscribers on this node.
    pub(super) members: u32,
    /// Whether a publisher gets its own publications.
    pub(super) echo: bool,
    /// Whether subscribers may get differences.
    pub(super) delta: bool,
}

impl Route {
    pub(super) fn new(namespace: &Namespace) -> Self {
        let Namespace { echo, delta, .. } = *namespace;
        Self { audience: Audience { shards: 0, members: 0, echo, delta }, tail: None, want_news: 0 }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.audience.members == 0 && self.tail.is_none()
    }

    pub(super) fn wants_news(&self) -> bool {
        self.want_news > 0
    }

    /// Whether a publication ends here: it is news of a client, which no subscriber on this node wants.
    #[inline]
    pub(super) fn is_unwanted(&self, publication: &Publication) -> bool {
        publication.is_news() && !self.wants_news()
    }

    /// A session of a shard joined. Whether it is the first subscriber.
    pub(super) fn joined(&mut self, shard: u32, joining: &Joining) -> bool {
        self.want_news += u32::from(joining.wants_news);
        self.audience.shards |= 1 << shard;
        self.audience.members += 1;
        self.audience.members == 1
    }

    /// A session of a shard left, maybe the last one of that shard. Whether it was the last subscriber.
    pub(super) fn left(&mut self, shard: u32, membership: Option<Membership>, is_shard_empty: bool) -> bool {
        let wanted_news = membership.is_some_and(Membership::wants_news);
        self.want_news = self.want_news.saturating_sub(u32::from(wanted_news));
        self.audience.members = self.audience.members.saturating_sub(1);
        if is_shard_empty {
            self.audience.shards &= !(1 << shard);
        }
        self.audience.members == 0
    }
}
