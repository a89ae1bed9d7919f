//! Errors as replies say them; the table stands in the [module](super).
//!
//! An SDK tries to connect or to subscribe again where an error is temporary, or says that a token expired. It gives up
//! at every other. It never publishes again by itself, and hands the error to its page.

use fanfare_core::{CommandError, Disconnect, PublishError, SubscribeError};

use super::wire::Error;

pub(super) const INTERNAL: u32 = 100;
pub(super) const PERMISSION_DENIED: u32 = 103;
pub(super) const ALREADY_SUBSCRIBED: u32 = 105;
pub(super) const LIMIT_EXCEEDED: u32 = 106;
pub(super) const BAD_REQUEST: u32 = 107;
pub(super) const NOT_AVAILABLE: u32 = 108;
pub(super) const TOKEN_EXPIRED: u32 = 109;
pub(super) const EXPIRED: u32 = 110;
pub(super) const TOO_MANY_REQUESTS: u32 = 111;
pub(super) const UNRECOVERABLE: u32 = 112;

impl Error {
    /// An error that stays however often the client tries.
    pub(super) fn lasting(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), temporary: false }
    }
}

/// The error of a command.
///
/// # Errors
/// The connection ends instead.
pub(super) fn error(error: &CommandError) -> Result<Error, Disconnect> {
    let (code, temporary) = match error {
        CommandError::Publish(PublishError::Refused(_))
        | CommandError::Subscribe(
            SubscribeError::Unavailable | SubscribeError::Busy | SubscribeError::Misconfigured(_),
        )
        | CommandError::Unavailable(_) => (INTERNAL, true),
        // Not temporary: a page that publishes again for that word could deliver twice.
        CommandError::Publish(PublishError::Unknown) => (INTERNAL, false),
        CommandError::Publish(PublishError::Forbidden(_))
        | CommandError::Subscribe(SubscribeError::Forbidden(_))
        | CommandError::NotPermitted(_)
        | CommandError::OtherUsers
        | CommandError::NotGranted(_)
        | CommandError::NeedsSubscription(_)
        | CommandError::NeedsToken(_)
        | CommandError::BadToken(_) => (PERMISSION_DENIED, false),
        CommandError::AlreadySubscribed => (ALREADY_SUBSCRIBED, false),
        CommandError::TooManyChannels(_) => (LIMIT_EXCEEDED, false),
        CommandError::BadRequest(_) | CommandError::ImproperName(_) => (BAD_REQUEST, false),
        CommandError::NotAvailable(..) | CommandError::NoCalls => (NOT_AVAILABLE, false),
        CommandError::Backend(error) => (error.code, error.is_temporary),
        CommandError::TokenExpired => (TOKEN_EXPIRED, false),
        CommandError::Unrecoverable => (UNRECOVERABLE, false),
        CommandError::NeedsTokenToConnect => return Err(Disconnect::BadRequest(error.to_string().into())),
    };
    Ok(Error { code, message: error.to_string(), temporary })
}
