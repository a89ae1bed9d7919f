//! Tokens whose text says what they grant: fields with `;` between them. They are not signed.
//!
//! `user=ann`, `channels=a,b` (those to which the server subscribes the client), `channel=a`, `client=ID`, `info=TEXT`, `about=TEXT` (the client itself), `data=TEXT`,
//! `joins=`;
//! `expires=-10`: ten seconds ago, which nobody minds before somebody looks at the time. `bad` is not good, `expired`
//! has expired, and `later` is good once keys were asked for.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_core::{
    AuthError, Authenticator, Channel, Identity, Payload,
    identity::{Renewal, SubscriptionGrant, SubscriptionTerms},
};
use tokio::sync::watch;

use super::channel;

/// See the head of this file.
pub(crate) struct Tokens {
    has_keys: watch::Sender<bool>,
}

/// A client with such a token.
pub(crate) struct Known {
    user: Option<String>,
    about: Option<Bytes>,
    channels: Vec<Channel>,
    terms: SubscriptionTerms,
    expires_at: Option<SystemTime>,
}

impl Identity for Known {
    fn subject(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn token_id(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn info(&self) -> Option<Bytes> {
        self.about.clone()
    }

    fn subscriptions(&self) -> &[Channel] {
        &self.channels
    }

    fn terms_of(&self, _: &Channel) -> SubscriptionTerms {
        self.terms.clone()
    }

    fn may_use(&self, _: &Channel) -> bool {
        false
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

impl Tokens {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { has_keys: watch::Sender::new(false) })
    }

    /// The keys that were asked for come.
    pub(crate) fn renew(&self) {
        self.has_keys.send_replace(true);
    }

    fn judge(&self, token: &str) -> Result<(), AuthError> {
        let says = |word| token.split(';').any(|field| field == word);
        let error = |is_expired| AuthError { reason: "the token is not good".into(), is_expired };
        match () {
            () if says("bad") || (says("later") && !*self.has_keys.borrow()) => Err(error(false)),
            () if says("expired") => Err(error(true)),
            () => Ok(()),
        }
    }
}

impl Authenticator for Tokens {
    fn authenticate(&self, token: &str, _: SystemTime) -> Result<Arc<dyn Identity>, AuthError> {
        self.judge(token)?;
        let channels = field(token, "channels").into_iter().flat_map(|names| names.split(','));
        Ok(Arc::new(Known {
            user: field(token, "user").map(str::to_owned),
            about: field(token, "about").map(|about| Bytes::from(about.to_owned())),
            channels: channels.map(channel).collect(),
            terms: terms(token),
            expires_at: expires_at(token),
        }))
    }

    fn authorize(&self, token: &str, _: SystemTime) -> Result<SubscriptionGrant, AuthError> {
        self.judge(token)?;
        Ok(SubscriptionGrant {
            channel: channel(field(token, "channel").unwrap()),
            user: field(token, "user").map(str::to_owned),
            client: field(token, "client").map(str::to_owned),
            terms: SubscriptionTerms { expires_at: expires_at(token), ..terms(token) },
        })
    }

    fn renewal(&self, token: &str) -> Option<Renewal> {
        token.contains("later").then_some(())?;
        let mut has_keys = self.has_keys.subscribe();
        Some(Box::pin(async move { drop(has_keys.wait_for(|has| *has).await) }))
    }
}

fn terms(token: &str) -> SubscriptionTerms {
    SubscriptionTerms {
        info: field(token, "info").map(|info| Bytes::from(info.to_owned())),
        data: field(token, "data").map(|data| Payload::text(data.to_owned())),
        joins: field(token, "joins").is_some(),
        ..SubscriptionTerms::default()
    }
}

fn field<'a>(token: &'a str, name: &str) -> Option<&'a str> {
    let fields = token.split(';').filter_map(|field| field.split_once('='));
    fields.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn expires_at(token: &str) -> Option<SystemTime> {
    let seconds: i64 = field(token, "expires")?.parse().unwrap();
    let span = Duration::from_secs(seconds.unsigned_abs());
    Some(if seconds < 0 { SystemTime::now() - span } else { SystemTime::now() + span })
}
