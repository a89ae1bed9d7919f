//! Nodes among themselves: control messages and the registry.

use fanfare_core::broker::Recipient;

use crate::{bus::Bus, node::eventually};

/// Control messages reach one node or all, the sender included, in the order of each sender.
pub async fn control_messages_reach_their_recipients_in_order(bus: &impl Bus) {
    const COUNT: usize = 200;
    let nodes = bus.nodes().await;
    for number in 0..COUNT {
        for node in &nodes {
            node.control(Recipient::All, &format!("all {number}"));
            for to in &nodes {
                node.control(Recipient::Node(to.incarnation), &format!("one {number}"));
            }
            node.control(Recipient::Node(fanfare_core::Incarnation(0)), "nobody");
        }
    }
    let expected = |kind: &str| (0..COUNT).map(|number| format!("{kind} {number}")).collect::<Vec<_>>();
    for node in &nodes {
        eventually("all control messages arrive", || {
            node.recorder.controls().len() == 2 * COUNT * nodes.len()
        })
        .await;
        for sender in &nodes {
            let of = |kind: &str| {
                let controls = node.recorder.controls().into_iter();
                controls
                    .filter(|message| message.from == sender.incarnation)
                    .map(|message| String::from_utf8_lossy(&message.body).into_owned())
                    .filter(|text| text.starts_with(kind))
                    .collect::<Vec<_>>()
            };
            assert_eq!((of("all"), of("one")), (expected("all"), expected("one")));
        }
    }
}

/// An entry is listed once it was announced, is renewed by the next one, and is gone once it was withdrawn.
pub async fn the_registry_lists_the_nodes(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let mut infos = Vec::new();
    // The names are not in the order in which the nodes announce themselves.
    for (index, node) in nodes.iter().enumerate() {
        let registry = &node.started.registry;
        let info = node.info(&format!("node-{}", 9 - index));
        assert_eq!(registry.announce(&info).await, Ok(()));
        let info = fanfare_core::NodeInfo { connections: 5, ..info };
        assert_eq!(registry.announce(&info).await, Ok(()));
        infos.insert(0, info);
    }
    for node in &nodes {
        assert_eq!(node.started.registry.nodes().await, Ok(infos.clone()));
    }
    for node in &nodes {
        assert_eq!(node.started.registry.withdraw().await, Ok(()));
        infos.pop();
        for node in &nodes {
            assert_eq!(node.started.registry.nodes().await, Ok(infos.clone()));
        }
    }
}
