//! Publishes with idempotency keys.

use std::time::Duration;

use fanfare_core::{Channel, Payload, Publish, Retention, Taken};

use super::helpers::{channel, subscribed, taken};
use crate::{
    bus::Bus,
    node::{TestNode, answer, eventually},
};

/// A publish that comes again with its key is delivered once, and has one position. A key is one of its channel.
pub async fn a_key_is_taken_once_in_its_channel(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let retention = Retention { size: 10, ttl: Duration::from_secs(600) };
    // The end of one name and the beginning of the key can be exchanged.
    for (channel, key, kept) in [
        ("a", "b:c", true),
        ("a:b", "c", true),
        ("a", "d", true),
        ("plain", "b:c", false),
        ("plain:b", "c", false),
    ] {
        let channel = self::channel(channel);
        subscribed(last, &channel).await;
        let before = last.recorder.count(&channel);
        let publish = || {
            let publish = Publish::new(channel.clone(), Payload::text(key)).once(key);
            publish.kept(kept.then_some(retention))
        };
        let Ok(taken) = answer(first.hand_over(publish())).await else { panic!("{channel} {key}") };
        assert_eq!((taken.position.is_some(), taken.duplicate), (kept, false), "{channel} {key}");
        for node in &nodes {
            let again = answer(node.hand_over(publish())).await;
            assert_eq!(again, Ok(Taken { duplicate: true, ..taken }), "{channel} {key}");
        }
        super::helpers::taken(first, &channel, "behind").await;
        eventually("the one behind arrives", || {
            last.recorder.texts(&channel).last().is_some_and(|t| t == "behind")
        })
        .await;
        assert_eq!(texts_from(last, &channel, before), [key, "behind"]);
        let received = last.recorder.on(&channel);
        assert_eq!(received.iter().nth_back(1).map(|received| received.position), Some(taken.position));
        assert!(received.iter().all(|received| received.attributes.is_none()), "a subscriber gets the key");
    }
}

/// Publishes with one key are under way at once, on every node: one is delivered.
pub async fn a_key_is_taken_once_at_once(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(subscriber) = nodes.first() else { panic!("no nodes") };
    let channel = channel("race");
    subscribed(subscriber, &channel).await;
    let retention = Retention { size: 100, ttl: Duration::from_secs(600) };
    for kept in [None, Some(retention)] {
        let before = subscriber.recorder.count(&channel);
        let mut answers = Vec::new();
        for _ in 0..20 {
            for node in &nodes {
                let publish = Publish::new(channel.clone(), Payload::text("x")).once(format!("{kept:?}"));
                answers.push(node.hand_over(publish.kept(kept)));
            }
        }
        let mut outcomes = Vec::new();
        for answered in answers {
            outcomes.push(answer(answered).await.unwrap_or_else(|error| panic!("{error}")));
        }
        assert_eq!(outcomes.iter().filter(|taken| !taken.duplicate).count(), 1);
        assert!(outcomes.windows(2).all(|pair| matches!(pair, [a, b] if a.position == b.position)));
        taken(subscriber, &channel, "behind").await;
        eventually("the one behind arrives", || subscriber.recorder.count(&channel) >= before + 2).await;
        assert_eq!(texts_from(subscriber, &channel, before), ["x", "behind"]);
    }
}

/// The texts that a node got, without the first ones.
fn texts_from(node: &TestNode, channel: &Channel, before: usize) -> Vec<String> {
    node.recorder.texts(channel).into_iter().skip(before).collect()
}
