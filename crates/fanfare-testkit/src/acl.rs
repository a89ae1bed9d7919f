//! A user of Redis' ACL.

use fanfare_broker_suite::RedisServer;

/// The URL of the user `gateway`, who may do everything. [`set_rules`] changes that.
pub async fn with_user(redis: &RedisServer) -> String {
    set_rules(redis, &["on", ">right", "~*", "&*", "+@all"]).await;
    format!("redis://gateway:right@127.0.0.1:{}", redis.port())
}

/// Sets rules of the user `gateway`.
///
/// # Panics
/// If Redis does not take them.
pub async fn set_rules(redis: &RedisServer, rules: &[&str]) {
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("gateway").arg(rules);
    if let Err(error) = redis.run::<()>(&acl).await {
        panic!("Redis does not take the rules {rules:?}: {error}");
    }
}
