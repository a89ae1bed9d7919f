//! When publications were published.

use std::time::{Duration, Instant};

use super::helpers::{channel, subscribed, taken};
use crate::{
    bus::Bus,
    node::{TestNode, eventually},
};

/// The resolution of the time in an envelope.
const RESOLUTION: Duration = Duration::from_micros(1);
/// Longer than a test takes, and shorter than the distance of unrelated clocks.
const PLAUSIBLE: Duration = Duration::from_secs(600);

/// Each node knows when a publication was published: exactly for its own ones, by a shared clock for others.
pub async fn a_publication_says_when_it_was_published(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    for (number, publisher) in nodes.iter().enumerate() {
        let channel = channel(&format!("from-{number}"));
        for node in &nodes {
            subscribed(node, &channel).await;
        }
        // A node that has just started may not know the time yet.
        while published(&nodes, publisher, &channel).await.iter().any(Option::is_none) {}
        let before = Instant::now();
        let times = published(&nodes, publisher, &channel).await;
        let after = Instant::now();
        for (node, time) in nodes.iter().zip(times) {
            let Some(time) = time else { panic!("it was timed before") };
            let (earliest, latest) = if node.incarnation == publisher.incarnation {
                (before - RESOLUTION, after)
            } else {
                (before - PLAUSIBLE, after + PLAUSIBLE)
            };
            assert!(earliest <= time && time <= latest, "{time:?}, not {earliest:?} to {latest:?}");
        }
    }
}

/// Publishes. The time of it, by each node.
async fn published(
    nodes: &[TestNode],
    publisher: &TestNode,
    channel: &fanfare_core::Channel,
) -> Vec<Option<Instant>> {
    let count = publisher.recorder.count(channel) + 1;
    taken(publisher, channel, "now").await;
    let mut times = Vec::new();
    for node in nodes {
        eventually("it is delivered", || node.recorder.count(channel) == count).await;
        times.push(node.recorder.published(channel).pop().flatten());
    }
    times
}
