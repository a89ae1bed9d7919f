//! Signs what the backend gets, so that it knows that it comes from this server.
//!
//! The header says when the body was signed, since a body that somebody recorded could else be sent again for ever.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::HmacSecret;

/// The header.
pub(crate) const SIGNATURE: &str = "fanfare-signature";

/// The value of the header for a body that is sent now.
pub(crate) fn signature(secret: &HmacSecret, body: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    signed_at(secret, seconds, body)
}

fn signed_at(secret: &HmacSecret, seconds: u64, body: &str) -> String {
    format!("t={seconds},v1={}", secret.sign(format!("{seconds}.{body}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_openssl() {
        let secret = HmacSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let expected = "t=1700000000,v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177";
        assert_eq!(signed_at(&secret, 1_700_000_000, r#"{"a":1}"#), expected);
    }
}
