//! What the hub holds of one client.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{
    Channel, CommandError, Dialect, Disconnect, Heartbeat, Identity, SessionId, Sink, Transport,
};
use once_cell::race::OnceBox;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::{
    session::{
        access_log::End,
        flow::Flow,
        outbound::{Outbound, Sent},
        traffic::{SessionTraffic, Traffic},
    },
    upkeep::{budget::Budget, heartbeat::LastActivity},
};

/// What all sessions of one dialect share.
pub struct Kind {
    /// What they speak.
    pub dialect: &'static dyn Dialect,
    /// How they are kept alive.
    pub heartbeat: Heartbeat,
}

/// Whose session it is.
#[derive(Clone, Default)]
pub struct Peer {
    /// Where the client is; for the log.
    pub address: Option<IpAddr>,
    /// Who it is, where it showed a token.
    pub identity: Option<Arc<dyn Identity>>,
}

/// One client's session. It outlives its transport and may change it.
///
/// Small on purpose: it is most of what an idle connection costs.
pub struct Session {
    pub(crate) id: SessionId,
    /// Which shard writes to it.
    pub(crate) shard: u32,
    pub(crate) kind: Arc<Kind>,
    /// Boxed, and so is the flow: a pointer where there is none, as with most clients.
    pub(crate) identity: Option<Box<Arc<dyn Identity>>>,
    pub(crate) last_activity: LastActivity,
    pub(crate) traffic: SessionTraffic,
    pub(crate) outbound: Outbound,
    pub(crate) subscriptions: Mutex<Subscriptions>,
    address: Option<IpAddr>,
    flow: OnceBox<Arc<Flow>>,
}

/// The channels of one session. Nearly always one.
#[derive(Default)]
pub(crate) struct Subscriptions {
    pub(crate) channels: SmallVec<[Channel; 1]>,
    /// The session is over, and how: nothing is added any more.
    pub(crate) ended: Option<Box<End>>,
}

impl Subscriptions {
    /// Why the session is over, if it is.
    pub(crate) fn reason(&self) -> Option<&Disconnect> {
        self.ended.as_ref().map(|end| &end.disconnect)
    }

    /// Whether there is a use in one more; none for a session that is over.
    ///
    /// # Errors
    /// It is held already, or so many are held that no more may be.
    pub(crate) fn wants(&self, channel: &Channel, most: usize) -> Result<bool, CommandError> {
        if self.ended.is_some() {
            return Ok(false);
        }
        if self.channels.contains(channel) {
            return Err(CommandError::AlreadySubscribed);
        }
        if self.channels.len() >= most {
            return Err(CommandError::TooManyChannels(most));
        }
        Ok(true)
    }
}

impl Session {
    pub(crate) fn new(id: SessionId, shard: u32, kind: Arc<Kind>, peer: Peer, now: u32) -> Self {
        let Peer { address, identity } = peer;
        Self {
            id,
            shard,
            kind,
            identity: identity.map(Box::new),
            last_activity: LastActivity::new(now),
            traffic: SessionTraffic::default(),
            outbound: Outbound::default(),
            subscriptions: Mutex::default(),
            address,
            flow: OnceBox::new(),
        }
    }

    /// Its number on this node.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Where its client is.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Who its client is, as its token says.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.identity.as_ref()?.subject()
    }

    /// What it speaks.
    #[must_use]
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.kind.dialect
    }

    /// How long its client's token is good yet; `None`: for ever.
    pub(crate) fn expires_in(&self) -> Option<Duration> {
        let expires_at = self.identity.as_ref()?.expires_at()?;
        Some(expires_at.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Whether it is over. Its transport may still have to say goodbye.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.subscriptions.lock().ended.is_some()
    }

    /// Whether what its client says is still carried out: so long as it is not over, and then the publications of one
    /// that was sent away, until its transport is given up.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        let is_ended = match self.subscriptions.lock().reason() {
            None => return true,
            Some(reason) => !reason.sends_away(),
        };
        !is_ended && !self.flow().is_some_and(|flow| flow.is_over())
    }

    /// Whether it is over for a reason that says nothing of a publication that failed.
    pub(crate) fn cannot_be_told(&self) -> bool {
        let says_so = |reason| matches!(reason, &Disconnect::PublishRefused | &Disconnect::PublishUnknown);
        self.subscriptions.lock().reason().is_some_and(|reason| !says_so(reason))
    }

    /// Whether its client was told that it is in.
    pub(crate) fn is_connection(&self) -> bool {
        self.traffic.lasted().is_some()
    }

    /// Ends its transport now, whatever is still queued; whoever reads it sees its end.
    pub fn abort(&self) {
        self.outbound.abort();
        if let Some(flow) = self.flow() {
            flow.over();
        }
    }

    /// For whoever read its transport and will not any more: a transport that was aborted is let go of.
    pub fn let_go(&self) {
        self.outbound.let_go();
    }

    /// What its client sent so far.
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.traffic.received.get()
    }

    /// What its client was sent so far.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.outbound.sent()
    }

    /// How many bytes wait for its transport.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    pub(crate) fn has_several_channels(&self) -> bool {
        self.subscriptions.lock().channels.len() > 1
    }

    /// Whether it holds a channel that is one of these.
    pub(crate) fn holds_any(&self, is_one: impl FnMut(&Channel) -> bool) -> bool {
        self.subscriptions.lock().channels.iter().any(is_one)
    }

    pub(crate) fn flow(&self) -> Option<&Arc<Flow>> {
        self.flow.get()
    }

    pub(crate) fn flow_or_new(&self) -> &Arc<Flow> {
        self.flow.get_or_init(|| Box::new(Arc::new(Flow::new())))
    }

    pub(crate) fn attach(
        &self,
        transport: &'static dyn Transport,
        sink: Box<dyn Sink>,
        budget: &Arc<Budget>,
    ) -> Sent {
        self.outbound.attach(transport, sink, budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        // With the two counts of its `Arc` it fits a block of 256 bytes, the allocator's next size.
        assert!(size_of::<Session>() <= 208, "{}", size_of::<Session>());
    }
}
