//! The traces that are begun, decided before anything is made for one.
//!
//! Invariant: OpenTelemetry's own sampler by ratio takes the id of every trace that is begun, here and elsewhere. All
//! ids that it takes are equally likely. So the decision costs a random number, and a trace that is not begun costs
//! nothing else.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use rand::Rng;

/// The number of ids, of 2^63, that are sampled: the smaller ones. The SDK's `TraceIdRatioBased` compares the last 63
/// bits but one of an id with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio(u64);

impl Ratio {
    /// From a ratio from 0 to 1.
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
    fn the_sdk_samples_every_begun_trace() {
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
    fn the_ratio_of_traces_is_begun() {
        for (ratio, from, to) in [(0.0, 0, 0), (0.5, 45_000, 55_000), (1.0, 100_000, 100_000)] {
            let begun = (0..100_000).filter(|_| Ratio::new(ratio).says_yes()).count();
            assert!((from..=to).contains(&begun), "{begun} at {ratio}");
        }
    }

    #[test]
    fn ids_cover_the_whole_sampled_range() {
        let half = Ratio::new(0.5);
        let upper = (0..10_000).filter(|_| half.new_trace_id().to_bytes()[8] >= 0x40).count();
        assert!((4000..6000).contains(&upper), "{upper}");
    }
}
