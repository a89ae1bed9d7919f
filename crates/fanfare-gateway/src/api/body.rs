//! The body of a call.

use axum::{body::Bytes, extract::Request};
use fanfare_core::{Attributes, Limits};
use http::{HeaderMap, header::CONTENT_ENCODING};

use super::error::ApiError;
use crate::http::taken::{self, Untaken};

/// JSON may need six bytes for one (`\u0000`).
const PER_BYTE: usize = 6;

/// The other fields of a publish, and a body of a method without data.
pub(super) const OTHER_FIELDS: usize = PER_BYTE * Attributes::MAX_BYTES + (4 << 10);

/// The largest body that one publish can make.
pub(super) fn of_a_publish(limits: &Limits) -> usize {
    limits.message_bytes * PER_BYTE + OTHER_FIELDS
}

/// Reads a body of at most `allowed` bytes. A body that declares more is refused before it comes.
pub(super) async fn read(limits: &Limits, allowed: usize, mut request: Request) -> Result<Bytes, ApiError> {
    check_encoding(request.headers())?;
    taken::take(&mut request, allowed, limits.handshake).await.map_err(|untaken| match untaken {
        Untaken::TooLarge => ApiError::BodyTooLarge { allowed, message: limits.message_bytes },
        Untaken::Slow => ApiError::Slow(limits.handshake),
        Untaken::Broken(rejection) => rejection.into(),
    })
}

/// Refuses a body with a content encoding (RFC 9110 §8.4.1): else a compressed body would be taken for broken JSON.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_known = |encoding: &[u8]| encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity");
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let mut encodings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if encodings.all(|encoding| is_known(encoding.trim_ascii())) { Ok(()) } else { Err(ApiError::Encoding) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_an_encoding_is_refused() {
        let check = |encodings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for encoding in encodings {
                headers.append(CONTENT_ENCODING, http::HeaderValue::from_static(encoding));
            }
            check_encoding(&headers).is_ok()
        };
        for known in [&[][..], &[""], &["identity"], &["Identity, identity"]] {
            assert!(check(known), "{known:?}");
        }
        for unknown in [&["gzip"][..], &["identity, br"], &["identity", "deflate"]] {
            assert!(!check(unknown), "{unknown:?}");
        }
    }
}
