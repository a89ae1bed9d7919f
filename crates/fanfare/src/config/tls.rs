//! TLS: the rules of `[tls]`, and of the keys of TLS in `[api]` and `[redis]`.
//!
//! - `words`: the files that the keys name; `files`: the same files, read again
//!
//! | list | speaks TLS |
//! |---|---|
//! | `listen` | with `tls.cert` and `tls.key` |
//! | `api.listen` | with `api.tls_cert` and `api.tls_key`; with `api.client_ca`, only to clients that have a certificate |
//! | `metrics.listen` | never, except at an address of another list |
//!
//! Invariant: a key is never shown or logged, and compared only with another key.

mod files;
pub(super) mod words;

use std::time::{Duration, SystemTime};

use fanfare_broker::RedisTls;
use fanfare_gateway::{
    Role,
    tls::{Expiry, Terms, TermsError},
};

use self::words::{CertFile, KeyFile};
use super::{
    Config,
    mistake::Mistake,
    place::{Place, Sourced},
    raw::Raw,
    words::Listen,
};

/// A certificate, its key, and their names in the configuration.
struct Pair<'a> {
    names: [&'static str; 2],
    cert: &'a Sourced<Option<CertFile>>,
    key: &'a Sourced<Option<KeyFile>>,
}

impl<'a> Pair<'a> {
    fn of_clients(raw: &'a Raw) -> Self {
        Self { names: ["tls.cert", "tls.key"], cert: &raw.tls_cert, key: &raw.tls_key }
    }

    fn of_api(raw: &'a Raw) -> Self {
        Self { names: ["api.tls_cert", "api.tls_key"], cert: &raw.api_tls_cert, key: &raw.api_tls_key }
    }

    fn of_redis(raw: &'a Raw) -> Self {
        let names = ["redis.client_cert", "redis.client_key"];
        Self { names, cert: &raw.redis_client_cert, key: &raw.redis_client_key }
    }

    fn both(&self) -> Option<(&'a CertFile, &'a KeyFile)> {
        self.cert.value.as_ref().zip(self.key.value.as_ref())
    }

    fn is_sound(&self) -> bool {
        self.cert.sound && self.key.sound
    }

    /// A certificate needs its key, and a key its certificate.
    fn check(&self) -> Option<Mistake> {
        let [cert, key] = self.names;
        match (&self.cert.value, &self.key.value) {
            _ if !self.is_sound() => None,
            (Some(file), None) => Some(alone(cert, &self.cert.place, &file.path, key)),
            (None, Some(file)) => Some(alone(key, &self.key.place, &file.path, cert)),
            (Some(chain), Some(file)) => {
                let terms = Terms::new(chain.certificates.clone(), file.key.clone_key(), Vec::new());
                let error = terms.config().err()?;
                let (name, place, path) = match error {
                    TermsError::Mismatch | TermsError::Key(_) => (key, &self.key.place, &file.path),
                    TermsError::Certificate(_) | TermsError::Authority(_) => {
                        (cert, &self.cert.place, &chain.path)
                    }
                };
                Some(Mistake {
                    place: place.clone(),
                    key: name.into(),
                    found: format!("\"{path}\""),
                    allowed: format!("the private key of the first certificate in {} ({cert})", chain.path),
                    hint: Some(error.to_string()),
                })
            }
            (None, None) => None,
        }
    }
}

fn alone(name: &str, place: &Place, path: &str, other: &str) -> Mistake {
    Mistake {
        place: place.clone(),
        key: name.into(),
        found: format!("\"{path}\", without {other}"),
        allowed: format!("this key together with {other}"),
        hint: Some("TLS needs a certificate and its private key".into()),
    }
}

/// The mistakes between the keys of TLS.
pub(super) fn check(raw: &Raw) -> Vec<Mistake> {
    let pairs = [Pair::of_clients(raw), Pair::of_api(raw), Pair::of_redis(raw)];
    let mut mistakes: Vec<_> = pairs.iter().filter_map(Pair::check).collect();
    mistakes.extend(api(raw));
    mistakes.extend(redis_without_tls(raw));
    mistakes
}

/// The API's certificate needs addresses of its own, and its authority needs the certificate.
fn api(raw: &Raw) -> Option<Mistake> {
    let Pair { names: [cert, _], cert: file, .. } = Pair::of_api(raw);
    let ca = &raw.api_client_ca;
    let mistake = |name: &str, place: &Place, found: String, allowed: &str, hint: &str| {
        let (place, key) = (place.clone(), name.into());
        Some(Mistake { place, key, found, allowed: allowed.into(), hint: Some(hint.into()) })
    };
    if !(file.sound && ca.sound && raw.api_listen.sound && raw.listen.sound) {
        return None;
    }
    if let (Some(found), None) = (&ca.value, &file.value) {
        let found = format!("\"{}\", without {cert}", found.path);
        let allowed = "this key together with api.tls_cert and api.tls_key";
        return mistake("api.client_ca", &ca.place, found, allowed, "clients show certificates inside TLS");
    }
    let found = file.value.as_ref()?;
    if raw.api_listen.value.is_empty() {
        let found = format!("\"{}\", without api.listen", found.path);
        let hint = "without addresses of its own the API is at those of `listen`, and speaks what [tls] says";
        return mistake(cert, &file.place, found, "this key together with api.listen", hint);
    }
    let addresses = |listen: &Sourced<Listen>| listen.value.addresses();
    let clients: Vec<_> = raw.listen.value.iter().flat_map(addresses).filter(|at| at.port() != 0).collect();
    let is_shared = |listen: &&Sourced<Listen>| addresses(listen).iter().any(|at| clients.contains(at));
    let shared = raw.api_listen.value.iter().find(is_shared)?;
    let found = format!("\"{}\"", shared.value);
    let allowed = "an address that is not in `listen` too, with api.tls_cert";
    mistake("api.listen", &shared.place, found, allowed, "one address has one certificate")
}

/// Keys of TLS to Redis need a URL that asks for TLS.
fn redis_without_tls(raw: &Raw) -> Option<Mistake> {
    if !raw.broker.sound || raw.broker.value.speaks_tls() {
        return None;
    }
    let file = |name, file: &Sourced<Option<CertFile>>| {
        let path = file.value.as_ref()?.path.clone();
        Some((name, file.place.clone(), path))
    };
    let (name, place, path) =
        file("redis.ca", &raw.redis_ca).or_else(|| file("redis.client_cert", &raw.redis_client_cert))?;
    Some(Mistake {
        place,
        key: name.into(),
        found: format!("\"{path}\", and a broker without TLS"),
        allowed: "this key together with a broker as \"rediss://HOST:6379\"".into(),
        hint: Some(format!("write rediss:// in `broker` ({})", raw.broker.place)),
    })
}

/// The TLS that the addresses of a role speak, if any.
pub(super) fn terms(raw: &Raw, role: Role) -> Option<Terms> {
    let (pair, ca) = match role {
        Role::Clients => (Pair::of_clients(raw), None),
        Role::Api => (Pair::of_api(raw), raw.api_client_ca.value.as_ref()),
        Role::Metrics => return None,
    };
    let (cert, key) = pair.both()?;
    let ca = ca.map(|file| file.certificates.clone()).unwrap_or_default();
    Some(Terms::new(cert.certificates.clone(), key.key.clone_key(), ca))
}

/// The key of a role's certificate.
fn cert_key(role: Role) -> Option<&'static str> {
    match role {
        Role::Clients => Some("tls.cert"),
        Role::Api => Some("api.tls_cert"),
        Role::Metrics => None,
    }
}

/// The authority of Redis, and the certificate of this node for it.
pub(super) fn of_redis(raw: &Raw) -> RedisTls {
    let ca = raw.redis_ca.value.as_ref().map(|file| file.certificates.clone()).unwrap_or_default();
    let client = Pair::of_redis(raw).both();
    RedisTls::new(ca, client.map(|(cert, key)| (cert.certificates.clone(), key.key.clone_key())))
}

/// Warnings about a valid configuration: certificates that are not valid at this time.
#[must_use]
pub fn warnings(config: &Config, now: SystemTime) -> Vec<String> {
    let warnings = config.listeners.iter().filter_map(|listener| {
        let expiry = listener.tls.as_ref()?.expiry()?;
        warning(cert_key(listener.role)?, expiry, now)
    });
    warnings.collect()
}

fn warning(name: &str, expiry: Expiry, now: SystemTime) -> Option<String> {
    let at = |time| humantime::format_rfc3339_seconds(time);
    if now > expiry.ends {
        Some(format!(
            "{name}: the certificate expired at {}: clients will not connect; put a new one into the file",
            at(expiry.ends)
        ))
    } else if now + Duration::from_secs(60) < expiry.begins {
        Some(format!(
            "{name}: the certificate is not valid before {}: check this machine's clock, or wait",
            at(expiry.begins)
        ))
    } else {
        None
    }
}

/// The contents of the files of the listeners' TLS at one moment; `None` where a file cannot be read.
pub type Contents = Vec<Option<Vec<u8>>>;

#[cfg(test)]
mod tests;
