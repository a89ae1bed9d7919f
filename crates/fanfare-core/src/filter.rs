//! Filters of subscribers over the tags of publications.
//!
//! Invariants
//! - A filter is small and flat: at most [`TagFilter::MAX_NODES`] conditions, [`TagFilter::MAX_DEPTH`] deep, with
//!   [`TagFilter::MAX_BYTES`] of text. So a client cannot make a publication expensive.
//! - Lists are sorted and without duplicates. So filters that differ in the order of a list only are equal.

use std::cmp::Ordering;

use thiserror::Error;

mod decimal;
#[cfg(test)]
mod tests;

/// A checked filter. Equal filters are equal and have the same hash, so that many subscribers can share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagFilter(Condition);

/// A condition on the tags of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// All of these hold.
    All(Vec<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A test of one tag.
    Tag {
        /// The name of the tag.
        name: String,
        /// The test of its value.
        test: Test,
    },
}

/// A test of the value of a tag. A tag that the publication does not have passes only [`Test::IsNot`] and
/// [`Test::Absent`]; in lists it counts as the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// The value is this text.
    Is(String),
    /// The value is another, or missing.
    IsNot(String),
    /// The value is one of these.
    In(Vec<String>),
    /// The value is not one of these.
    NotIn(Vec<String>),
    /// There is a value.
    Exists,
    /// The value is missing.
    Absent,
    /// The value begins with this text.
    StartsWith(String),
    /// The value ends with this text.
    EndsWith(String),
    /// The value has this text in it.
    Contains(String),
    /// The value compares to this number so. Both are decimals, as `-12.50`; a text that is not compares to nothing.
    Compares(Comparison, String),
}

/// How a number compares to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// It is greater.
    Greater,
    /// It is greater, or the same.
    GreaterOrEqual,
    /// It is less.
    Less,
    /// It is less, or the same.
    LessOrEqual,
}

/// The mistake in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FilterError {
    /// Too many conditions.
    #[error("the filter has more than {} conditions: use fewer, or a list of values", TagFilter::MAX_NODES)]
    TooManyNodes,
    /// Conditions in conditions.
    #[error("the filter is more than {} conditions deep: make it flatter", TagFilter::MAX_DEPTH)]
    TooDeep,
    /// Too much text.
    #[error("the filter has more than {} bytes of names and values: use fewer", TagFilter::MAX_BYTES)]
    TooLong,
}

impl TagFilter {
    /// The most conditions of a filter.
    pub const MAX_NODES: usize = 64;
    /// The most conditions inside of each other.
    pub const MAX_DEPTH: usize = 16;
    /// The most bytes of names and values together. Each value of a list counts with eight bytes more.
    pub const MAX_BYTES: usize = 8 << 10;

    /// A filter by this condition.
    ///
    /// # Errors
    /// The condition exceeds a bound.
    pub fn new(mut condition: Condition) -> Result<Self, FilterError> {
        let mut size = Size::default();
        size.add(&mut condition, 1)?;
        Ok(Self(condition))
    }

    /// Whether a publication with these tags passes. The last of several tags with one name counts.
    #[must_use]
    pub fn matches(&self, tags: &[(String, String)]) -> bool {
        self.0.holds(tags)
    }
}

/// The size of a filter until now.
#[derive(Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    /// Adds a condition at this depth, and sorts its list.
    fn add(&mut self, condition: &mut Condition, depth: usize) -> Result<(), FilterError> {
        if depth > TagFilter::MAX_DEPTH {
            return Err(FilterError::TooDeep);
        }
        self.nodes += 1;
        if self.nodes > TagFilter::MAX_NODES {
            return Err(FilterError::TooManyNodes);
        }
        match condition {
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter_mut().try_for_each(|condition| self.add(condition, depth + 1))
            }
            Condition::Not(condition) => self.add(condition, depth + 1),
            Condition::Tag { name, test } => {
                self.bytes += name.len() + test.bytes();
                if self.bytes > TagFilter::MAX_BYTES {
                    return Err(FilterError::TooLong);
                }
                test.sort();
                Ok(())
            }
        }
    }
}

impl Condition {
    fn holds(&self, tags: &[(String, String)]) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(tags)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(tags)),
            Self::Not(condition) => !condition.holds(tags),
            Self::Tag { name, test } => {
                let value = tags.iter().rev().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str());
                test.passes(value)
            }
        }
    }
}

impl Test {
    fn passes(&self, value: Option<&str>) -> bool {
        match self {
            Self::Is(text) => value == Some(text),
            Self::IsNot(text) => value != Some(text),
            Self::In(texts) => is_in(texts, value),
            Self::NotIn(texts) => !is_in(texts, value),
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::StartsWith(text) => value.is_some_and(|value| value.starts_with(text)),
            Self::EndsWith(text) => value.is_some_and(|value| value.ends_with(text)),
            Self::Contains(text) => value.is_some_and(|value| value.contains(text)),
            Self::Compares(comparison, number) => value
                .and_then(|value| decimal::compare(value, number))
                .is_some_and(|is| comparison.accepts(is)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Exists | Self::Absent => 0,
            Self::In(texts) | Self::NotIn(texts) => texts.iter().map(|text| text.len() + 8).sum(),
            Self::Is(text)
            | Self::IsNot(text)
            | Self::StartsWith(text)
            | Self::EndsWith(text)
            | Self::Contains(text)
            | Self::Compares(_, text) => text.len(),
        }
    }

    fn sort(&mut self) {
        if let Self::In(texts) | Self::NotIn(texts) = self {
            texts.sort_unstable();
            texts.dedup();
        }
    }
}

/// Whether a value is in a sorted list.
fn is_in(texts: &[String], value: Option<&str>) -> bool {
    let value = value.unwrap_or_default();
    texts.binary_search_by(|text| text.as_str().cmp(value)).is_ok()
}

impl Comparison {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}
