//! `fanfare token`: issues tokens that a node accepts, and says what a node would say about a token.
//!
//! Invariant: a token is verified by the policy of the configuration before it is issued.

use std::{fmt::Write as _, io, path::PathBuf, time::SystemTime};

use fanfare_auth::{Claims, Grant, SigningKey, SigningKeyError, TokenError};

use crate::{
    cli::{IssueArgs, TokenCheckArgs},
    config::{self, Auth, Loaded, Mistakes},
};

/// Why a token is not issued, or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenCommandError {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] Mistakes),
    /// Tokens cannot be verified.
    #[error(
        "a node with this configuration accepts no token, because it has no key: add hmac_secrets or public_keys under \
         [auth], and name the file by --config"
    )]
    NoKeys,
    /// Tokens cannot be signed.
    #[error(
        "the configuration has no key that signs, only public keys: name the private key of one of them by \
         --key FILE"
    )]
    NothingToSign,
    /// The key file cannot be read.
    #[error("cannot read {}: {_1}", _0.display())]
    Unreadable(PathBuf, io::Error),
    /// The key file does not have such a key.
    #[error("{}: {_1}", _0.display())]
    Key(PathBuf, SigningKeyError),
    /// The secret does not sign.
    #[error(transparent)]
    Sign(#[from] SigningKeyError),
    /// A node would refuse the new token.
    #[error("a node with this configuration would refuse this token: {0}")]
    WouldBeRefused(TokenError),
    /// A node would refuse the given token.
    #[error("refused: {0}")]
    Refused(TokenError),
    /// Standard input cannot be read.
    #[error("cannot read the token: {0}")]
    Input(io::Error),
}

/// The token, as a line.
///
/// # Errors
/// It cannot be signed, or would not be accepted.
pub fn issue(args: &IssueArgs) -> Result<String, TokenCommandError> {
    issue_by(&config::load(args.node.sources())?, args)
}

fn issue_by(loaded: &Loaded, args: &IssueArgs) -> Result<String, TokenCommandError> {
    let auth = auth(loaded)?;
    let now = SystemTime::now();
    let channels = (!args.channels.is_empty()).then(|| args.channels.clone());
    let grant = Grant {
        subject: args.subject.clone(),
        channels,
        audience: auth.tokens.audience.clone(),
        issuer: auth.tokens.issuer.clone(),
        ..Grant::from(now, (!args.no_expiry).then_some(args.expires_in))
    };
    let token = signing_key(args, loaded)?.sign(&grant)?;
    auth.tokens.verify(&token, now).map_err(TokenCommandError::WouldBeRefused)?;
    Ok(format!("{token}\n"))
}

fn signing_key(args: &IssueArgs, loaded: &Loaded) -> Result<SigningKey, TokenCommandError> {
    let key = match &args.key {
        Some(path) => {
            let pem =
                std::fs::read(path).map_err(|error| TokenCommandError::Unreadable(path.clone(), error))?;
            SigningKey::private(&pem, loaded.rsa_algorithm())
                .map_err(|error| TokenCommandError::Key(path.clone(), error))?
        }
        None => loaded.hmac_key().ok_or(TokenCommandError::NothingToSign)?,
    };
    Ok(match &args.key_id {
        Some(id) => key.with_id(id),
        None => key,
    })
}

/// The rights of a token, for people.
///
/// # Errors
/// A node would refuse it.
pub fn check(args: &TokenCheckArgs) -> Result<String, TokenCommandError> {
    check_by(&config::load(args.node.sources())?, args)
}

fn check_by(loaded: &Loaded, args: &TokenCheckArgs) -> Result<String, TokenCommandError> {
    let token = match args.token.as_str() {
        "-" => io::read_to_string(io::stdin()).map_err(TokenCommandError::Input)?,
        token => token.to_owned(),
    };
    let now = SystemTime::now();
    let claims = auth(loaded)?.tokens.verify(token.trim(), now).map_err(TokenCommandError::Refused)?;
    Ok(describe(&claims, now))
}

fn auth(loaded: &Loaded) -> Result<&Auth, TokenCommandError> {
    loaded.config.auth.as_ref().ok_or(TokenCommandError::NoKeys)
}

fn describe(claims: &Claims, now: SystemTime) -> String {
    let mut text = String::from("accepted\n");
    let subject = if claims.subject.is_empty() { "(none)" } else { claims.subject.as_str() };
    let channels = match claims.channels.patterns() {
        None => "every channel".to_owned(),
        Some([]) => "no channel".to_owned(),
        Some(patterns) => patterns.join(", "),
    };
    let expires = claims.expires_at.map_or("never".to_owned(), |at| {
        let left = at.duration_since(now).map(|left| left.as_secs()).unwrap_or_default();
        let left = humantime::format_duration(std::time::Duration::from_secs(left));
        format!("{}, in {left} (auth.leeway included)", humantime::format_rfc3339_seconds(at))
    });
    for (name, value) in [("subject", subject), ("channels", &channels), ("expires", &expires)] {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name:<10}{value}");
    }
    text
}

#[cfg(test)]
mod tests;
