//! `[hooks]`: the operator's backend, which is asked about clients, and told about them.

use std::time::Duration;

use fanfare_auth::HmacSecret;
use fanfare_core::Hook;

use super::{
    mistake::Mistake,
    place::Sourced,
    raw::{Raw, RawNamespace},
};
use crate::ask::Target;

/// How the backend is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookConfig {
    targets: Vec<(Hook, Target)>,
    /// Signs questions; `None`: they are not signed.
    pub secret: Option<HmacSecret>,
    /// The most time of a question.
    pub timeout: Duration,
    /// The most questions that are under way.
    pub concurrency: usize,
    /// The most bytes of a message.
    pub message_bytes: usize,
}

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventConfig {
    /// The address.
    pub target: Target,
    /// Signs events; `None`: they are not signed.
    pub secret: Option<HmacSecret>,
    /// The most time of an attempt.
    pub timeout: Duration,
}

impl HookConfig {
    /// Where this kind of question is sent.
    #[must_use]
    pub fn target(&self, hook: Hook) -> Option<&Target> {
        self.targets.iter().find(|(known, _)| *known == hook).map(|(_, target)| target)
    }
}

/// `None` where the backend is asked nothing.
pub(super) fn hooks(raw: &Raw) -> Option<HookConfig> {
    let targets = [
        (Hook::Connect, &raw.hook_connect),
        (Hook::Refresh, &raw.hook_refresh),
        (Hook::Subscribe, &raw.hook_subscribe),
        (Hook::Publish, &raw.hook_publish),
        (Hook::Rpc, &raw.hook_rpc),
        (Hook::SubRefresh, &raw.hook_sub_refresh),
    ];
    let targets: Vec<_> =
        targets.into_iter().filter_map(|(hook, target)| Some((hook, target.value.clone()?))).collect();
    (!targets.is_empty()).then_some(HookConfig {
        targets,
        secret: raw.hook_secret.value.clone(),
        timeout: raw.hook_timeout.value,
        concurrency: raw.hook_concurrency.value,
        message_bytes: raw.message_bytes.value,
    })
}

/// `None` where the backend is told nothing.
pub(super) fn events(raw: &Raw) -> Option<EventConfig> {
    let (secret, timeout) = (raw.hook_secret.value.clone(), raw.hook_timeout.value);
    raw.hook_events.value.clone().map(|target| EventConfig { target, secret, timeout })
}

/// A namespace that asks needs an address to ask at, and one that tells an address to tell.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let missing = |switch: &Sourced<bool>, target: &Sourced<Option<Target>>, name: &str| {
        let wrong = switch.value && target.sound && target.value.is_none();
        wrong.then(|| Mistake {
            place: switch.place.clone(),
            key: format!("namespace.{name}_hook"),
            found: format!("true, without hooks.{name}"),
            allowed: format!("false, unless hooks.{name} is the address of a backend"),
            hint: Some(format!("nobody could {name}: add {name} under [hooks]")),
        })
    };
    let untold = |events: &Sourced<bool>| {
        let wrong = events.value && raw.hook_events.sound && raw.hook_events.value.is_none();
        wrong.then(|| Mistake {
            place: events.place.clone(),
            key: "namespace.events".into(),
            found: "true, without hooks.events".into(),
            allowed: "false, unless hooks.events is the address of a backend".into(),
            hint: Some("the events would wait for ever: add events under [hooks]".into()),
        })
    };
    namespaces
        .iter()
        .flat_map(|namespace| {
            [
                missing(&namespace.subscribe_hook, &raw.hook_subscribe, "subscribe"),
                missing(&namespace.publish_hook, &raw.hook_publish, "publish"),
                untold(&namespace.events),
            ]
        })
        .flatten()
        .collect()
}
