//! Parsers of flags' values.

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

/// A rate above zero, and not above the rate of any server.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(rate),
        Ok(_) => Err("must be between 0.001 and 10,000,000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
