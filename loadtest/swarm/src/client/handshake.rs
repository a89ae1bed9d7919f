//! The client's side of the opening handshake (RFC 6455 section 4.1).

use std::{io, time::Duration};

use fanfare_websocket::handshake::accept_value;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::target::Target;

/// The largest accepted response head, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// The offer for compressed messages, which the server must accept unchanged: our decoder keeps no context.
const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The header by which Fanfare answers `?since=`.
const RECOVERED: &str = "fanfare-recovered";

/// The longest time for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The reason that a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// An error of the kernel.
    #[error("no connection: {0}")]
    Io(#[from] io::Error),
    /// An answer other than 101.
    #[error("the upgrade was refused with {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The first line of the body.
        body: String,
    },
    /// The answer is not HTTP, or not a valid 101.
    #[error("no WebSocket handshake: {0}")]
    Malformed(String),
    /// The subscription of a client of Centrifugo's protocol was refused, or the connection ended before the answer.
    #[error("not subscribed: {0}")]
    NotSubscribed(String),
    /// No answer in time.
    #[error("no answer to the upgrade within {} s", ANSWER_TIMEOUT.as_secs())]
    TimedOut,
}

impl HandshakeError {
    /// The kind of the failure in few words, for counts.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Io(error) => error.kind().to_string(),
            Self::Refused { status, .. } => format!("refused with {status}"),
            Self::Malformed(_) => "no WebSocket handshake".to_owned(),
            Self::NotSubscribed(_) => "not subscribed".to_owned(),
            Self::TimedOut => "no answer in time".to_owned(),
        }
    }
}

/// The results of an upgrade.
pub(super) struct Welcome {
    /// The bytes that came after the 101.
    pub(super) early: Vec<u8>,
    /// The cookie of the 101, without its attributes.
    pub(super) cookie: Option<String>,
    /// Whether the server gives all since the position that was asked for; `None` where it does not say.
    pub(super) recovered: Option<bool>,
}

/// Upgrades `stream`.
pub(super) async fn upgrade(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    target: &Target,
) -> Result<Welcome, HandshakeError> {
    let key = key();
    stream.write_all(request(target, &key).as_bytes()).await?;
    stream.flush().await?;
    let answer = async {
        let mut head = Vec::with_capacity(512);
        loop {
            let ended = stream.read_buf(&mut head).await? == 0;
            if let Some(good) = judge(&head, &key, target.deflate(), ended)? {
                let Good { length, cookie, recovered } = good;
                return Ok(Welcome { early: head.split_off(length), cookie, recovered });
            }
        }
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(HandshakeError::TimedOut))
}

/// 16 random bytes in base64, as in section 4.1, item 7: 22 characters, the last of which holds two bits.
fn key() -> String {
    use rand::Rng as _;
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = rand::rng();
    let mut pick = |step: usize| {
        let at = random.random_range(0..ALPHABET.len() / step) * step;
        ALPHABET.get(at).copied().map_or('A', char::from)
    };
    let mut key: String = (0..21).map(|_| pick(1)).collect();
    key.push(pick(16));
    key.push_str("==");
    key
}

fn request(target: &Target, key: &str) -> String {
    let cookie = target.cookie().map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    let extensions =
        if target.deflate() { format!("Sec-WebSocket-Extensions: {DEFLATE}\r\n") } else { String::new() };
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{cookie}\
         Sec-WebSocket-Version: 13\r\n{extensions}Sec-WebSocket-Key: {key}\r\n\r\n",
        target.entrance(),
        target.host()
    )
}

/// A valid 101.
#[derive(Debug, PartialEq, Eq)]
struct Good {
    /// The length of its head, in bytes.
    length: usize,
    cookie: Option<String>,
    recovered: Option<bool>,
}

/// The valid 101; `None` while it is incomplete.
fn judge(bytes: &[u8], key: &str, deflate: bool, ended: bool) -> Result<Option<Good>, HandshakeError> {
    let malformed = |what: &dyn ToString| HandshakeError::Malformed(what.to_string());
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| malformed(&error))?;
    let httparse::Status::Complete(length) = parsed else {
        if ended || bytes.len() > MAX_HEAD {
            return Err(malformed(&"the answer ended early, or its head is too long"));
        }
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let body = bytes.get(length..).unwrap_or_default();
        let line = String::from_utf8_lossy(body).trim().lines().next().unwrap_or_default().to_owned();
        return Err(HandshakeError::Refused { status, body: line });
    }
    let expected =
        HeaderValue::from_str(key).map(|key| accept_value(&key)).map_err(|error| malformed(&error))?;
    let value = |name: &str| {
        response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if value("sec-websocket-accept").is_none_or(|accept| expected != accept) {
        return Err(malformed(&"Sec-WebSocket-Accept is wrong or missing"));
    }
    match (deflate, value("sec-websocket-extensions").map(String::from_utf8_lossy)) {
        (true, Some(agreed)) if agreed.contains("permessage-deflate; server_no_context_takeover") => {}
        (false, None) => {}
        (true, _) => {
            return Err(malformed(&"the server does not accept permessage-deflate without context takeover"));
        }
        (false, Some(_)) => {
            return Err(malformed(&"the server answered with extensions that were not offered"));
        }
    }
    let recovered = value(RECOVERED).map(|said| said.eq_ignore_ascii_case(b"true"));
    Ok(Some(Good { length, cookie: cookie(response.headers), recovered }))
}

fn cookie(headers: &[httparse::Header<'_>]) -> Option<String> {
    let set = headers.iter().find(|header| header.name.eq_ignore_ascii_case("set-cookie"))?;
    let cookie = std::str::from_utf8(set.value).ok()?.split(';').next()?.trim();
    Some(cookie.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_101_is_valid_in_any_pieces() {
        for cut in 0..GOOD.len() {
            assert_eq!(judge(&GOOD[..cut], KEY, false, false).unwrap(), None);
        }
        let with_frame = [GOOD, b"\x81\x02hi"].concat();
        let good = judge(&with_frame, KEY, false, false).unwrap();
        assert_eq!(good, Some(Good { length: GOOD.len(), cookie: None, recovered: None }));
    }

    #[test]
    fn a_101_says_whether_it_recovers() {
        for (said, expected) in [("true", true), ("false", false)] {
            let head = String::from_utf8_lossy(GOOD);
            let head = head.replacen("\r\n", &format!("\r\nFanfare-Recovered: {said}\r\n"), 1);
            let good = judge(head.as_bytes(), KEY, false, false).unwrap().unwrap();
            assert_eq!(good.recovered, Some(expected));
        }
    }

    #[test]
    fn a_cookie_is_kept_and_sent() {
        let head = String::from_utf8_lossy(GOOD);
        let set = head.replacen("\r\n", "\r\nSet-Cookie: NODE=node1; path=/; HttpOnly\r\n", 1);
        let cookie = judge(set.as_bytes(), KEY, false, false).unwrap().unwrap().cookie.unwrap();
        let target = Target::parse("ws://127.0.0.1:1/ws/chat", "/").unwrap();
        assert!(!request(&target, KEY).contains("Cookie"));
        assert!(request(&target.with_cookie(&cookie), KEY).contains("\r\nCookie: NODE=node1\r\n"));
    }

    #[test]
    fn a_refusal_has_status_and_sentence() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nThe broker is away.\nMore.";
        let error = judge(answer, KEY, false, false).unwrap_err().to_string();
        assert_eq!(error, "the upgrade was refused with 503: The broker is away.");
    }

    #[test]
    fn a_101_for_another_key_is_refused() {
        assert!(matches!(
            judge(GOOD, "AAAAAAAAAAAAAAAAAAAAAA==", false, false),
            Err(HandshakeError::Malformed(_))
        ));
    }

    #[test]
    fn compression_must_match_the_offer() {
        let compressing =
            [&GOOD[..GOOD.len() - 2], b"Sec-WebSocket-Extensions: ", DEFLATE.as_bytes(), b"\r\n\r\n"];
        let compressing = compressing.concat();
        assert!(judge(&compressing, KEY, true, false).is_ok() && judge(GOOD, KEY, false, false).is_ok());
        for (answer, deflate) in [(&compressing[..], false), (GOOD, true)] {
            assert!(matches!(judge(answer, KEY, deflate, false), Err(HandshakeError::Malformed(_))));
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_refused() {
        assert!(matches!(judge(&GOOD[..20], KEY, false, true), Err(HandshakeError::Malformed(_))));
    }

    #[test]
    fn our_server_accepts_the_key() {
        let mut headers = http::HeaderMap::new();
        for (name, value) in
            [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for _ in 0..200 {
            headers.insert("sec-websocket-key", HeaderValue::try_from(key()).unwrap());
            let accepted = fanfare_websocket::handshake::accept(
                &http::Method::GET,
                http::Version::HTTP_11,
                &headers,
                fanfare_websocket::handshake::Options::default(),
            );
            assert!(accepted.is_ok());
        }
    }
}
