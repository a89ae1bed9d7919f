//! A session's place in a channel, in one word.

/// The publications that a member gets of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Each publication as it comes.
    Verbatim,
    /// None yet: the channel's history comes first, and publications are held until then.
    Held,
}

/// The sequence of the first publication for a member, and the member's view in the highest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership(u64);

impl Membership {
    const HELD: u64 = 1 << 63;

    pub(crate) fn new(since: u64, view: View) -> Self {
        Self(since & !Self::HELD).with(view)
    }

    /// The membership with another view.
    pub(crate) fn with(self, view: View) -> Self {
        let since = self.since();
        match view {
            View::Verbatim => Self(since),
            View::Held => Self(since | Self::HELD),
        }
    }

    /// The sequence of the first publication for the member.
    pub(crate) fn since(self) -> u64 {
        self.0 & !Self::HELD
    }

    pub(crate) fn view(self) -> View {
        if self.0 & Self::HELD == 0 { View::Verbatim } else { View::Held }
    }
}
