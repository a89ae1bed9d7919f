//! Rules between keys, and the configuration that the keys give.

use fanfare_auth::{ApiKeys, OriginPolicy};
use fanfare_core::{Heartbeat, Limits, Namespace, Namespaces, RecoveryMode, Retention, SlowClient};
use fanfare_gateway::{AdmissionLimits, Proxies, ProxyProtocol};

use super::{
    Config, Drain, Log, Runtime, auth, cluster, hooks, listeners,
    mistake::Mistake,
    place::{Place, Sourced},
    raw::{Raw, RawNamespace},
    sentinels,
    shape::{show_duration, show_size},
    tls, tracing,
};

/// The mistakes between keys.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let mut mistakes = listeners::check(raw, namespaces);
    mistakes.extend(
        [
            covers_messages(raw, "limits.unanswered_bytes", &raw.unanswered_bytes, 1),
            covers_messages(raw, "limits.outbound_bytes", &raw.outbound_bytes, 4),
            covers_messages(raw, "limits.inbound_bytes", &raw.inbound_bytes, 4),
            covers_messages(raw, "limits.incomplete_total_bytes", &raw.incomplete_total_bytes, 2),
        ]
        .into_iter()
        .flatten(),
    );
    mistakes.extend(grace(raw));
    mistakes.extend(proxies(raw));
    mistakes.extend(total_covers_one(raw));
    mistakes.extend(repeated_namespaces(namespaces));
    mistakes.extend(namespaces.iter().filter_map(news_without_presence));
    mistakes.extend(namespaces.iter().flat_map(recovery_and_delta).flatten());
    mistakes.extend(auth::check(raw, namespaces));
    mistakes.extend(hooks::check(raw, namespaces));
    mistakes.extend(tls::check(raw));
    mistakes.extend(sentinels::check(raw));
    mistakes.extend(cluster::check(raw));
    mistakes.extend(tracing::check(raw));
    mistakes
}

/// A queue that is too small for a message would never pass it.
fn covers_messages(raw: &Raw, key: &str, queue: &Sourced<usize>, messages: usize) -> Option<Mistake> {
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

/// The clients are sent away in the time between the grace and the timeout.
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

/// One of the two keys alone would do nothing.
fn proxies(raw: &Raw) -> Option<Mistake> {
    let (trusted, protocol) = (&raw.trusted_proxies, &raw.proxy_protocol);
    let mistake = |place: &Place, key: &str, found: &str, allowed: &str| {
        Some(Mistake {
            place: place.clone(),
            key: key.into(),
            found: found.into(),
            allowed: allowed.into(),
            hint: Some(
                "trusted names the proxies that are believed, protocol how they tell a client's address"
                    .into(),
            ),
        })
    };
    match (trusted.value.is_empty(), protocol.value) {
        _ if !(trusted.sound && protocol.sound) => None,
        (false, ProxyProtocol::None) => mistake(
            &trusted.place,
            "proxies.trusted",
            "trusted proxies, without proxies.protocol",
            "none, unless proxies.protocol is \"proxy\" or \"x-forwarded-for\"",
        ),
        (true, ProxyProtocol::Proxy | ProxyProtocol::ForwardedFor) => mistake(
            &protocol.place,
            "proxies.protocol",
            "a protocol, without proxies.trusted",
            "\"none\", unless there are addresses in proxies.trusted",
        ),
        (true, ProxyProtocol::None) | (false, _) => None,
    }
}

/// The bound for all connections is at least as large as the bound for one.
fn total_covers_one(raw: &Raw) -> Option<Mistake> {
    let (total, one) = (&raw.outbound_total_bytes, &raw.outbound_bytes);
    let wrong = total.place != Place::Default && total.sound && one.sound && total.value < one.value;
    wrong.then(|| Mistake {
        place: total.place.clone(),
        key: "limits.outbound_total_bytes".into(),
        found: format!("\"{}\"", show_size(total.value)),
        allowed: format!("at least limits.outbound_bytes (\"{}\", {})", show_size(one.value), one.place),
        hint: Some("without this key it is as large as it must be".into()),
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

/// A client that is not in a list cannot leave it.
fn news_without_presence(namespace: &RawNamespace) -> Option<Mistake> {
    let (join_leave, presence) = (&namespace.join_leave, &namespace.tracks_presence);
    let wrong = join_leave.value && presence.sound && !presence.value;
    wrong.then(|| Mistake {
        place: join_leave.place.clone(),
        key: "namespace.join_leave".into(),
        found: "true, without track_presence".into(),
        allowed: "false, unless the namespace has track_presence = true".into(),
        hint: Some("joins and leaves are told of clients that are listed: add track_presence = true".into()),
    })
}

/// Nothing is recovered, and nothing differs from the message before, where no message is kept. A client that skips
/// messages cannot apply differences.
fn recovery_and_delta(namespace: &RawNamespace) -> [Option<Mistake>; 3] {
    let RawNamespace { recovery, delta, history_size, slow_client, .. } = namespace;
    let keeps_nothing = history_size.sound && history_size.value == 0;
    let conflates = slow_client.sound && slow_client.value == SlowClient::Conflate;
    let mistake = |place: &Place, key: &str, found: &str, allowed: &str, hint: &str| Mistake {
        place: place.clone(),
        key: key.into(),
        found: found.into(),
        allowed: allowed.into(),
        hint: Some(hint.into()),
    };
    [
        (recovery.value == RecoveryMode::Cache && keeps_nothing).then(|| {
            let allowed = "\"stream\", unless the namespace has a history_size";
            let hint = "a client gets the newest message that is kept: add history_size = 1, or more";
            mistake(&recovery.place, "namespace.recovery", "\"cache\", without history_size", allowed, hint)
        }),
        (delta.value && keeps_nothing).then(|| {
            let allowed = "false, unless the namespace has a history_size";
            let hint =
                "a difference is to the message before, which has to be known: add history_size = 1, or more";
            mistake(&delta.place, "namespace.delta", "true, without history_size", allowed, hint)
        }),
        (delta.value && conflates).then(|| {
            let allowed = "false, unless the namespace has slow_client = \"disconnect\"";
            let hint = "a client that skips messages cannot apply a difference to the message before";
            mistake(&delta.place, "namespace.delta", "true, with slow_client = \"conflate\"", allowed, hint)
        }),
    ]
}

/// The configuration of keys without mistakes.
pub(super) fn config(raw: &Raw, namespaces: &[RawNamespace]) -> Config {
    let origins = values(&raw.origins.value);
    let api_keys = ApiKeys::new(values(&raw.api_keys.value));
    let dev = raw.dev.value;
    Config {
        listeners: listeners::listeners(raw),
        dev,
        broker: raw
            .broker
            .value
            .clone()
            .with_prefix(&raw.redis_prefix.value)
            .with_sentinel_login(&sentinels::login(raw))
            .with_tls(&tls::of_redis(raw)),
        node: raw.node_name.value.clone(),
        advertise: raw.advertise.value.clone(),
        api_keys: if dev { api_keys.allow_without() } else { api_keys },
        auth: auth::auth(raw),
        origins: if dev { OriginPolicy::dev(origins) } else { OriginPolicy::new(origins) },
        admission: admission(raw),
        proxies: Proxies { trusted: values(&raw.trusted_proxies.value), protocol: raw.proxy_protocol.value },
        browser_errors: raw.browser_errors.value,
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
        log: Log {
            level: raw.log_level.value,
            format: raw.log_format.value,
            lines_per_second: raw.log_lines.value,
        },
        tracing: tracing::tracing(raw),
        hooks: hooks::hooks(raw),
        events: hooks::events(raw),
        hook_headers: values(&raw.hook_headers.value),
        namespaces: all_namespaces(namespaces),
    }
}

fn admission(raw: &Raw) -> AdmissionLimits {
    AdmissionLimits {
        connections: raw.connections.value,
        connections_per_address: raw.connections_per_address.value,
        connections_per_second: raw.connections_per_second.value,
        header_count: raw.header_count.value,
        header_bytes: raw.header_bytes.value,
        keep_alive: raw.keep_alive.value,
    }
}

fn limits(raw: &Raw) -> Limits {
    Limits {
        message_bytes: raw.message_bytes.value,
        message_time: raw.message_time.value,
        incomplete_total_bytes: raw.incomplete_total_bytes.value,
        frames_per_second: raw.frames_per_second.value,
        bytes_per_second: raw.bytes_per_second.value,
        channels_per_connection: raw.channels_per_connection.value,
        unanswered_publishes: raw.unanswered_publishes.value,
        unanswered_bytes: raw.unanswered_bytes.value,
        outbound_bytes: raw.outbound_bytes.value,
        outbound_total_bytes: raw.outbound_total_bytes.value,
        inbound_bytes: raw.inbound_bytes.value,
        history_bytes: raw.history_bytes.value,
        handshake: raw.handshake.value,
        goodbye: raw.goodbye.value,
        publish_wait: raw.publish_wait.value,
    }
}

fn all_namespaces(namespaces: &[RawNamespace]) -> Namespaces {
    let namespace = |raw: &RawNamespace| Namespace {
        name: raw.name.value.clone(),
        channel_regex: raw.channel_regex.value.clone(),
        subscribe: raw.subscribe.value,
        publish: raw.publish.value,
        subscribe_hook: raw.subscribe_hook.value,
        publish_hook: raw.publish_hook.value,
        echo: raw.echo.value,
        retention: retention(raw),
        history: raw.history.value,
        recovery: raw.recovery.value,
        delta: raw.delta.value,
        tracks_presence: raw.tracks_presence.value,
        presence: raw.presence.value,
        presence_grace: raw.presence_grace.value,
        join_leave: raw.join_leave.value,
        events: raw.events.value,
        slow_client: raw.slow_client.value,
        on_interruption: raw.on_interruption.value,
    };
    let (named, default): (Vec<_>, Vec<_>) =
        namespaces.iter().map(namespace).partition(|namespace| !namespace.name.is_empty());
    Namespaces::new(default.into_iter().next().unwrap_or_default(), named)
}

fn retention(raw: &RawNamespace) -> Option<Retention> {
    let size = u32::try_from(raw.history_size.value).unwrap_or(u32::MAX);
    (size > 0).then_some(Retention { size, ttl: raw.history_ttl.value })
}

fn values<T: Clone>(sourced: &[Sourced<T>]) -> Vec<T> {
    sourced.iter().map(|item| item.value.clone()).collect()
}
