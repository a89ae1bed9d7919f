//! The order of publications.

use std::{collections::HashMap, sync::Arc};

use tokio::task::JoinSet;

use super::helpers::{
    assert_each_in_order, assert_nothing_interrupted, channel, publish_numbered, subscribed,
};
use crate::{bus::Bus, node::eventually, recorder::Received};

/// Many publishers on all nodes: every node gets all their publications, in one order.
pub async fn publications_keep_their_order_on_every_node(bus: &impl Bus) {
    const PUBLISHERS: usize = 8;
    const COUNT: usize = 500;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let channels = ["a", "b:c"].map(channel);
    for node in &nodes {
        for channel in &channels {
            subscribed(node, channel).await;
        }
    }
    let mut publishers = JoinSet::new();
    for (index, node) in nodes.iter().enumerate() {
        for channel in &channels {
            for publisher in 0..PUBLISHERS {
                let name = format!("{index}-{publisher}");
                publishers.spawn(publish_numbered(node.clone(), channel.clone(), name, COUNT));
            }
        }
    }
    publishers.join_all().await;
    let all = nodes.len() * PUBLISHERS * COUNT;
    for channel in &channels {
        for node in &nodes {
            eventually("everything is delivered", || node.recorder.count(channel) == all).await;
        }
        let orders: Vec<_> = nodes.iter().map(|node| node.recorder.on(channel)).collect();
        assert!(orders.windows(2).all(|pair| pair.first() == pair.last()), "the nodes see different orders");
        for node in &nodes {
            assert_each_in_order(&node.recorder.texts(channel), nodes.len() * PUBLISHERS, COUNT);
            assert_sequences_rise(&node.recorder.on(channel));
        }
    }
    assert_nothing_interrupted(&nodes);
}

fn assert_sequences_rise(received: &[Received]) {
    let mut last = HashMap::new();
    for origin in received.iter().filter_map(|received| received.origin) {
        let before = last.insert(origin.node, origin.sequence);
        assert!(before < Some(origin.sequence), "{origin:?} after {before:?}");
    }
}

/// While the node has no room nothing is lost. Afterwards everything comes in order.
pub async fn a_node_without_room_gets_everything_later(bus: &impl Bus) {
    const COUNT: usize = 3000;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("room");
    subscribed(node, &channel).await;
    for round in 0..3 {
        node.recorder.close();
        let publishing = publish_numbered(node.clone(), channel.clone(), round.to_string(), COUNT);
        let opening = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            node.recorder.open();
        };
        tokio::join!(publishing, opening);
    }
    eventually("everything came", || node.recorder.count(&channel) == 3 * COUNT).await;
    assert_each_in_order(&node.recorder.texts(&channel), 3, COUNT);
    assert_nothing_interrupted(&nodes);
}
