//! Spans of publishes and fan-outs.
//!
//! Invariant: without a tracer a publish pays one branch, and a fan-out one for each channel of a tick.

use fanfare_core::{
    Broker, Publish, TraceContext, Tracer,
    broker::Done,
    trace::{Delivery, Finish, Published, Publishing},
};

use crate::delivery::{
    batch::{Batch, Queued},
    shard::{Members, SessionById},
};

/// Hands a publish to the broker, in a span under `parent` where it is traced.
#[inline]
pub(crate) fn hand_over(
    broker: &dyn Broker,
    tracer: Option<&dyn Tracer>,
    publish: Publish,
    parent: Option<TraceContext>,
    done: Done,
) {
    match tracer {
        None => broker.publish(publish, done),
        Some(tracer) => hand_over_traced(broker, tracer, publish, parent, done),
    }
}

fn hand_over_traced(
    broker: &dyn Broker,
    tracer: &dyn Tracer,
    mut publish: Publish,
    parent: Option<TraceContext>,
    done: Done,
) {
    let Publish { channel, payload, session, .. } = &publish;
    let publishing = Publishing { channel, bytes: payload.len(), session: *session, parent };
    let Some((trace, finish)) = tracer.publish(&publishing) else {
        return broker.publish(publish, done);
    };
    publish.trace = Some(trace);
    let done = move |result: Published| {
        finish(result.clone());
        done(result);
    };
    broker.publish(publish, Box::new(done));
}

/// The spans of one fan-out, each with the number of its deliveries.
pub(crate) struct FanOutSpans(Vec<(Finish<usize>, usize)>);

impl FanOutSpans {
    /// Begins a span for each traced publication of a batch that goes to these members.
    #[inline]
    pub(crate) fn begin(tracer: Option<&dyn Tracer>, batch: &mut Batch, members: &Members) -> Self {
        match tracer {
            None => Self(Vec::new()),
            Some(tracer) => Self::begin_traced(tracer, batch, members),
        }
    }

    fn begin_traced(tracer: &dyn Tracer, batch: &mut Batch, members: &Members) -> Self {
        let shard = members.first().map_or(0, |(SessionById(session), _)| session.shard) as usize;
        let span = |queued: &Queued| {
            let publication = &queued.publication;
            let (channel, bytes) = (&publication.channel, publication.payload.len());
            let finish = tracer.fan_out(&Delivery { channel, bytes, shard, parent: publication.trace? })?;
            Some((queued.sequence, finish))
        };
        let mut spans: Vec<_> =
            batch.iter().filter_map(span).map(|(sequence, finish)| (sequence, (finish, 0))).collect();
        if spans.is_empty() {
            return Self(Vec::new());
        }
        for (SessionById(session), membership) in members {
            let member = batch.member(session.id, *membership, session.dialect());
            for queued in batch.queued_for(member) {
                let at = spans.binary_search_by_key(&queued.sequence, |(sequence, _)| *sequence);
                if let Some((_, (_, deliveries))) = at.ok().and_then(|at| spans.get_mut(at)) {
                    *deliveries += 1;
                }
            }
        }
        Self(spans.into_iter().map(|(_, span)| span).collect())
    }

    /// Ends the spans: each publication is written, or waits for its socket.
    pub(crate) fn end(self) {
        self.0.into_iter().for_each(|(finish, deliveries)| finish(deliveries));
    }
}
