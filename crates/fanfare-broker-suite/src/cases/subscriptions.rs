//! Subscriptions that come and go.

use std::sync::Arc;

use fanfare_core::Payload;
use tokio::task::JoinSet;

use super::helpers::{
    assert_each_in_order, assert_nothing_interrupted, channel, publish_numbered, subscribed, taken,
};
use crate::{bus::Bus, node::eventually};

/// No publication that was handed over after a confirmation is missed.
pub async fn a_confirmed_subscription_gets_every_later_publication(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channels: Vec<_> = (0..500).map(|number| channel(&format!("later-{number}"))).collect();
    for channel in &channels {
        subscribed(subscriber, channel).await;
        // The next subscription is under way at the same time: the answer is not waited for.
        drop(publisher.publish(channel, Payload::text("later"), None));
    }
    for channel in &channels {
        eventually("later messages arrive", || subscriber.recorder.count(channel) == 1).await;
    }
}

/// Channels come and go by the thousand. A steady subscription misses nothing, and a confirmed one gets everything
/// after its confirmation.
pub async fn subscriptions_survive_thousands_of_changes(bus: &impl Bus) {
    const CHANNELS: usize = 50;
    const ROUNDS: usize = 40;
    const STEADY: usize = 2000;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let steady = channel("steady");
    subscribed(subscriber, &steady).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(publish_numbered(publisher.clone(), steady.clone(), "steady".to_owned(), STEADY));
    for number in 0..CHANNELS {
        let (publisher, subscriber) = (publisher.clone(), subscriber.clone());
        tasks.spawn(async move {
            let channel = channel(&format!("changing-{number}"));
            for round in 0..ROUNDS {
                let first = subscriber.broker().subscribe(&channel);
                subscriber.broker().unsubscribe(&channel);
                let second = subscriber.broker().subscribe(&channel);
                if round % 3 == 0 {
                    drop(first);
                } else {
                    assert_eq!(first.await, Ok(()));
                }
                assert_eq!(second.await, Ok(()));
                let text = format!("{round}");
                taken(&publisher, &channel, &text).await;
                eventually("a confirmed subscription gets it", || {
                    subscriber.recorder.texts(&channel).last() == Some(&text)
                })
                .await;
                subscriber.broker().unsubscribe(&channel);
            }
        });
    }
    tasks.join_all().await;
    eventually("the steady channel misses nothing", || subscriber.recorder.count(&steady) == STEADY).await;
    assert_each_in_order(&subscriber.recorder.texts(&steady), 1, STEADY);
    assert_nothing_interrupted(&nodes);
}

/// A channel that was given up and is wanted again has no gap after the confirmation, however long lies between.
pub async fn a_channel_wanted_again_loses_nothing(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("again");
    // A broker that lingers acts after a second.
    for milliseconds in [0, 1, 100, 990, 1000, 1005, 1010] {
        subscribed(subscriber, &channel).await;
        subscriber.broker().unsubscribe(&channel);
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        subscribed(subscriber, &channel).await;
        let before = subscriber.recorder.count(&channel);
        for number in 0..10 {
            taken(publisher, &channel, &number.to_string()).await;
        }
        eventually("nothing is missed", || subscriber.recorder.count(&channel) == before + 10).await;
    }
}

/// Publications of a channel that was given up come to an end.
pub async fn an_unwanted_channel_is_not_delivered_any_more(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let (given_up, kept) = (channel("given-up"), channel("kept"));
    subscribed(subscriber, &given_up).await;
    subscribed(subscriber, &kept).await;
    subscriber.broker().unsubscribe(&given_up);
    for round in 1.. {
        let before = subscriber.recorder.count(&given_up);
        taken(publisher, &given_up, "?").await;
        taken(publisher, &kept, "!").await;
        eventually("the wanted channel gets its message", || subscriber.recorder.count(&kept) == round).await;
        if subscriber.recorder.count(&given_up) == before {
            return;
        }
        assert!(round < 3000, "it is delivered for ever");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
