//! The pattern of a namespace that its channels' names match.

use std::{fmt, str::FromStr};

use regex::Regex;

use crate::{Channel, CommandError};

/// A regular expression over channel names. A match anywhere in a name is a match: `^` and `$` say its ends. It takes
/// time linear in the name.
#[derive(Clone)]
pub struct ChannelRegex(Regex);

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChannelRegexError(String);

impl ChannelRegex {
    /// Checks that a client may name a channel.
    ///
    /// # Errors
    /// The name does not match.
    pub(crate) fn check(&self, channel: &Channel) -> Result<(), CommandError> {
        if self.0.is_match(channel.as_str()) {
            return Ok(());
        }
        Err(CommandError::ImproperName(self.0.as_str().to_owned()))
    }
}

impl FromStr for ChannelRegex {
    type Err = ChannelRegexError;

    fn from_str(pattern: &str) -> Result<Self, ChannelRegexError> {
        let short = |error: regex::Error| {
            let text = error.to_string();
            // Its first lines draw the place of the mistake.
            ChannelRegexError(
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            )
        };
        Regex::new(pattern).map(Self).map_err(short)
    }
}

impl PartialEq for ChannelRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for ChannelRegex {}

impl fmt::Display for ChannelRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for ChannelRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelRegex({:?})", self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_or_is_told_the_pattern() {
        let pattern: ChannelRegex = r"^chat:[\p{L}\d]+$".parse().unwrap();
        let checked = |name| pattern.check(&Channel::new(name).unwrap());
        assert_eq!(checked("chat:räume7"), Ok(()));
        let refused = checked("chat:a/b").unwrap_err();
        assert_eq!(
            refused.to_string(),
            r"this channel's name does not match ^chat:[\p{L}\d]+$, the `channel_regex` of its namespace"
        );
    }

    #[test]
    fn a_mistake_in_a_pattern_is_named() {
        let refused = "^(a".parse::<ChannelRegex>().unwrap_err();
        assert_eq!(refused.to_string(), "unclosed group");
    }
}
