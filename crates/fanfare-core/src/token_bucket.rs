//! A token bucket, without a clock: its caller knows how much time has passed.

/// Tokens that are added up to a size, and taken.
#[derive(Debug)]
pub struct TokenBucket(f64);

impl TokenBucket {
    /// A bucket with this number of tokens.
    pub fn new(tokens: usize) -> Self {
        Self(tokens as f64)
    }

    /// The number of tokens.
    pub fn level(&self) -> f64 {
        self.0
    }

    /// Adds tokens; the bucket holds at most `size` then.
    pub fn add(&mut self, tokens: f64, size: f64) {
        self.0 = (self.0 + tokens).min(size);
    }

    /// Takes tokens, if there are enough. Whether there are.
    pub fn take(&mut self, tokens: usize) -> bool {
        let tokens = tokens as f64;
        let has_enough = self.0 >= tokens;
        if has_enough {
            self.0 -= tokens;
        }
        has_enough
    }
}
