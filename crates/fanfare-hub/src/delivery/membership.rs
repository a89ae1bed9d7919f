//! A session's place in a channel, in one word.

/// The publications that a member gets of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Each publication as it comes.
    Verbatim,
    /// None yet: the channel's history comes first, and publications are held until then.
    Held,
}

/// The wishes of a session that joins a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joining {
    /// The publications that it gets.
    pub view: View,
    /// Whether it also gets news of clients that join and leave.
    pub wants_news: bool,
}

/// Without news of clients.
impl From<View> for Joining {
    fn from(view: View) -> Self {
        Self { view, wants_news: false }
    }
}

/// The sequence of the first publication for a member, and what it asks for in the two highest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership(u64);

impl Membership {
    const HELD: u64 = 1 << 63;
    const NEWS: u64 = 1 << 62;

    /// For publications that were chosen for one member.
    pub(crate) const OF_ALL: Self = Self(Self::NEWS);

    pub(crate) fn new(since: u64, joining: Joining) -> Self {
        let news = if joining.wants_news { Self::NEWS } else { 0 };
        Self(since & !(Self::HELD | Self::NEWS) | news).with(joining.view)
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
        self.0 & !(Self::HELD | Self::NEWS)
    }

    pub(crate) fn view(self) -> View {
        if self.0 & Self::HELD == 0 { View::Verbatim } else { View::Held }
    }

    /// Whether the member gets news of clients that join and leave.
    pub(crate) fn wants_news(self) -> bool {
        self.0 & Self::NEWS != 0
    }
}
