//! Every key, once: path, flag, variable, meaning, type, shape, default.
//!
//! Invariant: no other place declares a key. The file, the environment, the command line, `fanfare config` and the
//! documentation take the keys from here.

use std::time::Duration;

use fanfare_auth::{
    AllowedOrigin, ApiKey, HmacAlgorithm, HmacSecret, RsaAlgorithm, TokenPolicy, TokenSource,
};
use fanfare_broker::{BrokerConfig, Prefix, Secret};
use fanfare_core::{Access, ChannelRegex, Heartbeat, Limits, OnInterruption, RecoveryMode, SlowClient};
use fanfare_gateway::{ProxyProtocol, connections_for};
use fanfare_hub::dispatcher::MAX_SHARDS;
use ipnet::IpNet;
use tracing::level_filters::LevelFilter;

use crate::ask::Target;

use super::{
    Facts, LogFormat,
    auth::words::{COOKIE, EXPECTED, HMAC_ALGORITHM, HMAC_SECRET, PUBLIC_KEY, PublicKeyFile, RSA_ALGORITHM},
    broker::{Broker, SENTINEL_PASSWORD, SENTINEL_USER},
    choices::{
        ACCESS, CHANNEL_ACCESS, FORMAT, LEVEL, ON_INTERRUPTION, PROXY_PROTOCOL, RECOVERY, SLOW_CLIENT,
    },
    declare::{Applies, Key, Line, Reader, keys},
    place::{Sourced, Value},
    shape::{Count, List, Shape, Size, Span, Switch},
    tls::words::{CA, CERT, CertFile, KEY, KeyFile},
    tracing::words::{
        ENDPOINT, Endpoint, HEADER, PROTOCOL, Ratio, SERVICE_NAME, TracingHeader, TracingProtocol,
    },
    words::{
        ADVERTISE, API_KEY, CHANNEL_REGEX, HOOK_HEADER, HOOK_SECRET, HOOK_URL, JWKS_URL, LISTEN, Listen,
        NAMESPACE, NETWORK, NODE, ORIGIN, PREFIX,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// More descriptors than any process has.
const CONNECTIONS: usize = 16 << 20;

keys! {
    /// The configured values, before the rules between keys.
    pub struct Raw(facts: &Facts) {
        /// The addresses to listen on. `localhost:8080` is 127.0.0.1 and, if the machine has IPv6, `[::1]`.
        listen: Vec<Sourced<Listen>> = "listen" as "--listen" "FANFARE_LISTEN",
            List { item: LISTEN, min: 1 }, or vec![Sourced::by_default(Listen::Localhost(8080))];
        /// For development on this machine: listens on loopback addresses only, accepts pages opened from disk and
        /// from any port of localhost, and needs no API key.
        dev: bool = "dev" as "--dev" "FANFARE_DEV", Switch, or false;
        /// Lets everybody connect who reaches the listeners. It is needed to listen beyond loopback, unless no
        /// namespace is anonymous.
        open: bool = "open", Switch, or false, reloaded AtOnce;
        /// Whether a page is told why its WebSocket is refused (origin, token or channel). A browser shows its page
        /// only code 1006. So the handshake is accepted, and the connection closed at once with 4000 plus the HTTP
        /// status (4401, 4403) and the reason. The default is true under --dev.
        browser_errors: bool = "browser_errors", Switch, or dev.value, reloaded ToNew;
        /// The broker that carries messages between nodes: "memory" for a single node, the URL of a Redis or of a Redis
        /// Cluster, or a list of several, which share the channels (docs/redis.md).
        broker: BrokerConfig = "broker" as "--broker" "FANFARE_BROKER", Broker, or BrokerConfig::Memory;
        /// The name of this node, for people. The default is the name of the host, "dev" under --dev.
        node_name: String = "node.name" as "--node" "FANFARE_NODE", NODE,
            or if dev.value { "dev".into() } else { facts.hostname.clone() };
        /// The URL of this node's metrics that other nodes and `fanfare top` are told. The default is the address of
        /// the listener; for a wildcard such as 0.0.0.0 it is the address by which this machine reaches Redis.
        advertise: Option<Target> = "node.advertise", ADVERTISE, or None;
        /// The prefix of each channel and key in Redis. Nodes of one cluster share it.
        redis_prefix: Prefix = "redis.prefix", PREFIX, or Prefix::default();
        /// The authorities that may sign the certificate of Redis, for a broker with rediss://. Without it, those
        /// that this machine trusts.
        redis_ca: Option<CertFile> = "redis.ca", CA, or None;
        /// The certificate that this node shows Redis, if it asks for one.
        redis_client_cert: Option<CertFile> = "redis.client_cert", CERT, or None;
        /// The private key of `redis.client_cert`.
        redis_client_key: Option<KeyFile> = "redis.client_key", KEY, or None;
        /// The ACL user for Sentinels, for a broker with redis+sentinel://. The user and the password in its URL are for the
        /// servers.
        sentinel_user: Option<String> = "redis.sentinel_user", SENTINEL_USER, or None;
        /// The password for Sentinels.
        sentinel_password: Option<Secret> = "redis.sentinel_password", SENTINEL_PASSWORD, or None;
        /// The keys of the HTTP API. With several, one can be replaced while the others still work.
        api_keys: Vec<Sourced<ApiKey>> = "api.keys", List { item: API_KEY, min: 0 },
            or Vec::new(), reloaded AtOnce;
        /// Addresses for the HTTP API, which then answers only there. They may be beyond loopback without open =
        /// true, because each call shows a key. Without them the API answers on all of `listen`.
        api_listen: Vec<Sourced<Listen>> = "api.listen", List { item: LISTEN, min: 0 }, or Vec::new();
        /// The certificate for `api.listen`, which then speaks only TLS. `tls.cert` says the rest.
        api_tls_cert: Option<CertFile> = "api.tls_cert", CERT, or None, reloaded ToNew;
        /// The private key of `api.tls_cert`.
        api_tls_key: Option<KeyFile> = "api.tls_key", KEY, or None, reloaded ToNew;
        /// The authorities that may sign the certificates of callers. Nobody without such a certificate may connect
        /// to `api.listen` (mutual TLS). Each call shows a key too.
        api_client_ca: Option<CertFile> = "api.client_ca", CA, or None, reloaded ToNew;
        /// Addresses for the metrics, which are then only there, for everybody who reaches them. Without them the
        /// metrics are on all of `listen`.
        metrics_listen: Vec<Sourced<Listen>> = "metrics.listen", List { item: LISTEN, min: 0 }, or Vec::new();
        /// The certificate for `listen`, with those that lead to its root. With it, clients connect by wss:// and
        /// https:// only. The file is read again when it changes.
        tls_cert: Option<CertFile> = "tls.cert", CERT, or None, reloaded ToNew;
        /// The private key of `tls.cert`.
        tls_key: Option<KeyFile> = "tls.key", KEY, or None, reloaded ToNew;
        /// Secrets that sign the tokens of clients (JWT), used as text and not decoded. With several, one can be
        /// replaced while the others still work.
        hmac_secrets: Vec<Sourced<HmacSecret>> = "auth.hmac_secrets",
            List { item: HMAC_SECRET, min: 0 }, or Vec::new(), reloaded ToNew;
        /// The algorithm of `auth.hmac_secrets`.
        hmac_algorithm: HmacAlgorithm = "auth.hmac_algorithm", HMAC_ALGORITHM,
            or HmacAlgorithm::default(), reloaded ToNew;
        /// Public keys that verify the tokens of clients, each in a file: RSA, P-256 (ES256), P-384 (ES384) or
        /// Ed25519 (EdDSA). With `KID=` before the path, a key is not tried for tokens that name another key.
        public_keys: Vec<Sourced<PublicKeyFile>> = "auth.public_keys",
            List { item: PUBLIC_KEY, min: 0 }, or Vec::new(), reloaded ToNew;
        /// The algorithm of the RSA keys among `auth.public_keys`, and of those at `auth.jwks_url` that name none.
        rsa_algorithm: RsaAlgorithm = "auth.rsa_algorithm", RSA_ALGORITHM,
            or RsaAlgorithm::default(), reloaded ToNew;
        /// The address of a JWKS with further keys: RSA, P-256, P-384 and Ed25519 keys, as identity providers publish
        /// them. It is read at the start, every five minutes, and when a token names an unknown key, at most every ten
        /// seconds. While it does not answer, the last keys are used.
        jwks_url: Option<Target> = "auth.jwks_url", JWKS_URL, or None;
        /// The audience that tokens must have (`aud`). Without it, tokens that have an `aud` are refused.
        audience: Option<String> = "auth.audience", EXPECTED, or None, reloaded ToNew;
        /// The issuer that tokens must have (`iss`). Without it, the issuer is not checked.
        issuer: Option<String> = "auth.issuer", EXPECTED, or None, reloaded ToNew;
        /// How far the clocks of issuer and server may be apart.
        leeway: Duration = "auth.leeway", Span { min: Duration::ZERO, max: 5 * MINUTE },
            or TokenPolicy::LEEWAY, reloaded ToNew;
        /// The cookie that may carry a token.
        cookie: TokenSource = "auth.cookie", COOKIE, or TokenSource::default(), reloaded ToNew;
        /// The address at which your backend says who a client is that connects without a token, by the protocol of
        /// Centrifugo. The hooks are for clients of that protocol; the plain WebSocket has none.
        hook_connect: Option<Target> = "hooks.connect", HOOK_URL, or None, reloaded AtOnce;
        /// Where it says whether such a client may stay when its time (`expire_at`) is over.
        hook_refresh: Option<Target> = "hooks.refresh", HOOK_URL, or None, reloaded AtOnce;
        /// Where it says who may subscribe, in namespaces with subscribe_hook.
        hook_subscribe: Option<Target> = "hooks.subscribe", HOOK_URL, or None, reloaded AtOnce;
        /// Where it says who may publish and what, in namespaces with publish_hook.
        hook_publish: Option<Target> = "hooks.publish", HOOK_URL, or None, reloaded AtOnce;
        /// Where it answers the calls (RPC) of clients.
        hook_rpc: Option<Target> = "hooks.rpc", HOOK_URL, or None, reloaded AtOnce;
        /// Where it says whether a subscription may stay when its time (`expire_at`) is over.
        hook_sub_refresh: Option<Target> = "hooks.sub_refresh", HOOK_URL, or None, reloaded AtOnce;
        /// Where your backend is told what clients do: connections of such clients that ended, and what happens in
        /// namespaces with `events`. Batches of events are sent until it answers with a status 2xx.
        hook_events: Option<Target> = "hooks.events", HOOK_URL, or None, reloaded AtOnce;
        /// A secret that signs what the backend gets (header `Fanfare-Signature`), used as text and not decoded. Without
        /// it, nothing is signed.
        hook_secret: Option<HmacSecret> = "hooks.secret", HOOK_SECRET, or None, reloaded AtOnce;
        /// How long the backend may take to answer. Then the client gets error 100, and may try again.
        hook_timeout: Duration = "hooks.timeout", Span { min: SECOND / 100, max: MINUTE },
            or SECOND, reloaded AtOnce;
        /// How many questions of this node may be under way. Others wait, within hooks.timeout.
        hook_concurrency: usize = "hooks.concurrency", Count { min: 1, max: 65_536 }, or 256, reloaded AtOnce;
        /// The headers of a client's handshake that the backend gets with each question.
        hook_headers: Vec<Sourced<String>> = "hooks.headers", List { item: HOOK_HEADER, min: 0 },
            or Vec::new(), reloaded ToNew;
        /// Origins whose pages may connect, besides the pages of this server's own host.
        origins: Vec<Sourced<AllowedOrigin>> = "origins.allow",
            List { item: ORIGIN, min: 0 }, or Vec::new(), reloaded ToNew;
        /// Addresses and networks of the proxies that tell a client's address. Others are not believed.
        trusted_proxies: Vec<Sourced<IpNet>> = "proxies.trusted", List { item: NETWORK, min: 0 },
            or Vec::new(), reloaded ToNew;
        /// How the trusted proxies tell a client's address. "proxy" is the PROXY protocol, version 1 or 2: each of
        /// their connections must begin with it. "x-forwarded-for" is the header: its right-most address counts that
        /// is not a trusted proxy's.
        proxy_protocol: ProxyProtocol = "proxies.protocol", PROXY_PROTOCOL,
            or ProxyProtocol::None, reloaded ToNew;
        /// Whether messages are compressed for clients that support it (permessage-deflate). It costs CPU.
        deflate: bool = "websocket.deflate", Switch, or false, reloaded ToNew;
        /// How often a client of the relay is pinged.
        relay_ping_interval: Duration = "relay.ping_interval",
            Span { min: SECOND, max: 60 * MINUTE }, or Heartbeat::default().ping_interval, reloaded ToNew;
        /// How long a client of the relay may be silent after a ping before its connection is dropped.
        relay_pong_timeout: Duration = "relay.pong_timeout",
            Span { min: SECOND, max: 60 * MINUTE }, or Heartbeat::default().pong_timeout, reloaded ToNew;
        /// How long a client of the relay may neither send nor get a message before it is closed; "0s" is for ever.
        /// Pings do not count.
        relay_idle_timeout: Duration = "relay.idle_timeout",
            Span { min: Duration::ZERO, max: 24 * 60 * MINUTE },
            or Heartbeat::default().idle_timeout, reloaded ToNew;
        /// The largest message. A message as large as the output buffer of a subscriber in Redis
        /// (client-output-buffer-limit pubsub, 32 MiB by default) would cut off every node that listens to its
        /// channel.
        message_bytes: usize = "limits.message_bytes",
            Size { min: KIB, max: 24 * MIB }, or Limits::default().message_bytes;
        /// How long a message may take from its first byte to its last. The default is a second for each KiB of the
        /// largest message, at least a minute and at most five.
        message_time: Duration = "limits.message_time", Span { min: SECOND, max: 24 * 60 * MINUTE },
            or Duration::from_secs((message_bytes.value / KIB) as u64).clamp(MINUTE, 5 * MINUTE), reloaded AtOnce;
        /// How much memory of this node unfinished messages may take, and messages that wait for the broker: at least
        /// two messages. Past it the clients that hold the most for the longest are closed (relay: 1013), until it is
        /// an eighth below. The default is an eighth of the memory that this process may use, at least four messages.
        incomplete_total_bytes: usize = "limits.incomplete_total_bytes", Size { min: 2 * KIB, max: 1024 * GIB },
            or (facts.memory / 8).clamp(4 * message_bytes.value, 1024 * GIB), reloaded AtOnce;
        /// How many frames one connection may send in a second, with pings and fragments; 0 is any number. As many
        /// may come at once.
        frames_per_second: usize = "limits.frames_per_second",
            Count { min: 0, max: 1_000_000 }, or Limits::default().frames_per_second, reloaded ToNew;
        /// How many bytes one connection may send in a second; 0 is any number. As many may come at once, and at
        /// least one message.
        bytes_per_second: usize = "limits.bytes_per_second",
            Size { min: 0, max: GIB }, or Limits::default().bytes_per_second, reloaded ToNew;
        /// How many channels one connection may hold.
        channels_per_connection: usize = "limits.channels_per_connection",
            Count { min: 1, max: 65_536 }, or Limits::default().channels_per_connection, reloaded AtOnce;
        /// How many messages of one connection may wait for the broker's answer before its socket is not read.
        unanswered_publishes: usize = "limits.unanswered_publishes",
            Count { min: 1, max: 65_536 }, or Limits::default().unanswered_publishes, reloaded AtOnce;
        /// How many bytes these messages may have: at least one message. The default grows with the largest message.
        unanswered_bytes: usize = "limits.unanswered_bytes", Size { min: KIB, max: GIB },
            or Limits::default().unanswered_bytes.max(message_bytes.value), reloaded AtOnce;
        /// How many bytes may wait for one slow connection: at least four messages; half of it for no longer than a
        /// second. Past it `namespace.slow_client` decides. The default grows with the largest message.
        outbound_bytes: usize = "limits.outbound_bytes", Size { min: 4 * KIB, max: GIB },
            or Limits::default().outbound_bytes.max(4 * message_bytes.value), reloaded AtOnce;
        /// How many bytes may wait for all slow connections of this node together: at least as many as for one. Past
        /// it the connections with the most waiting bytes go first, until it is an eighth below. A message counts for
        /// each connection that it waits for, though they share its memory.
        outbound_total_bytes: usize = "limits.outbound_total_bytes", Size { min: 4 * KIB, max: 1024 * GIB },
            or Limits::default().outbound_total_bytes.max(outbound_bytes.value), reloaded AtOnce;
        /// How many bytes may wait between the broker and the connections of this node: at least four messages. The
        /// default grows with the largest message.
        inbound_bytes: usize = "limits.inbound_bytes", Size { min: 4 * KIB, max: GIB },
            or Limits::default().inbound_bytes.max(4 * message_bytes.value), reloaded AtOnce;
        /// How many bytes of messages this node keeps for channels with history. Past it the least used channels go
        /// first. With Redis they are only read again where they are needed; with the broker in memory they are the
        /// history, and are gone.
        history_bytes: usize = "limits.history_bytes", Size { min: 64 * KIB, max: 64 * GIB },
            or Limits::default().history_bytes, reloaded AtOnce;
        /// How many clients may be connected. The default is what the descriptors of the process allow (`ulimit -Hn`)
        /// less 256, which are kept for the broker, health, metrics and refusals.
        connections: usize = "limits.connections", Count { min: 1, max: CONNECTIONS },
            or connections_for(facts.descriptors).clamp(1, CONNECTIONS), reloaded AtOnce;
        /// How many clients of one address may be connected, or of one /64 with IPv6; 0 is any number. Behind a proxy
        /// see `[proxies]`.
        connections_per_address: usize = "limits.connections_per_address", Count { min: 0, max: CONNECTIONS },
            or 0, reloaded ToNew;
        /// How many clients may connect in a second; 0 is any number.
        connections_per_second: usize = "limits.connections_per_second", Count { min: 0, max: CONNECTIONS },
            or 0, reloaded AtOnce;
        /// How many headers a request may have.
        header_count: usize = "limits.header_count", Count { min: 16, max: 100 }, or 64, reloaded AtOnce;
        /// How many bytes the headers of a request may have, the first line included.
        header_bytes: usize = "limits.header_bytes", Size { min: 8 * KIB, max: MIB },
            or 16 * KIB, reloaded ToNew;
        /// How long a connection may take to be established, the broker's confirmation included.
        handshake: Duration = "limits.handshake",
            Span { min: SECOND / 10, max: 5 * MINUTE }, or Limits::default().handshake, reloaded ToNew;
        /// How long an answered HTTP connection may wait for its next request. Each answer announces it (`Keep-Alive:
        /// timeout=`). A balancer should keep its connections for less; many keep them for 60 s.
        keep_alive: Duration = "limits.keep_alive",
            Span { min: SECOND, max: 60 * MINUTE }, or 75 * SECOND, reloaded ToNew;
        /// How long a connection that is being closed may take to read what is queued for it.
        goodbye: Duration = "limits.goodbye",
            Span { min: SECOND / 100, max: MINUTE }, or Limits::default().goodbye;
        /// How long a message may wait until it is written to the broker; then it is refused.
        publish_wait: Duration = "limits.publish_wait",
            Span { min: Duration::ZERO, max: MINUTE }, or Limits::default().publish_wait;
        /// How many clients are sent away in a second at least, when the node is told to end (SIGTERM). There are
        /// more if the time would not suffice. The default under --dev sends all clients away at once.
        drain_rate: usize = "drain.rate", Count { min: 1, max: 1_000_000 },
            or if dev.value { 1_000_000 } else { 200 }, reloaded AtOnce;
        /// How long the end may take from the signal on. Clients that have not gone by then are cut off.
        drain_timeout: Duration = "drain.timeout", Span { min: SECOND, max: 60 * MINUTE },
            or 30 * SECOND, reloaded AtOnce;
        /// How long, of that time, the node goes on as before but says that it is not ready, so that a balancer sends
        /// no new clients: longer than the balancer's check takes to notice. The default is a sixth of the timeout,
        /// at most 5s, and 0s under --dev.
        drain_grace: Duration = "drain.grace", Span { min: Duration::ZERO, max: 60 * MINUTE },
            or if dev.value { Duration::ZERO } else { (drain_timeout.value / 6).min(5 * SECOND) }, reloaded AtOnce;
        /// The number of worker threads. The default is the number of cores.
        workers: usize = "runtime.workers", Count { min: 1, max: 1024 }, or facts.cores.clamp(1, 1024);
        /// The number of parts into which the connections are split for delivery. The default is the number of
        /// workers.
        shards: usize = "runtime.shards", Count { min: 1, max: MAX_SHARDS }, or workers.value.min(MAX_SHARDS);
        /// The lowest level of the lines that are logged.
        log_level: LevelFilter = "log.level", LEVEL, or LevelFilter::INFO, reloaded AtOnce;
        /// The format of log lines: "auto" is "text" on a terminal and "json" elsewhere. The default under --dev is
        /// "text".
        log_format: LogFormat = "log.format", FORMAT,
            or if dev.value { LogFormat::Text } else { LogFormat::Auto };
        /// How many lines each place in the program may log in a second, so that clients cannot fill a disk; 0 is any
        /// number. Further lines are counted, and one line reports them. One such place is the access log
        /// (`fanfare::access`), with a line for each connection that has ended.
        log_lines: usize = "log.lines_per_second", Count { min: 0, max: 1_000_000 },
            or 100, reloaded AtOnce;
        /// Where traces are sent: the OTLP endpoint of an OpenTelemetry collector. Without it nothing is traced.
        tracing_endpoint: Option<Endpoint> = "tracing.endpoint", ENDPOINT, or None;
        /// The protocol to the collector: "grpc" (collectors listen on port 4317), or "http" for protobuf over HTTP
        /// (4318), which adds /v1/traces to the endpoint.
        tracing_protocol: TracingProtocol = "tracing.protocol", PROTOCOL, or TracingProtocol::Grpc;
        /// The share of publishes and handshakes for which a trace is begun: 0.01 is one in a hundred. A publish
        /// through the API with a `traceparent` follows that header.
        tracing_sample_ratio: f64 = "tracing.sample_ratio", Ratio, or 1.0;
        /// The name of this cluster at the collector (`service.name`). The node's name is `service.instance.id`.
        tracing_service_name: String = "tracing.service_name", SERVICE_NAME, or "fanfare".into();
        /// Headers of each request to the collector, for example its credentials.
        tracing_headers: Vec<Sourced<TracingHeader>> = "tracing.headers", List { item: HEADER, min: 0 }, or Vec::new();
    }
}

keys! {
    /// A configured `[[namespace]]`.
    pub struct RawNamespace(_facts: &Facts) {
        /// The text before the first `:` of its channels. A namespace without a name has all channels of no other
        /// namespace.
        name: String = "namespace.name", NAMESPACE, or String::new(), reloaded AtOnce;
        /// A regular expression that the names of its channels match, where clients use them: "^chat:[a-z0-9-]+$". Without
        /// it clients may use all names.
        channel_regex: Option<ChannelRegex> = "namespace.channel_regex", CHANNEL_REGEX, or None, reloaded ToNew;
        /// The clients that may subscribe: "anonymous" is everybody, "token" is clients with a token for the channel
        /// (see `[auth]`).
        subscribe: Access = "namespace.subscribe", ACCESS, or Access::Anonymous, reloaded ToNew;
        /// The clients that may publish: "anonymous" is everybody, "token" is clients with a token for the channel
        /// (see `[auth]`), "subscriber" is clients that are subscribed to the channel, "server" is only the HTTP API.
        publish: Access = "namespace.publish", CHANNEL_ACCESS, or Access::Anonymous, reloaded AtOnce;
        /// Whether hooks.subscribe says who may subscribe, instead of `subscribe`, which still is for clients of the plain
        /// WebSocket. A token for the channel goes before.
        subscribe_hook: bool = "namespace.subscribe_hook", Switch, or false, reloaded AtOnce;
        /// Whether hooks.publish says who may publish and what, instead of `publish`, which still is for clients of the
        /// plain WebSocket.
        publish_hook: bool = "namespace.publish_hook", Switch, or false, reloaded AtOnce;
        /// Whether publishers get their own messages too.
        echo: bool = "namespace.echo", Switch, or true, reloaded AtOnce;
        /// How many messages of each channel are kept; with 0 they are not kept. Clients that come back get what they
        /// missed, and a message that was lost between Redis and a node is read again. In Redis each takes its bytes and
        /// about 150 more, each channel 2 KB, and a publish is one script instead of one command. A node with a
        /// subscriber keeps them too, within limits.history_bytes.
        history_size: usize = "namespace.history_size", Count { min: 0, max: 100_000 }, or 0, reloaded AtOnce;
        /// How long the messages of a channel are kept after its last one.
        history_ttl: Duration = "namespace.history_ttl", Span { min: SECOND, max: 30 * 24 * 60 * MINUTE },
            or 10 * MINUTE, reloaded AtOnce;
        /// The clients that may read what is kept: "anonymous", "token", "subscriber" or "server", as for `publish`.
        history: Access = "namespace.history", CHANNEL_ACCESS, or Access::Subscriber, reloaded AtOnce;
        /// How a client goes on that comes back and says where it was: with "stream" it gets all messages since then, if all
        /// are still kept; with "cache" only the newest message, if it does not have it. "cache" needs history_size.
        recovery: RecoveryMode = "namespace.recovery", RECOVERY, or RecoveryMode::Stream, reloaded AtOnce;
        /// Whether messages are sent as differences to the message before, to clients that ask for it (Centrifugo's SDKs,
        /// with `delta: "fossil"`). It needs history_size, and cannot stand with slow_client = "conflate". A node makes a
        /// difference once for all its clients, and keeps it beside the message.
        delta: bool = "namespace.delta", Switch, or false, reloaded AtOnce;
        /// Whether the clients in each channel are listed. In Redis each takes about 150 bytes; joining and leaving are
        /// a command each.
        tracks_presence: bool = "namespace.track_presence", Switch, or false, reloaded ToNew;
        /// The clients that may see that list: "anonymous", "token", "subscriber" or "server", as for `publish`.
        presence: Access = "namespace.presence", CHANNEL_ACCESS, or Access::Subscriber, reloaded AtOnce;
        /// How long a client that left stays in the list, since it may come back.
        presence_grace: Duration = "namespace.presence_grace", Span { min: Duration::ZERO, max: 5 * MINUTE },
            or 5 * SECOND, reloaded AtOnce;
        /// Whether subscribers that ask for it get a message for each client that joins or leaves. Only with
        /// track_presence. A client that lost its connection leaves after presence_grace; the clients of a node that
        /// died leave within about 30 seconds.
        join_leave: bool = "namespace.join_leave", Switch, or false, reloaded AtOnce;
        /// Whether hooks.events is told when a channel gets its first client and loses its last, and with track_presence
        /// when a client joins and leaves. In Redis each change is a script.
        events: bool = "namespace.events", Switch, or false, reloaded ToNew;
        /// How a subscriber is treated that does not read fast enough (see limits.outbound_bytes): "disconnect" ends its
        /// connection; "conflate" keeps it, and of the waiting messages only the newest one of each channel.
        slow_client: SlowClient = "namespace.slow_client", SLOW_CLIENT,
            or SlowClient::Disconnect, reloaded AtOnce;
        /// How its clients are treated once a broker that was away is back, and they may have missed messages: they "stay",
        /// or "close" ends their connections at the pace of a drain (relay: 1012), so that they reconnect and load
        /// what they need. SDKs are told either way what a channel with history lost.
        on_interruption: OnInterruption = "namespace.on_interruption", ON_INTERRUPTION,
            or OnInterruption::default(), reloaded AtOnce;
    }
}

impl Raw {
    /// The sections of the file.
    pub(super) fn sections() -> impl Iterator<Item = &'static str> {
        Self::KEYS.iter().map(|key| key.section_and_name().0).filter(|section| !section.is_empty())
    }
}
