//! The rule of the prefix in a Redis Cluster.

use fanfare_broker::BrokerConfig;

use super::{mistake::Mistake, raw::Raw};

/// The mistake between the prefix and the broker.
pub(super) fn check(raw: &Raw) -> Option<Mistake> {
    let (prefix, broker) = (&raw.redis_prefix, &raw.broker);
    let is_cluster = broker.sound && matches!(broker.value, BrokerConfig::Cluster(_));
    let wrong = is_cluster && prefix.sound && prefix.value.has_brace();
    wrong.then(|| Mistake {
        place: prefix.place.clone(),
        key: "redis.prefix".into(),
        found: format!("\"{}\", and a Redis Cluster", prefix.value),
        allowed: "a prefix without { for a Redis Cluster".into(),
        hint: Some("a name with { decides on its node by itself: all channels would be on one node".into()),
    })
}
