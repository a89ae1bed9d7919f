//! Latencies in a histogram of all values, not of samples.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The highest latency, with three significant digits. Longer ones count as 60 s.
const HIGHEST_MICROS: u64 = 60_000_000;

/// Every latency of a run, in microseconds. Serialized as pairs of value and count.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram takes")]
        Self(Histogram::new_with_bounds(1, HIGHEST_MICROS, 3).expect("the bounds are good"))
    }
}

impl Latencies {
    /// Counts a latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(HIGHEST_MICROS));
    }

    /// Adds all latencies of the other.
    pub fn merge(&mut self, other: &Self) {
        for step in other.0.iter_recorded() {
            self.add(step.value_iterated_to(), step.count_since_last_iteration());
        }
    }

    /// Removes all latencies.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The quantiles.
    #[must_use]
    pub fn summary(&self) -> Latency {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: self.0.max() }
    }

    fn add(&mut self, value: u64, count: u64) {
        self.0.saturating_record_n(value, count);
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())),
        )
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            latencies.add(value, count);
        }
        Ok(latencies)
    }
}

/// Latency in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The maximum.
    pub max: u64,
}

impl fmt::Display for Latency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1e3;
        write!(
            out,
            "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
            ms(self.p50),
            ms(self.p99),
            ms(self.p999),
            ms(self.max)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|micros| latencies.record(Duration::from_micros(micros)));
        latencies
    }

    #[test]
    fn serialized_parts_merge_into_the_whole() {
        let whole = of((0..50_000).chain([70_000_000]));
        let mut merged = Latencies::default();
        for part in [of(0..20_000), of(20_000..50_000), of([70_000_000]), of([])] {
            let text = serde_json::to_string(&part).unwrap();
            merged.merge(&serde_json::from_str(&text).unwrap());
        }
        assert_eq!((merged.count(), merged.summary()), (50_001, whole.summary()));
    }

    #[test]
    fn quantiles_cover_all_values() {
        let Latency { p50, p99, p999, max } = of(1..=1_000).summary();
        assert_eq!([p50, p99, p999, max], [500, 990, 999, 1_000]);
        assert_eq!(of([]).summary(), Latency::default());
    }
}
