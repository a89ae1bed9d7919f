//! Rules that span several keys, and the way from what was configured to what the node runs with.

use fanfare_auth::{ApiKeys, OriginPolicy};
use fanfare_core::{Heartbeat, Limits, Namespace, Namespaces};

use super::{
    Config, Drain, Log, Runtime, auth, listeners,
    mistake::Mistake,
    place::{Place, Sourced},
    raw::{Raw, RawNamespace},
    units::{show_duration, show_size},
};

/// Everything that is wrong between keys.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let mut mistakes = listeners::check(raw, namespaces);
    mistakes.extend(
        [
            room(raw, "limits.unanswered_bytes", &raw.unanswered_bytes, 1),
            room(raw, "limits.outbound_bytes", &raw.outbound_bytes, 4),
            room(raw, "limits.inbound_bytes", &raw.inbound_bytes, 4),
        ]
        .into_iter()
        .flatten(),
    );
    mistakes.extend(grace(raw));
    mistakes.extend(repeated_namespaces(namespaces));
    mistakes.extend(auth::check(raw, namespaces));
    mistakes
}

/// A queue must have room for a message, or none of that size ever gets through.
fn room(raw: &Raw, key: &str, queue: &Sourced<usize>, messages: usize) -> Option<Mistake> {
    let least = messages * raw.message_bytes.value;
    let wrong =
        queue.place != Place::Default && queue.sound && raw.message_bytes.sound && queue.value < least;
    wrong.then(|| Mistake {
        place: queue.place.clone(),
        key: key.into(),
        found: format!("\"{}\"", show_size(queue.value)),
        allowed: format!(
            "at least \"{}\", {messages} × limits.message_bytes (\"{}\", {})",
            show_size(least),
            show_size(raw.message_bytes.value),
            raw.message_bytes.place
        ),
        hint: Some("without this key it is as large as it must be".into()),
    })
}

/// After the grace there must be time to send the clients away.
fn grace(raw: &Raw) -> Option<Mistake> {
    let (grace, timeout) = (&raw.drain_grace, &raw.drain_timeout);
    let wrong = grace.sound && timeout.sound && grace.value >= timeout.value;
    wrong.then(|| Mistake {
        place: grace.place.clone(),
        key: "drain.grace".into(),
        found: format!("\"{}\"", show_duration(grace.value)),
        allowed: format!("less than drain.timeout (\"{}\", {})", show_duration(timeout.value), timeout.place),
        hint: Some("clients are sent away in the time between the two".into()),
    })
}

fn repeated_namespaces(namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let mistake = |(at, namespace): (usize, &RawNamespace)| {
        let earlier = namespaces.iter().take(at).find(|earlier| {
            earlier.name.sound && namespace.name.sound && earlier.name.value == namespace.name.value
        })?;
        Some(Mistake {
            place: namespace.name.place.clone(),
            key: "namespace.name".into(),
            found: format!("{:?} once more", namespace.name.value),
            allowed: "each name once".into(),
            hint: Some(format!("the first is at {}", earlier.name.place)),
        })
    };
    namespaces.iter().enumerate().filter_map(mistake).collect()
}

/// What the node runs with, from what has no mistakes.
pub(super) fn config(raw: &Raw, namespaces: &[RawNamespace]) -> Config {
    let origins = values(&raw.origins.value);
    let api_keys = ApiKeys::new(values(&raw.api_keys.value));
    let dev = raw.dev.value;
    Config {
        listen: values(&raw.listen.value),
        api_listen: values(&raw.api_listen.value),
        metrics_listen: values(&raw.metrics_listen.value),
        dev,
        broker: raw.broker.value.clone().with_prefix(raw.redis_prefix.value.clone()),
        node: raw.node_name.value.clone(),
        api_keys: if dev { api_keys.allow_without() } else { api_keys },
        auth: auth::auth(raw),
        origins: if dev { OriginPolicy::dev(origins) } else { OriginPolicy::new(origins) },
        deflate: raw.deflate.value,
        relay: Heartbeat {
            ping_interval: raw.relay_ping_interval.value,
            pong_timeout: raw.relay_pong_timeout.value,
            idle_timeout: raw.relay_idle_timeout.value,
        },
        limits: limits(raw),
        drain: Drain {
            rate: u32::try_from(raw.drain_rate.value).unwrap_or(u32::MAX),
            grace: raw.drain_grace.value,
            timeout: raw.drain_timeout.value,
        },
        runtime: Runtime { workers: raw.workers.value, shards: raw.shards.value },
        log: Log { level: raw.log_level.value, format: raw.log_format.value },
        namespaces: all_namespaces(namespaces),
    }
}

fn limits(raw: &Raw) -> Limits {
    Limits {
        message_bytes: raw.message_bytes.value,
        channels_per_connection: raw.channels_per_connection.value,
        unanswered_publishes: raw.unanswered_publishes.value,
        unanswered_bytes: raw.unanswered_bytes.value,
        outbound_bytes: raw.outbound_bytes.value,
        inbound_bytes: raw.inbound_bytes.value,
        handshake: raw.handshake.value,
        goodbye: raw.goodbye.value,
        publish_wait: raw.publish_wait.value,
    }
}

fn all_namespaces(namespaces: &[RawNamespace]) -> Namespaces {
    let namespace = |raw: &RawNamespace| Namespace {
        name: raw.name.value.clone(),
        subscribe: raw.subscribe.value,
        publish: raw.publish.value,
        echo: raw.echo.value,
        on_interruption: raw.on_interruption.value,
    };
    let (named, default): (Vec<_>, Vec<_>) =
        namespaces.iter().map(namespace).partition(|namespace| !namespace.name.is_empty());
    Namespaces::new(default.into_iter().next().unwrap_or_default(), named)
}

fn values<T: Clone>(sourced: &[Sourced<T>]) -> Vec<T> {
    sourced.iter().map(|item| item.value.clone()).collect()
}
