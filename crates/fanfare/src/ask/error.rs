//! Why a question has no answer.

use std::{io, time::Duration};

use fanfare_broker::is_of_an_authority;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The host has no address, or the connection fails.
    #[error("{}", without_number(.0))]
    Io(io::Error),
    /// The certificate is not accepted.
    #[error("{0}; {hint}", hint = remedy(.0))]
    Certificate(rustls::Error),
    /// Trust cannot be established.
    #[error("{0}")]
    Trust(String),
    /// The timeout is over.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    /// The answer is not HTTP, or broke off.
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    /// The connection cannot be made, or broke off.
    #[error("no HTTP answer: {0}")]
    Sent(String),
    /// The body is longer than any answer of a node, or broke off.
    #[error("the answer cannot be read: {0}")]
    Body(String),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match tls {
            Some(error @ rustls::Error::InvalidCertificate(_)) => Self::Certificate(error.clone()),
            Some(rustls::Error::InvalidMessage(_)) => {
                Self::Trust("it does not speak TLS: ask by http://".into())
            }
            _ => Self::Io(error),
        }
    }
}

fn remedy(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) if is_of_an_authority(error) => {
            "an authority's own certificate, as `openssl req -x509` makes it, is not accepted for a server: make it \
             again with -addext basicConstraints=critical,CA:FALSE, or ask with --insecure"
        }
        _ => "name its authority with --ca FILE, or accept every certificate with --insecure",
    }
}

/// The system's words for an error, without its number.
fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" (os error").next().unwrap_or_default();
    bare.chars().take(1).flat_map(char::to_lowercase).chain(bare.chars().skip(1)).collect()
}
