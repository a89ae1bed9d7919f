//! Whole numbers in JSON: `7` and `7.0` are the same number there, and some languages write the latter.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// The greatest number: that of signed clients.
const GREATEST: u64 = i64::MAX.cast_unsigned();

/// The numbers up to here are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Whole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a whole number from 0 to {GREATEST}")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                let is_small = number <= GREATEST;
                is_small
                    .then_some(Whole(number))
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                let is_whole = number.fract() == 0.0 && (0.0..=EXACT).contains(&number);
                is_whole
                    .then_some(Whole(number as u64))
                    .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

/// Deserializes a number.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Whole::deserialize(deserializer).map(|Whole(number)| number)
}

/// Deserializes a number or `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Whole>::deserialize(deserializer).map(|found| found.map(|Whole(number)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_whole() {
        let read = |json| serde_json::from_str::<Whole>(json).map(|Whole(number)| number).ok();
        assert_eq!((read("0"), read("7"), read("7.0"), read("1e3")), (Some(0), Some(7), Some(7), Some(1000)));
        assert_eq!(read("9223372036854775807"), Some(GREATEST));
        for wrong in ["-1", "-1.0", "7.5", "1e17", "9223372036854775808", "1e400", "\"7\"", "null", "[]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
