//! Which traces are begun: decided before anything is made for one.
//!
//! Invariant: a trace that is begun has an id that OpenTelemetry's own sampler by ratio takes too, here and at whoever
//! asks again: of the ids it takes, all are as likely. So the decision costs a random number, and what is not sampled
//! costs nothing else.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use rand::Rng;

/// How many of 2^63 ids are sampled, those that are smaller: the SDK's `TraceIdRatioBased` compares an id's last 63
/// bits but one so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio(u64);

impl Ratio {
    /// From 0 to 1.
    pub(super) fn new(ratio: f64) -> Self {
        Self((ratio * (1_u64 << 63) as f64) as u64)
    }

    /// Whether the next trace is begun.
    pub(super) fn says_yes(self) -> bool {
        rand::random::<u64>() >> 1 < self.0
    }
}

/// Ids of traces that are begun.
impl IdGenerator for Ratio {
    fn new_trace_id(&self) -> TraceId {
        let mut random = rand::rng();
        let sampled = random.random_range(0..self.0.max(1));
        let low = sampled << 1 | u64::from(random.random::<bool>());
        TraceId::from(u128::from(random.random::<u64>()) << 64 | u128::from(low))
    }

    fn new_span_id(&self) -> SpanId {
        RandomIdGenerator::default().new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanKind;
    use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

    use super::*;

    #[test]
    fn what_is_begun_is_sampled_by_the_sdk_too() {
        for ratio in [1e-9, 0.01, 0.5, 1.0] {
            let ids = Ratio::new(ratio);
            for _ in 0..1000 {
                let id = ids.new_trace_id();
                let sampler = Sampler::TraceIdRatioBased(ratio);
                let result = sampler.should_sample(None, id, "", &SpanKind::Producer, &[], &[]);
                assert_eq!(result.decision, SamplingDecision::RecordAndSample, "{id} at {ratio}");
            }
        }
    }

    #[test]
    fn so_many_are_begun_as_the_ratio_says() {
        for (ratio, from, to) in [(0.0, 0, 0), (0.5, 45_000, 55_000), (1.0, 100_000, 100_000)] {
            let begun = (0..100_000).filter(|_| Ratio::new(ratio).says_yes()).count();
            assert!((from..=to).contains(&begun), "{begun} at {ratio}");
        }
    }

    #[test]
    fn ids_are_spread_over_all_that_are_sampled() {
        let half = Ratio::new(0.5);
        let upper = (0..10_000).filter(|_| half.new_trace_id().to_bytes()[8] >= 0x40).count();
        assert!((4000..6000).contains(&upper), "{upper}");
    }
}
