//! Values that are one of a few words.

use fanfare_core::{Access, OnInterruption, RecoveryMode, SlowClient};
use fanfare_gateway::ProxyProtocol;
use tracing::level_filters::LevelFilter;

use super::{LogFormat, shape::Choice};

pub(super) const LEVEL: Choice<LevelFilter> = Choice {
    words: &[
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ],
};

pub(super) const FORMAT: Choice<LogFormat> =
    Choice { words: &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)] };

pub(super) const PROXY_PROTOCOL: Choice<ProxyProtocol> = Choice {
    words: &[
        ("none", ProxyProtocol::None),
        ("proxy", ProxyProtocol::Proxy),
        ("x-forwarded-for", ProxyProtocol::ForwardedFor),
    ],
};

pub(super) const ACCESS: Choice<Access> = Choice {
    words: &[("anonymous", Access::Anonymous), ("token", Access::Token), ("server", Access::Server)],
};

pub(super) const CHANNEL_ACCESS: Choice<Access> = Choice {
    words: &[
        ("anonymous", Access::Anonymous),
        ("token", Access::Token),
        ("subscriber", Access::Subscriber),
        ("server", Access::Server),
    ],
};

pub(super) const RECOVERY: Choice<RecoveryMode> =
    Choice { words: &[("stream", RecoveryMode::Stream), ("cache", RecoveryMode::Cache)] };
pub(super) const SLOW_CLIENT: Choice<SlowClient> =
    Choice { words: &[("disconnect", SlowClient::Disconnect), ("conflate", SlowClient::Conflate)] };
pub(super) const ON_INTERRUPTION: Choice<OnInterruption> =
    Choice { words: &[("stay", OnInterruption::Stay), ("close", OnInterruption::Close)] };
