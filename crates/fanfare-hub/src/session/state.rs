//! The state of one session.

use std::{
    hint::black_box,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{Channel, Dialect, Disconnect, Heartbeat, Identity, SessionId};
use once_cell::race::OnceBox;
use parking_lot::Mutex;

use crate::session::{
    by_hook::ByHook,
    channels::Channels,
    flow::Flow,
    granted::Granted,
    held::Held,
    last_activity::LastActivity,
    outbound::Outbound,
    pending::Pending,
    phase::{CurrentPhase, Phase},
    told::Told,
    traffic::{SessionTraffic, Traffic},
};

/// The settings that all sessions of one dialect share.
pub struct Kind {
    /// The dialect.
    pub dialect: &'static dyn Dialect,
    /// How the sessions are kept alive.
    pub heartbeat: Heartbeat,
    /// The word for the transport, in metrics and for the operator's backend.
    pub transport: &'static str,
    /// `Some`: a client says who it is in its first command, and nothing is carried out before.
    pub connects: Option<ConnectRules>,
}

/// The rules of a dialect with a connect command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectRules {
    /// How long a session, or a subscription, outlives its token: meanwhile the client may show a new one.
    pub expiry_grace: Duration,
}

/// The client of a session.
#[derive(Clone, Default)]
pub struct Peer {
    /// The client's address, for the log.
    pub address: Option<IpAddr>,
    /// The client's identity, where it showed a token.
    pub identity: Option<Arc<dyn Identity>>,
    /// The secret name by which requests feed the session, which the reply to its connect tells; `None`: its transport
    /// feeds it.
    pub fed_as: Option<Arc<str>>,
    /// The headers of the handshake that the operator's backend gets, where it is asked.
    pub headers: Option<Arc<[(String, String)]>>,
}

/// One client's session. It outlives its transport and may change it.
///
/// A session is small on purpose: it is most of an idle connection's memory. The fields that a delivery needs come first
/// and lie together, since a delivery waits for each line of memory. The end of a session is logged when it is dropped
/// (`access_log`).
#[repr(C)]
pub struct Session {
    pub(crate) kind: Arc<Kind>,
    pub(crate) last_activity: LastActivity,
    pub(crate) outbound: Outbound,
    pub(crate) channels: Mutex<Channels>,
    pub(crate) traffic: SessionTraffic,
    /// The parts that an idle session of the relay does not have.
    more: OnceBox<More>,
    pub(crate) id: SessionId,
    /// The identity of the handshake. Boxed: most clients do not have one, and a pointer is smaller.
    identity: Option<Box<Arc<dyn Identity>>>,
    /// The index of the shard that writes to the session.
    pub(crate) shard: u32,
    address: Option<IpAddr>,
}

/// The parts of a session that publishes, has commands that wait, or connects by a command.
#[derive(Default)]
struct More {
    flow: OnceBox<Arc<Flow>>,
    pending: OnceBox<Pending>,
    held: OnceBox<Held>,
    /// The identity that replaced the one of the handshake.
    identity: OnceBox<Mutex<Arc<dyn Identity>>>,
    phase: CurrentPhase,
    granted: OnceBox<Granted>,
    told: OnceBox<Told>,
    fed_as: OnceBox<Arc<str>>,
    headers: OnceBox<Arc<[(String, String)]>>,
    by_hook: ByHook,
}

impl Session {
    pub(crate) fn new(id: SessionId, shard: u32, kind: Arc<Kind>, peer: Peer, now: u32) -> Self {
        let Peer { address, identity, fed_as, headers } = peer;
        let session = Self {
            id,
            shard,
            kind,
            identity: identity.map(Box::new),
            last_activity: LastActivity::new(now),
            traffic: SessionTraffic::default(),
            outbound: Outbound::default(),
            channels: Mutex::default(),
            address,
            more: OnceBox::new(),
        };
        if let Some(name) = fed_as {
            // Nobody else has the session yet.
            let _ = session.more().fed_as.set(Box::new(name));
        }
        if let Some(headers) = headers {
            session.more().headers.get_or_init(|| Box::new(headers));
        }
        session
    }

    /// The session's number on this node.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The client's address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Brings the memory that a delivery needs into the processor's cache. Sessions lie apart: if several are asked one
    /// after the other, the processor fetches them together.
    #[inline]
    pub(crate) fn prefetch(&self) {
        // Reads that nothing needs, which the compiler must not leave out.
        black_box((self.last_activity.message_at(), self.channels.is_locked()));
        self.outbound.prefetch();
    }

    /// The client's identity, where it showed a token.
    #[must_use]
    pub fn identity(&self) -> Option<Arc<dyn Identity>> {
        let replaced = self.more.get().and_then(|more| more.identity.get());
        replaced.map(|identity| identity.lock().clone()).or_else(|| self.identity.as_deref().cloned())
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.kind.dialect
    }

    /// The time until the session has to be looked at, since it ends with the client's token, or a subscription does;
    /// `None`: it does not.
    #[inline]
    pub(crate) fn due_in(&self) -> Option<Duration> {
        if self.may_expire() {
            self.identity_due_in().into_iter().chain(self.subscription_due_in()).min()
        } else {
            None
        }
    }

    /// Whether the session may have a client's token, or a subscription that ends.
    #[inline]
    pub(crate) fn may_expire(&self) -> bool {
        self.identity.is_some() || self.more.get().is_some()
    }

    /// The time until the session ends with the client's token; `None`: it does not.
    pub(crate) fn expires_in(&self) -> Option<Duration> {
        self.left_with_grace(self.identity()?.expires_at()?)
    }

    /// As [`Session::expires_in`]; where the backend is to be asked again, the time until then.
    #[cold]
    fn identity_due_in(&self) -> Option<Duration> {
        let is_asked = self.more.get().is_some_and(|more| more.by_hook.waits_for_renewal());
        if is_asked { Some(left_until(self.identity()?.expires_at()?)) } else { self.expires_in() }
    }

    #[cold]
    fn subscription_due_in(&self) -> Option<Duration> {
        self.granted()?.next_due(self.expiry_grace()).map(left_until)
    }

    /// The time until a token that expires then does not count any more.
    fn left_with_grace(&self, expires_at: SystemTime) -> Option<Duration> {
        expires_at.checked_add(self.expiry_grace()).map(left_until)
    }

    /// How long the session, or a subscription, outlives its token.
    pub(crate) fn expiry_grace(&self) -> Duration {
        self.kind.connects.map_or(Duration::ZERO, |rules| rules.expiry_grace)
    }

    /// How far the session is. One without a connect command is connected from the beginning.
    pub(crate) fn phase(&self) -> Phase {
        match self.kind.connects {
            None => Phase::Connected,
            Some(_) => self.more.get().map_or(Phase::New, |more| more.phase.get()),
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.more().phase.set(phase);
    }

    /// Whether the session has ended. Its transport may still have to send the goodbye.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.channels.lock().ended.is_some()
    }

    /// Whether the client's commands are carried out: until the session ends. The publishes of a client that was sent
    /// away are carried out until its transport is given up.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        let is_ended = match self.channels.lock().reason() {
            None => return true,
            Some(reason) => !reason.sends_away(),
        };
        !is_ended && !self.flow().is_some_and(|flow| flow.is_over())
    }

    /// Whether the session ended for a reason that does not tell the client of a failed publish.
    pub(crate) fn cannot_be_told(&self) -> bool {
        let tells = |reason| matches!(reason, &Disconnect::PublishRefused | &Disconnect::PublishUnknown);
        self.channels.lock().reason().is_some_and(|reason| !tells(reason))
    }

    /// Whether the client was admitted.
    pub(crate) fn is_connection(&self) -> bool {
        self.traffic.lasted().is_some()
    }

    /// Ends the session's transport now, whatever is queued. The transport's reader sees the end.
    pub fn abort(&self) {
        self.outbound.abort();
        if let Some(flow) = self.flow() {
            flow.over();
        }
    }

    /// The transport's reader has ended: an aborted transport is dropped.
    pub fn let_go(&self) {
        self.outbound.let_go();
    }

    /// The client's messages and bytes until now.
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.traffic.received.get()
    }

    /// The messages and bytes to the client until now.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.outbound.sent()
    }

    /// The number of bytes that wait for the transport.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    pub(crate) fn has_several_channels(&self) -> bool {
        self.channels.lock().joined.len() > 1
    }

    /// Whether `matches` is true for a channel of the session.
    pub(crate) fn has_any(&self, matches: impl FnMut(&Channel) -> bool) -> bool {
        self.channels.lock().joined.iter().any(matches)
    }

    pub(crate) fn flow(&self) -> Option<&Arc<Flow>> {
        self.more.get()?.flow.get()
    }

    pub(crate) fn flow_or_new(&self) -> &Arc<Flow> {
        self.more().flow.get_or_init(|| Box::new(Arc::new(Flow::new(self.kind.connects.is_some()))))
    }

    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.more.get()?.pending.get()
    }

    pub(crate) fn pending_or_new(&self) -> &Pending {
        self.more().pending.get_or_init(Box::default)
    }

    pub(crate) fn held(&self) -> Option<&Held> {
        self.more.get()?.held.get()
    }

    pub(crate) fn held_or_new(&self) -> &Held {
        self.more().held.get_or_init(Box::default)
    }

    pub(crate) fn granted(&self) -> Option<&Granted> {
        self.more.get()?.granted.get()
    }

    pub(crate) fn granted_or_new(&self) -> &Granted {
        self.more().granted.get_or_init(Box::default)
    }

    pub(crate) fn told(&self) -> Option<&Told> {
        self.more.get()?.told.get()
    }

    pub(crate) fn told_or_new(&self) -> &Told {
        self.more().told.get_or_init(Box::default)
    }

    /// The secret name by which requests feed the session.
    pub(crate) fn fed_as(&self) -> Option<Arc<str>> {
        self.more.get()?.fed_as.get().cloned()
    }

    /// The headers of the handshake that the backend gets.
    pub(crate) fn headers(&self) -> Arc<[(String, String)]> {
        let headers = self.more.get().and_then(|more| more.headers.get());
        headers.cloned().unwrap_or_default()
    }

    /// Whether the backend named the client.
    pub(crate) fn is_by_hook(&self) -> bool {
        self.more.get().is_some_and(|more| more.by_hook.is_set())
    }

    /// Whether the backend is to be asked now whether the client may stay: `true` once, until
    /// [`Session::end_renewal`] or the next identity.
    pub(crate) fn begin_renewal(&self) -> bool {
        let Some(more) = self.more.get() else { return false };
        more.by_hook.waits_for_renewal()
            && self.identity_due_in() == Some(Duration::ZERO)
            && more.by_hook.begin_renewal()
    }

    /// The backend is not asked any more.
    pub(crate) fn end_renewal(&self) {
        if let Some(more) = self.more.get() {
            more.by_hook.end_renewal();
        }
    }

    /// Replaces the identity of the client. `is_by_hook`: the backend named it.
    pub(crate) fn replace_identity(&self, identity: Arc<dyn Identity>, is_by_hook: bool) {
        let replaced = &self.more().identity;
        if let Err(later) = replaced.set(Box::new(Mutex::new(identity)))
            && let Some(replaced) = replaced.get()
        {
            *replaced.lock() = later.into_inner();
        }
        self.more().by_hook.set(is_by_hook);
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }
}

/// The time until then; zero where it is over.
fn left_until(then: SystemTime) -> Duration {
    then.duration_since(SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        /// A size class of jemalloc.
        const CLASS: usize = 224;
        let counts_of_arc = 2 * size_of::<usize>();
        assert!(size_of::<Session>() + counts_of_arc <= CLASS, "{}", size_of::<Session>());
    }
}
