//! A session's place in a channel, in one word.

use std::sync::Arc;

use fanfare_core::TagFilter;

/// The publications that a member gets of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Each publication as it comes.
    Verbatim,
    /// None yet: the channel's history comes first, and publications are held until then.
    Held,
}

/// The wishes of a session that joins a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The publications that it gets.
    pub view: View,
    /// Whether it also gets news of clients that join and leave.
    pub wants_news: bool,
    /// The publications that it wants; `None`: all. News of clients pass it.
    pub filter: Option<Arc<TagFilter>>,
    /// Whether it gets publications as differences. Then it has no filter.
    pub delta: bool,
}

/// All publications, without news of clients.
impl From<View> for Joining {
    fn from(view: View) -> Self {
        Self { view, wants_news: false, filter: None, delta: false }
    }
}

/// The sequence of the first publication for a member, and what it asks for in the four highest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership(u64);

impl Membership {
    const HELD: u64 = 1 << 63;
    const FILTERED: u64 = 1 << 62;
    const NEWS: u64 = 1 << 61;
    const DELTA: u64 = 1 << 60;
    const FLAGS: u64 = Self::HELD | Self::FILTERED | Self::NEWS | Self::DELTA;

    /// For publications that were chosen for one member.
    pub(crate) const OF_ALL: Self = Self(Self::NEWS);

    pub(crate) fn new(since: u64, joining: &Joining) -> Self {
        let news = if joining.wants_news { Self::NEWS } else { 0 };
        let filtered = if joining.filter.is_some() { Self::FILTERED } else { 0 };
        let delta = if joining.delta { Self::DELTA } else { 0 };
        Self(since & !Self::FLAGS | news | filtered | delta).with(joining.view)
    }

    /// The membership with another view.
    pub(crate) fn with(self, view: View) -> Self {
        match view {
            View::Verbatim => Self(self.0 & !Self::HELD),
            View::Held => Self(self.0 | Self::HELD),
        }
    }

    /// The sequence of the first publication for the member.
    pub(crate) fn since(self) -> u64 {
        self.0 & !Self::FLAGS
    }

    /// Whether each publication from this sequence on must be looked at for the member: it joined later, its
    /// publications are held, it has a filter, or it gets differences. All of it is one comparison, since the flags of
    /// the latter three are above all sequences.
    #[inline]
    pub(crate) fn looks_at(self, sequence: u64) -> bool {
        sequence < self.0 & !Self::NEWS
    }

    /// Whether the member has a filter.
    pub(crate) fn is_filtered(self) -> bool {
        self.0 & Self::FILTERED != 0
    }

    /// Whether the member gets publications as differences.
    pub(crate) fn is_delta(self) -> bool {
        self.0 & Self::DELTA != 0
    }

    pub(crate) fn view(self) -> View {
        if self.0 & Self::HELD == 0 { View::Verbatim } else { View::Held }
    }

    /// Whether the member gets news of clients that join and leave.
    pub(crate) fn wants_news(self) -> bool {
        self.0 & Self::NEWS != 0
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::filter::{Condition, Test};

    use super::*;

    #[test]
    fn flags_and_sequence_share_the_word() {
        let condition = Condition::Tag { name: "k".to_owned(), test: Test::Exists };
        let filter = Some(Arc::new(TagFilter::new(condition).unwrap()));
        for (wants_news, filter, delta) in [
            (false, None, false),
            (true, None, false),
            (false, filter.clone(), false),
            (true, filter, false),
            (false, None, true),
            (true, None, true),
        ] {
            let joining = Joining { view: View::Held, wants_news, filter, delta };
            let held = Membership::new(7, &joining);
            assert!(held.view() == View::Held && held.looks_at(u64::from(u32::MAX)));
            let member = held.with(View::Verbatim);
            assert_eq!((member.since(), member.view(), member.wants_news()), (7, View::Verbatim, wants_news));
            let is_filtered = joining.filter.is_some();
            assert_eq!((member.is_filtered(), member.is_delta()), (is_filtered, delta));
            assert_eq!((member.looks_at(7), member.looks_at(6)), (is_filtered || delta, true));
            assert_eq!(member.with(View::Held), held);
        }
        assert!(!Membership::OF_ALL.looks_at(0) && !Membership::OF_ALL.is_filtered());
    }
}
