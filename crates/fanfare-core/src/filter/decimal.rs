//! Decimal numbers, compared exactly and without memory: digit by digit.

use std::cmp::Ordering;

/// A number, in its parts.
#[derive(PartialEq, Eq)]
struct Decimal<'a> {
    is_negative: bool,
    /// The digits before the point, without zeros in front.
    whole: &'a [u8],
    /// The digits behind the point, without zeros at the end.
    fraction: &'a [u8],
}

/// How `left` compares to `right`; `None` where one of them is not a decimal number.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Decimal::parse(left)?, Decimal::parse(right)?);
    Some(match (left.is_negative, right.is_negative) {
        (false, false) => left.compare_sizes(&right),
        (true, true) => right.compare_sizes(&left),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

impl<'a> Decimal<'a> {
    /// A sign or none, digits, and behind a point more digits.
    fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix('-');
        let digits = unsigned.or_else(|| text.strip_prefix('+')).unwrap_or(text);
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (digits_of(whole)?, digits_of(fraction)?),
            None => (digits_of(digits)?, &b""[..]),
        };
        let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
        let zeros_behind = fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        let whole = whole.get(zeros..)?;
        let fraction = fraction.get(..fraction.len() - zeros_behind)?;
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: unsigned.is_some() && !is_zero, whole, fraction })
    }

    fn compare_sizes(&self, other: &Self) -> Ordering {
        let by_length = self.whole.len().cmp(&other.whole.len());
        by_length.then_with(|| self.whole.cmp(other.whole)).then_with(|| self.fraction.cmp(other.fraction))
    }
}

/// The text as digits, at least one.
fn digits_of(text: &str) -> Option<&[u8]> {
    let digits = text.as_bytes();
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}
