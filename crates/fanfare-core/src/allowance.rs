//! The actions of clients in channels, and the rights to them that the operator's backend gives beside those of namespaces.
//!
//! Invariant: an allowance only adds. An action that the namespace permits needs none.

use crate::{Channel, wildcard::matches};

/// An action in a channel, which its namespace permits or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To receive its publications.
    Subscribe,
    /// To publish in it.
    Publish,
    /// To read its history.
    ReadHistory,
    /// To see the clients in it.
    SeePresence,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::ReadHistory => "read the history",
            Self::SeePresence => "see who is present",
        })
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance(u8);

impl Allowance {
    /// The actions of these words: `sub`, `pub`, `hst` and `prs`. Other words mean nothing.
    #[must_use]
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let action = |word| match word {
            "sub" => Some(Action::Subscribe),
            "pub" => Some(Action::Publish),
            "hst" => Some(Action::ReadHistory),
            "prs" => Some(Action::SeePresence),
            _ => None,
        };
        Self(words.into_iter().filter_map(action).fold(0, |all, action| all | bit(action)))
    }

    /// Whether an action is in it.
    #[must_use]
    pub fn has(self, action: Action) -> bool {
        self.0 & bit(action) != 0
    }

    /// Whether no action is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit(action: Action) -> u8 {
    match action {
        Action::Subscribe => 1,
        Action::Publish => 2,
        Action::ReadHistory => 4,
        Action::SeePresence => 8,
    }
}

/// An allowance for some channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// The channels.
    pub channels: Vec<String>,
    /// Whether `*` in the name of a channel stands for any text.
    pub is_wildcard: bool,
    /// The actions.
    pub allowance: Allowance,
}

impl Capability {
    /// Whether it allows an action in a channel.
    #[must_use]
    pub fn allows(&self, channel: &Channel, action: Action) -> bool {
        let name = channel.as_str();
        let is_meant = |of: &String| if self.is_wildcard { matches(of, name) } else { of == name };
        self.allowance.has(action) && self.channels.iter().any(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_for_its_channels() {
        let capability = |is_wildcard, words: &[&str]| Capability {
            channels: vec!["a".into(), "b*".into()],
            is_wildcard,
            allowance: Allowance::of(words.iter().copied()),
        };
        let allows = |capability: &Capability, name| {
            let channel = Channel::new(name).unwrap();
            [Action::Subscribe, Action::Publish, Action::ReadHistory, Action::SeePresence]
                .map(|action| capability.allows(&channel, action))
        };
        let exact = capability(false, &["sub", "hst", "other"]);
        assert_eq!(allows(&exact, "a"), [true, false, true, false]);
        assert_eq!((allows(&exact, "bc"), allows(&exact, "b*")), ([false; 4], [true, false, true, false]));
        let wildcard = capability(true, &["pub", "prs"]);
        assert_eq!(
            (allows(&wildcard, "bc"), allows(&wildcard, "c")),
            ([false, true, false, true], [false; 4])
        );
    }
}
