//! Steps that cases share.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Channel, Payload, Taken};

use crate::{
    node::{TestNode, answer},
    recorder::Outages,
};

pub(crate) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// No node was told of a loss.
pub(crate) fn assert_nothing_interrupted(nodes: &[impl std::ops::Deref<Target = TestNode>]) {
    for node in nodes {
        assert_eq!(node.recorder.outages(), Outages::default());
    }
}

pub(crate) async fn subscribed(node: &TestNode, channel: &Channel) {
    if let Err(error) = node.subscribe(channel).await {
        panic!("{channel}: {error}");
    }
}

pub(crate) async fn taken(node: &TestNode, channel: &Channel, text: &str) {
    if let Err(error) = node.publish_text(channel, text).await {
        panic!("{text} on {channel}: {error}");
    }
}

/// Publishes numbered messages, from 0 on, without waiting for answers. All are taken.
pub(crate) async fn publish_numbered(node: Arc<TestNode>, channel: Channel, publisher: String, count: usize) {
    let answers: Vec<_> = (0..count)
        .map(|number| node.publish(&channel, Payload::text(format!("{publisher} {number}")), None))
        .collect();
    for answered in answers {
        assert_eq!(answer(answered).await, Ok(Taken::default()));
    }
}

/// The numbers of each publisher are all there, once, in order.
pub(crate) fn assert_each_in_order(received: &[String], publishers: usize, count: usize) {
    let mut next: HashMap<&str, usize> = HashMap::new();
    for text in received {
        let (publisher, number) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
        let expected = next.entry(publisher).or_default();
        assert_eq!(number, expected.to_string(), "by {publisher}");
        *expected += 1;
    }
    assert_eq!(next.len(), publishers);
    assert!(next.values().all(|&n| n == count), "{next:?}");
}
