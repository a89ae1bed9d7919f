//! Rules about the addresses of listeners.
//!
//! | list | may be beyond loopback |
//! |---|---|
//! | `listen` | with `open = true`, or if every channel needs a token |
//! | `api.listen` | always: each call shows a key |
//! | `metrics.listen` | always: the list itself is the decision, and these listeners serve nothing else |
//!
//! Under `--dev` every address is a loopback address. An address may be in several lists: it has the role of each.

use fanfare_core::Access;
use fanfare_gateway::Role;

use super::{
    ListenerConfig,
    mistake::Mistake,
    place::Sourced,
    raw::{Raw, RawNamespace},
    tls,
    words::Listen,
};

type Addresses = Sourced<Vec<Sourced<Listen>>>;

/// All mistakes in addresses.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let mut mistakes = reach(raw, namespaces);
    mistakes.extend(without_keys(raw));
    for (role, list) in lists(raw) {
        mistakes.extend(repeated(role.key(), list));
    }
    mistakes
}

/// The listeners, from values without mistakes.
pub(super) fn listeners(raw: &Raw) -> Vec<ListenerConfig> {
    let listener = |(role, list): (Role, &Addresses)| ListenerConfig {
        role,
        addresses: list.value.iter().map(|listen| listen.value).collect(),
        tls: tls::terms(raw, role),
    };
    lists(raw).into_iter().map(listener).collect()
}

/// The addresses of each role.
fn lists(raw: &Raw) -> [(Role, &Addresses); 3] {
    [(Role::Clients, &raw.listen), (Role::Api, &raw.api_listen), (Role::Metrics, &raw.metrics_listen)]
}

/// Addresses beyond loopback, unless `open = true` or every client needs a token.
fn reach(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    if !(raw.dev.sound && raw.open.sound) {
        return Vec::new();
    }
    let (lists, allowed, hint) = if raw.dev.value {
        (
            &lists(raw)[..],
            "loopback addresses only, under --dev",
            "--dev lets in pages from disk and needs no API key: without it, and with open = true, others may come",
        )
    } else if raw.open.value || is_closed(namespaces) {
        return Vec::new();
    } else {
        (
            &[(Role::Clients, &raw.listen)][..],
            "loopback addresses only, unless open = true, or no namespace is anonymous",
            "every client that reaches this address may connect: write open = true if that is meant, or let the default \
             namespace and all others ask for a token",
        )
    };
    let sound = lists.iter().filter(|(_, list)| list.sound);
    let each = sound.flat_map(|(role, list)| list.value.iter().map(move |listen| (role.key(), listen)));
    let beyond = each.filter(|(_, listen)| !listen.value.is_loopback());
    beyond.map(|(key, listen)| of_listener(key, listen, allowed, hint)).collect()
}

/// Whether every channel needs a token.
fn is_closed(namespaces: &[RawNamespace]) -> bool {
    let is_open = |access: &Sourced<Access>| access.value == Access::Anonymous;
    let mut open = namespaces.iter().filter(|one| is_open(&one.subscribe) || is_open(&one.publish));
    open.next().is_none() && namespaces.iter().any(|namespace| namespace.name.value.is_empty())
}

/// An API with listeners and without keys: it would refuse every call.
fn without_keys(raw: &Raw) -> Option<Mistake> {
    let listen = raw.api_listen.value.first()?;
    let has_none = raw.api_keys.sound && raw.api_keys.value.is_empty() && raw.dev.sound && !raw.dev.value;
    has_none.then(|| of_listener(Role::Api.key(), listen, "this key together with api.keys", NO_KEYS))
}

const NO_KEYS: &str = "without keys nobody may call the API";

fn repeated(key: &'static str, list: &Addresses) -> impl Iterator<Item = Mistake> {
    let addresses = |listen: &Sourced<Listen>| listen.value.addresses();
    let repeated = list.value.iter().enumerate().filter(move |(at, listen)| {
        let mut earlier = list.value.iter().take(*at).flat_map(addresses);
        earlier.any(|earlier| earlier.port() != 0 && addresses(listen).contains(&earlier))
    });
    repeated.map(move |(_, listen)| {
        of_listener(key, listen, "each address once", "localhost is 127.0.0.1 and [::1]")
    })
}

fn of_listener(key: &str, listen: &Sourced<Listen>, allowed: &str, hint: &str) -> Mistake {
    Mistake {
        place: listen.place.clone(),
        key: key.into(),
        found: format!("\"{}\"", listen.value),
        allowed: allowed.into(),
        hint: Some(hint.into()),
    }
}
