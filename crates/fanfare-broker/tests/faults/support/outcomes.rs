//! The outcomes of numbered publications.

use std::collections::HashSet;

use fanfare_broker_suite::{Answered, TestNode, eventually};
use fanfare_core::{Channel, Payload, PublishError};

pub(crate) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

/// Publishes the numbers of `range`, without waiting for the answers.
pub(crate) fn publish(
    node: &TestNode,
    channel: &Channel,
    range: std::ops::Range<usize>,
) -> Vec<(usize, Answered)> {
    range.map(|number| (number, node.publish(channel, Payload::text(number.to_string()), None))).collect()
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) taken: HashSet<usize>,
    pub(crate) refused: HashSet<usize>,
    pub(crate) unknown: HashSet<usize>,
}

impl Outcomes {
    pub(crate) async fn of(answers: Vec<(usize, Answered)>) -> Self {
        let mut outcomes = Self::default();
        for (number, answered) in answers {
            let set = match answered.await.expect("each publish is answered") {
                Ok(_) => &mut outcomes.taken,
                Err(PublishError::Refused(_) | PublishError::Forbidden(_)) => &mut outcomes.refused,
                Err(PublishError::Unknown) => &mut outcomes.unknown,
            };
            set.insert(number);
        }
        outcomes
    }
}

/// The numbers that a node got on a channel. They rise: none comes twice, none out of order.
pub(crate) fn delivered(node: &TestNode, channel: &Channel) -> Vec<usize> {
    let numbers: Vec<usize> =
        node.recorder.texts(channel).iter().filter_map(|text| text.parse().ok()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "twice or out of order");
    numbers
}

/// A message that is published now arrives.
pub(crate) async fn assert_restored(publisher: &TestNode, subscriber: &TestNode, channel: &Channel) {
    publisher.is_up().await;
    subscriber.is_up().await;
    publisher.publish_text(channel, "restored").await.unwrap();
    eventually("the message arrives", || {
        subscriber.recorder.texts(channel).last().is_some_and(|last| last == "restored")
    })
    .await;
}
