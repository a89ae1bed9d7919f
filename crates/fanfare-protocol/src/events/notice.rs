//! Notices for a client, beside messages.

use fanfare_core::{Channel, CloseFrame, Cursor, dialect::Unsubscribed, reply::Subscription};
use serde::Serialize;

/// A notice. The cursor is said apart.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Notice<'a> {
    Subscribed {
        channel: &'a str,
        /// Whether the client gets all behind the cursor that it sent.
        recovered: bool,
        /// Whether messages behind that cursor are missing.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        gap: bool,
    },
    /// Messages are missing between those before and those behind.
    Gap {
        channel: &'a str,
        /// True: so a client that looks for gaps finds them here and in [`Self::Subscribed`].
        gap: bool,
    },
    Unsubscribed {
        channel: &'a str,
        reason: &'static str,
    },
    /// The stream ends with the client's token.
    Expiring {
        /// The seconds until then; `None`: it does not.
        expires_in: Option<u64>,
    },
    Disconnect {
        code: u16,
        reason: &'a str,
    },
}

impl<'a> Notice<'a> {
    /// A subscription, and where it begins.
    pub(super) fn subscribed(channel: &'a Channel, subscription: &Subscription) -> (Self, Option<Cursor>) {
        let whole = subscription.recovered.as_ref().map(|recovered| recovered.is_whole);
        let notice = Self::Subscribed {
            channel: channel.as_str(),
            recovered: whole == Some(true),
            gap: whole == Some(false),
        };
        (notice, subscription.position.map(|position| Cursor::of(channel, position)))
    }

    pub(super) fn gap(channel: &'a Channel) -> Self {
        Self::Gap { channel: channel.as_str(), gap: true }
    }

    pub(super) fn unsubscribed(channel: &'a Channel, reason: Unsubscribed) -> Self {
        let reason = match reason {
            Unsubscribed::ByServer => "server",
            Unsubscribed::Interrupted => "interrupted",
            Unsubscribed::Expired => "expired",
        };
        Self::Unsubscribed { channel: channel.as_str(), reason }
    }

    pub(super) fn disconnect(frame: &'a CloseFrame) -> Self {
        Self::Disconnect { code: frame.code, reason: &frame.reason }
    }
}
