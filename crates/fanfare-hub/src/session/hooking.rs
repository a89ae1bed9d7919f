//! The hooks of the operator's backend, and the clients that it named.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fanfare_core::{
    Action, Capability, Channel, CommandError, Disconnect, Hook, HookRefusal, Hooks, Identity,
    hooks::{ConnectAnswer, HookClient},
};

use crate::session::{attendance::Attendance, refusal::Refusal, state::Session};

/// The hooks of the moment.
pub struct Hooking {
    hooks: ArcSwap<Option<Arc<dyn Hooks>>>,
    attendance: Arc<Attendance>,
}

impl Hooking {
    pub(crate) fn new(attendance: Arc<Attendance>) -> Self {
        Self { hooks: ArcSwap::default(), attendance }
    }

    /// From now on these hooks are asked; `None`: the backend is not asked. Questions that are under way are answered by
    /// the hooks that were asked.
    pub fn ask_by(&self, hooks: Option<Arc<dyn Hooks>>) {
        self.hooks.store(Arc::new(hooks));
    }

    /// The hooks, where they answer this kind of question.
    pub(crate) fn of(&self, hook: Hook) -> Option<Arc<dyn Hooks>> {
        let hooks = self.hooks.load();
        hooks.as_ref().as_ref().filter(|hooks| hooks.has(hook)).cloned()
    }

    /// A session's client, as the backend sees it.
    pub(crate) fn client(&self, session: &Session) -> HookClient {
        let identity = session.identity();
        let identity = identity.as_deref();
        HookClient {
            client: self.attendance.client(session),
            protocol: session.dialect().format(),
            transport: session.kind.transport,
            user: identity.and_then(Identity::subject).unwrap_or_default().to_owned(),
            meta: identity.and_then(Identity::meta),
            headers: session.headers(),
        }
    }
}

impl From<HookRefusal> for Refusal {
    fn from(refusal: HookRefusal) -> Self {
        match refusal {
            HookRefusal::Error(error) => Self::Fails(error.into()),
            HookRefusal::Disconnect(frame) => Self::Ends(Disconnect::ByServer(frame)),
            HookRefusal::Unavailable => Self::unavailable(),
        }
    }
}

impl Refusal {
    /// The backend cannot be asked.
    pub(crate) fn unavailable() -> Self {
        Self::Fails(CommandError::Unavailable("the backend that decides about it does not answer".into()))
    }
}

/// A client that the backend named when it connected.
pub(crate) struct HookIdentity {
    user: Option<String>,
    info: Option<Bytes>,
    meta: Option<Bytes>,
    expires_at: Option<SystemTime>,
    /// When the client connected: revocations of before are not meant for it.
    named_at: SystemTime,
    channels: Vec<Channel>,
    capabilities: Vec<Capability>,
}

impl HookIdentity {
    pub(crate) fn new(answer: &ConnectAnswer) -> Self {
        Self {
            user: Some(answer.user.clone()).filter(|user| !user.is_empty()),
            info: answer.info.clone(),
            meta: answer.meta.clone(),
            expires_at: answer.expires_at,
            named_at: SystemTime::now(),
            channels: answer.subscriptions.iter().map(|(channel, _)| channel.clone()).collect(),
            capabilities: answer.capabilities.clone(),
        }
    }
}

impl Identity for HookIdentity {
    fn subject(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn issued_at(&self) -> Option<SystemTime> {
        Some(self.named_at)
    }

    fn info(&self) -> Option<Bytes> {
        self.info.clone()
    }

    fn meta(&self) -> Option<Bytes> {
        self.meta.clone()
    }

    fn subscriptions(&self) -> &[Channel] {
        &self.channels
    }

    fn may_use(&self, channel: &Channel) -> bool {
        self.channels.contains(channel)
    }

    fn allows(&self, channel: &Channel, action: Action) -> bool {
        self.capabilities.iter().any(|capability| capability.allows(channel, action))
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}
