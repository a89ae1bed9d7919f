//! Spans of publishes and fan-outs, where they are traced.
//!
//! Invariant: where the node has no tracer, a publish pays one branch, and a fan-out one for each channel of a tick.

use fanfare_core::{
    Publish, TraceContext,
    broker::Done,
    trace::{Delivery, Finish, Publishing},
};

use crate::{
    batch::{Batch, Queued},
    hub::Hub,
    shard::{Member, Members},
};

impl Hub {
    /// Hands a publish to the broker, in a span under `parent` where it is traced.
    pub(crate) fn hand_over(&self, mut publish: Publish, parent: Option<TraceContext>, done: Done) {
        let span = self.tracer().and_then(|tracer| {
            let Publish { channel, payload, session, .. } = &publish;
            tracer.publish(&Publishing { channel, bytes: payload.len(), session: *session, parent })
        });
        let Some((trace, finish)) = span else { return self.broker().publish(publish, done) };
        publish.trace = Some(trace);
        let done = move |result: Result<_, _>| {
            finish(result.clone());
            done(result);
        };
        self.broker().publish(publish, Box::new(done));
    }
}

/// The spans of one fan-out, each with the number of its deliveries.
pub(crate) struct FanOut(Vec<(Finish<usize>, usize)>);

impl FanOut {
    /// Begins a span for each traced publication of a batch that goes to these members.
    pub(crate) fn begin(hub: &Hub, batch: &Batch, members: &Members) -> Self {
        let Some(tracer) = hub.tracer() else { return Self(Vec::new()) };
        let shard = members.first().map_or(0, |(_, member)| member.session.shard) as usize;
        let span = |queued: &Queued| {
            let publication = &queued.publication;
            let (channel, bytes) = (&publication.channel, publication.payload.len());
            let finish = tracer.fan_out(&Delivery { channel, bytes, shard, parent: publication.trace? })?;
            let gets_it = |(_, member): &(_, &Member)| queued.is_for(member.session.id, member.since);
            Some((finish, members.iter().filter(gets_it).count()))
        };
        Self(batch.iter().filter_map(span).collect())
    }

    /// All of it is written, or waits for its socket.
    pub(crate) fn end(self) {
        self.0.into_iter().for_each(|(finish, deliveries)| finish(deliveries));
    }
}
