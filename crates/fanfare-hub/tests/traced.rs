//! Traced publishes have spans and a context; others have neither.

use std::sync::Arc;

use fanfare_core::{
    BrokerEvents, Namespace, Payload, Publication, Publish, PublishError, TraceContext, Tracer,
    trace::{Delivery, Finish, Handshake, Published, Publishing},
};
use parking_lot::Mutex;

use crate::support::{Setup, channel, settle};

/// Traces publishes in channels that begin with `t`, or under a span.
#[derive(Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }

    fn on_end<T: std::fmt::Debug + 'static>(&self, what: String) -> Finish<T> {
        let notes = self.0.clone();
        Box::new(move |end| notes.lock().push(format!("{what}: {end:?}")))
    }
}

fn context(number: u8) -> TraceContext {
    TraceContext::new([number; 16], [number; 8], 1).unwrap()
}

impl Tracer for Notes {
    fn handshake(&self, _handshake: &Handshake<'_>) -> Option<Finish<u16>> {
        None
    }

    fn publish(&self, publishing: &Publishing<'_>) -> Option<(TraceContext, Finish<Published>)> {
        let Publishing { channel, bytes, session, parent } = *publishing;
        let is_traced = parent.is_some() || channel.as_str().starts_with('t');
        let by = if session.is_some() { "client" } else { "api" };
        is_traced.then(|| {
            let finish = self.on_end(format!("publish of {bytes} in {channel} by {by}"));
            let finish = Box::new(move |result: Published| finish(result.map(drop)));
            (parent.unwrap_or(context(1)), finish as Finish<Published>)
        })
    }

    fn fan_out(&self, delivery: &Delivery<'_>) -> Option<Finish<usize>> {
        let Delivery { channel, bytes, shard, parent } = *delivery;
        let under = parent.span_id()[0];
        Some(self.on_end(format!("fan-out of {bytes} in {channel} on shard {shard} under {under}")))
    }
}

fn traced(setup: Setup) -> (Arc<Notes>, Setup) {
    let notes = Arc::new(Notes::default());
    (notes.clone(), Setup { tracer: Some(notes), ..setup })
}

#[tokio::test(start_paused = true)]
async fn a_publish_and_its_fan_outs_have_spans() {
    let (notes, setup) = traced(Setup { shards: 2, ..Setup::default() });
    let node = setup.memory();
    // Sessions take turns among the shards, from 1 on.
    let clients =
        [node.client_in(&["t", "a"]).await, node.client_in(&["t"]).await, node.client_in(&["t"]).await];
    clients[0].say("pub t hello").await;
    settle().await;
    let mut notes_so_far = notes.taken();
    notes_so_far.sort();
    assert_eq!(
        notes_so_far,
        [
            "fan-out of 5 in t on shard 0 under 1: 1",
            "fan-out of 5 in t on shard 1 under 1: 2",
            "publish of 5 in t by client: Ok(())"
        ]
    );
    clients[0].say("pub a hello").await;
    node.publish("a", "hello").await.unwrap();
    settle().await;
    assert_eq!(notes.taken(), [""; 0], "an untraced publish has no span");
    let parent = Some(context(7));
    let publish = Publish::new(channel("a"), Payload::text("hi"));
    node.hub.publisher.publish_from_server(publish, parent, false).await.unwrap();
    settle().await;
    let mut notes_so_far = notes.taken();
    notes_so_far.sort();
    assert_eq!(notes_so_far, ["fan-out of 2 in a on shard 1 under 7: 1", "publish of 2 in a by api: Ok(())"]);
}

#[tokio::test(start_paused = true)]
async fn each_traced_publication_counts_its_deliveries() {
    let quiet = Namespace { echo: false, ..Namespace::default() };
    let (notes, setup) = traced(Setup { namespace: quiet, ..Setup::default() });
    let (node, recorder) = setup.recorded();
    let alice = node.client_in(&["a"]).await;
    let deliver = |text: &str, trace| {
        node.dispatcher.publication(Publication::new(channel("a"), Payload::text(text), None).traced(trace));
    };
    deliver("1", Some(context(1)));
    recorder.deliver_from(alice.session.id(), "a", "alice's");
    let bob = node.client_in(&["a"]).await;
    deliver("22", Some(context(2)));
    deliver("untraced", None);
    settle().await;
    assert_eq!(
        notes.taken(),
        ["fan-out of 1 in a on shard 0 under 1: 1", "fan-out of 2 in a on shard 0 under 2: 2"],
        "bob came after the first"
    );
    assert_eq!(bob.lines(), ["a 22", "a untraced"]);
}

#[tokio::test(start_paused = true)]
async fn only_a_traced_publish_has_a_context() {
    let (notes, setup) = traced(Setup::default());
    let (node, recorder) = setup.recorded();
    let client = node.client_in(&["a"]).await;
    client.say("pub t traced").await;
    client.say("pub a untraced").await;
    assert_eq!(recorder.traces(), [Some(context(1)), None]);
    recorder.answer(0, Err(PublishError::Unknown));
    assert_eq!(notes.taken(), ["publish of 6 in t by client: Err(Unknown)"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_tracer_a_context_is_ignored() {
    let (node, recorder) = Setup::default().recorded();
    let client = node.client_in(&["t"]).await;
    client.say("pub t hello").await;
    assert_eq!(recorder.traces(), [None]);
    let publication = Publication::new(channel("t"), Payload::text("hi"), None);
    node.dispatcher.publication(publication.traced(Some(context(1))));
    settle().await;
    assert_eq!(client.lines(), ["t hi"]);
}
