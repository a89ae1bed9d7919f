//! Where a publication stands in the history of its channel.

use std::{fmt, str::FromStr};

/// One life of a channel's history. A history that was lost, or that went back in time, goes on under another epoch.
///
/// Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(PositionError)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// The place of a publication in the history of its channel.
///
/// # Guarantees
/// - The publications of one channel and one epoch have the offsets 1, 2, 3 and so on, in the order in which the broker
///   accepted them. No offset is given twice.
/// - Positions of two epochs, or of two channels, say nothing of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the history.
    pub epoch: Epoch,
    /// The place in it, counted from 1; 0 is before the first publication.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, offset) = text.split_once(':').ok_or(PositionError)?;
        let is_number = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
        let offset = is_number.then(|| offset.parse().ok()).flatten().ok_or(PositionError)?;
        Ok(Self { epoch: epoch.parse()?, offset })
    }
}

/// A text is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a position is `epoch:offset`: 16 hexadecimal digits, a colon and a number, such as 00c0ffee00c0ffee:7"
)]
pub struct PositionError;

/// The answer to a publish that the broker took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Its position; `None` on a channel without history.
    pub position: Option<Position>,
    /// Whether the broker had taken the same publish before: then it delivered nothing now, and the position is that of
    /// the first.
    pub duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = Position { epoch: Epoch(0xC0_FFEE), offset: 7 };
        assert_eq!(position.to_string(), "0000000000c0ffee:7");
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in
            ["", ":", "7", "c0ffee:7", "0000000000c0ffee:", "0000000000c0ffee:+7", "+000000000c0ffee:7"]
        {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
