//! Tokens for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::Value;

/// A token with these claims, signed with this secret.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn token(claims: &Value, secret: &str) -> String {
    match encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())) {
        Ok(token) => token,
        Err(error) => panic!("a token for the test: {error}"),
    }
}

/// The value of `Authorization` with such a token.
#[must_use]
pub fn bearer(claims: &Value, secret: &str) -> String {
    format!("Bearer {}", token(claims, secret))
}

/// The time of a claim in this number of seconds from now; negative: before now.
#[must_use]
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(now).unwrap_or(i64::MAX).saturating_add(seconds)
}
