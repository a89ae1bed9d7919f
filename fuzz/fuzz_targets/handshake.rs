//! Any header bytes are judged without a panic, and what is answered is well-formed.
#![no_main]

use fanfare_websocket::handshake::{Options, accept, is_upgrade};
use http::{HeaderMap, HeaderValue, Method, Version};
use libfuzzer_sys::fuzz_target;

/// The headers that the handshake reads, with the values of a good request.
const NAMES: [(&str, &str); 6] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
    ("sec-websocket-extensions", "permessage-deflate"),
];

/// Which header, whether the value replaces it or comes beside it, and the value.
type Change<'a> = (u8, bool, &'a [u8]);

fuzz_target!(|input: (bool, Vec<Change<'_>>)| {
    let (deflate, changes) = input;
    let mut headers: HeaderMap =
        NAMES.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
    for (name, replace, value) in changes {
        let (name, _) = NAMES[usize::from(name) % NAMES.len()];
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        if replace {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    match accept(&Method::GET, Version::HTTP_11, &headers, Options { deflate, ..Options::default() }) {
        Ok(accepted) => {
            assert!(is_upgrade(&headers));
            let answer = accepted.headers();
            assert_eq!(answer["sec-websocket-accept"].len(), 28);
            assert_eq!(answer.get("sec-websocket-protocol"), accepted.protocol.as_ref());
            assert!(accepted.protocol.is_none_or(|protocol| protocol.to_str().is_ok()));
            assert_eq!(answer.contains_key("sec-websocket-extensions"), accepted.deflate);
            assert!(accepted.deflate || !accepted.send_compressed);
            assert!(deflate || !accepted.deflate);
        }
        Err(refusal) => {
            assert!(refusal.status().is_client_error());
            assert!(!refusal.to_string().is_empty());
        }
    }
});
