//! `[hooks]`: the operator's backend, which is asked about clients.

use std::time::Duration;

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
    /// The most time of a question.
    pub timeout: Duration,
    /// The most questions that are under way.
    pub concurrency: usize,
    /// The most bytes of a message.
    pub message_bytes: usize,
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
        timeout: raw.hook_timeout.value,
        concurrency: raw.hook_concurrency.value,
        message_bytes: raw.message_bytes.value,
    })
}

/// A namespace that asks needs an address to ask at.
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
    namespaces
        .iter()
        .flat_map(|namespace| {
            [
                missing(&namespace.subscribe_hook, &raw.hook_subscribe, "subscribe"),
                missing(&namespace.publish_hook, &raw.hook_publish, "publish"),
            ]
        })
        .flatten()
        .collect()
}
