//! The forms of values: each shape reads a value, shows it, and says what is allowed.
//!
//! - `contract`: the trait, and the fault of a value
//! - `number`: switches, numbers, sizes and durations; `units`: how sizes and durations are written
//! - `text`: words of a list, and texts that other code reads; `list`: lists

mod contract;
mod list;
mod number;
mod text;
mod units;

pub use self::contract::{Fault, Shape};
pub(super) use self::{
    list::List,
    number::{Count, Size, Span, Switch},
    text::{Choice, Text, quoted},
    units::{show_duration, show_size},
};
