//! Texts with a meaning of their own: addresses, the broker, names, origins, keys.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use fanfare_auth::{AllowedOrigin, ApiKey, HmacSecret};
use fanfare_broker::Prefix;
use fanfare_core::{Channel, ChannelRegex, ChannelRegexError};
use ipnet::IpNet;

use super::shape::Text;
use crate::ask::{METRICS_PATH, Target};

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// `localhost:PORT`: 127.0.0.1, and `[::1]` if the machine has IPv6 (many containers have not). Browsers and Node
    /// resolve `localhost` to either.
    Localhost(u16),
    /// This address. If it cannot be used, the node does not start.
    At(SocketAddr),
}

impl Listen {
    /// The addresses that it stands for.
    #[must_use]
    pub fn addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::Localhost(port) => {
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            Self::At(address) => vec![address],
        }
    }

    /// Whether it can be reached only from this machine.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.addresses().iter().all(|address| address.ip().to_canonical().is_loopback())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

pub(super) const LISTEN: Text<Listen> = Text {
    allowed: "an IP address or localhost, and a port: \"127.0.0.1:8080\", \"[::1]:8080\", \"0.0.0.0:8080\", or \
              \"[::]:8080\" for all of IPv6 and IPv4",
    parse: listen,
    show: Listen::to_string,
    found: str::to_owned,
};

fn listen(text: &str) -> Result<Listen, String> {
    if let Ok(address) = text.parse() {
        return Ok(Listen::At(address));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or_else(|| match text.parse::<u16>() {
        Ok(_) => ("", text),
        Err(_) => (text, ""),
    });
    match (host, port.parse::<u16>()) {
        ("localhost", Ok(port)) => Ok(Listen::Localhost(port)),
        ("" | "*", Ok(port)) => {
            Err(format!("\"localhost:{port}\" for this machine, \"0.0.0.0:{port}\" for everybody (IPv4)"))
        }
        (host, Ok(port)) if host.parse::<Ipv6Addr>().is_ok() && text.parse::<Ipv6Addr>().is_err() => {
            Err(format!("in brackets: \"[{host}]:{port}\""))
        }
        _ if text.parse::<Ipv4Addr>().is_ok() || text == "localhost" => {
            Err(format!("with a port: \"{text}:8080\""))
        }
        _ if text.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() => {
            Err(format!("with a port: \"[{}]:8080\"", text.trim_matches(['[', ']'])))
        }
        (_, Ok(_)) => Err("names other than localhost are not resolved: write the address".into()),
        _ => Err("write for example \"127.0.0.1:8080\"".into()),
    }
}

/// The name of a node, which Redis keys, log lines and metrics have.
pub(super) const NODE: Text<String> = Text {
    allowed: "1 to 64 letters, digits, `.`, `-` or `_`",
    parse: |text| {
        let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        if valid && (1..=64).contains(&text.len()) {
            Ok(text.into())
        } else {
            Err("for example \"node-1\"".into())
        }
    },
    show: String::clone,
    found: str::to_owned,
};

/// The URL of a node's metrics.
pub(super) const ADVERTISE: Text<Option<Target>> = Text {
    allowed: "HOST:PORT or a URL, as \"10.0.0.5:9090\" or \"http://10.0.0.5:9090/metrics\"; \"\" for the default",
    parse: |text| if text.is_empty() { Ok(None) } else { Target::parse(text, METRICS_PATH).map(Some) },
    show: |target| target.as_ref().map(Target::to_string).unwrap_or_default(),
    // A URL with a password is refused, and must not be shown.
    found: without_password,
};

pub(super) const JWKS_URL: Text<Option<Target>> = Text {
    allowed: "a URL without a query, as \"https://id.example.com/.well-known/jwks.json\"; \"\" for none",
    parse: |text| match text {
        "" => Ok(None),
        _ if text.contains("://") => Target::parse(text, "/").map(Some),
        _ => Err("write the whole URL, with https://".into()),
    },
    show: |target| target.as_ref().map(Target::to_string).unwrap_or_default(),
    // A URL with a password is refused, and must not be shown.
    found: without_password,
};

pub(super) const HOOK_URL: Text<Option<Target>> = Text {
    allowed: "a URL without a query, as \"http://127.0.0.1:3000/hooks/connect\"; \"\" for none",
    ..JWKS_URL
};

pub(super) const HOOK_SECRET: Text<Option<HmacSecret>> = Text {
    allowed: "a secret of 32 bytes or more; \"\" for none",
    parse: |text| match text {
        "" => Ok(None),
        _ => HmacSecret::new(text).map(Some).map_err(|error| error.to_string()),
    },
    show: |secret| if secret.is_some() { MASK.into() } else { String::new() },
    found: |_| MASK.into(),
};

pub(super) const HOOK_HEADER: Text<String> = Text {
    allowed: "the name of a header, as \"Cookie\"",
    parse: |text| match text.parse::<http::HeaderName>() {
        Ok(name) if !OWN_HEADERS.contains(&name.as_str()) => Ok(name.as_str().to_owned()),
        Ok(_) => Err("this node sets it itself".into()),
        Err(_) => Err("letters, digits and hyphens".into()),
    },
    show: String::clone,
    found: str::to_owned,
};

/// Headers that every question has, or that are of one connection.
const OWN_HEADERS: [&str; 8] = [
    "fanfare-signature",
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
    "te",
];

/// `<prefix>:` begins channels, and `<prefix>!` all other names, so a prefix has neither sign.
pub(super) const PREFIX: Text<Prefix> = Text {
    allowed: "1 to 64 visible ASCII characters without `:` and `!`",
    parse: |text| Prefix::new(text).map_err(|error| error.to_string()),
    show: Prefix::to_string,
    found: str::to_owned,
};

/// The text with all that might be a password masked, whether it is a URL or not.
pub(super) fn without_password(text: &str) -> String {
    let Some((before, place)) = text.rsplit_once('@') else { return text.into() };
    match before.split_once("://") {
        Some((scheme, user)) => {
            let user = user.split_once(':').map_or("", |(user, _)| user);
            format!("{scheme}://{user}:{MASK}@{place}")
        }
        None => format!("{MASK}@{place}"),
    }
}

/// The name of a namespace; empty for the default one.
pub(super) const NAMESPACE: Text<String> = Text {
    allowed: "the part of a channel name before its first `:`, for example \"chat\"; \"\" for channels in no namespace",
    parse: |text| match (text, Channel::new(text)) {
        ("", _) => Ok(String::new()),
        (_, Err(error)) => Err(error.to_string().replace("channel name", "namespace's name")),
        (_, Ok(_)) => match text.split_once(':') {
            Some((name, _)) => Err(format!("the `:` is not part of the name: {name:?}")),
            None => Ok(text.into()),
        },
    },
    show: String::clone,
    found: str::to_owned,
};

pub(super) const CHANNEL_REGEX: Text<Option<ChannelRegex>> = Text {
    allowed: "a regular expression, for example \"^chat:[a-z0-9-]+$\"; \"\" for none",
    parse: |text| match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(|error: ChannelRegexError| error.to_string()),
    },
    show: |pattern| pattern.as_ref().map(ChannelRegex::to_string).unwrap_or_default(),
    found: str::to_owned,
};

pub(super) const ORIGIN: Text<AllowedOrigin> = Text {
    allowed: "an origin as \"https://app.example\", \"https://*.example.com\" for all below it, \"null\" or \"file://\" for pages from disk, or \"*\" for all",
    parse: |text| text.parse().map_err(|error: fanfare_auth::AllowedOriginError| error.to_string()),
    show: AllowedOrigin::to_string,
    found: str::to_owned,
};

pub(super) const NETWORK: Text<IpNet> = Text {
    allowed: "an address or a network, as \"127.0.0.1\", \"10.0.0.0/8\" or \"2001:db8::/32\"",
    parse: |text| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>());
        network.map(|network| network.trunc()).map_err(|_| match text {
            "localhost" => "write \"127.0.0.1\" and \"::1\"".into(),
            _ if text.split('/').next().is_some_and(|address| address.parse::<IpAddr>().is_ok()) => {
                "behind the `/` is a number of bits, at most 32, or 128 with IPv6".into()
            }
            _ => "names are not resolved: write the address".into(),
        })
    },
    show: |network| match network.prefix_len() == network.max_prefix_len() {
        true => network.addr().to_string(),
        false => network.to_string(),
    },
    found: str::to_owned,
};

/// The text in place of a secret.
pub(super) const MASK: &str = "***";

pub(super) const API_KEY: Text<ApiKey> = Text {
    allowed: "16 to 256 visible ASCII characters",
    parse: |text| ApiKey::new(text).map_err(|error| error.to_string()),
    show: |_| MASK.into(),
    found: |_| MASK.into(),
};
