//! Positions, and the histories of channels.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Channel, Epoch, Payload, Position, Publication, Publish, Retention, Taken,
    history::{Page, Range},
};
use tokio::task::JoinSet;

use super::helpers::{assert_nothing_interrupted, channel, subscribed, taken};
use crate::{
    bus::Bus,
    node::{TestNode, answer, eventually},
};

const LONG: Duration = Duration::from_secs(600);
const ALL: Range = Range::After { offset: 0, limit: 100_000 };

/// Publishes a text that is kept. Its position.
pub(crate) async fn kept(node: &TestNode, channel: &Channel, text: &str, retention: Retention) -> Position {
    let publish = Publish::new(channel.clone(), Payload::text(text)).kept(Some(retention));
    match answer(node.hand_over(publish)).await {
        Ok(Taken { position: Some(position), duplicate: false }) => position,
        other => panic!("{text} on {channel}: {other:?}"),
    }
}

/// Reads a range. It is consecutive, and of one epoch.
pub(crate) async fn read(node: &TestNode, channel: &Channel, range: Range) -> Page {
    let page = node.started.backend.history.read(channel, range).await;
    let page = page.unwrap_or_else(|error| panic!("{channel}: {error}"));
    let offsets: Vec<_> = positions(&page).iter().map(|position| position.offset).collect();
    assert!(offsets.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b)), "{offsets:?}");
    assert!(positions(&page).iter().all(|position| position.epoch == page.top.epoch));
    page
}

fn positions(page: &Page) -> Vec<Position> {
    page.publications.iter().filter_map(|publication| publication.position).collect()
}

fn texts(page: &Page) -> Vec<String> {
    page.publications.iter().map(|publication| text(publication)).collect()
}

fn text(publication: &Publication) -> String {
    String::from_utf8_lossy(publication.payload.bytes()).into_owned()
}

async fn top(node: &TestNode, channel: &Channel) -> Position {
    match node.started.backend.history.tops(std::slice::from_ref(channel)).await.as_deref() {
        Ok([top]) => *top,
        other => panic!("{channel}: {other:?}"),
    }
}

/// Publishers on all nodes: each publication has the next offset, and every node gets all of them in the order of the
/// history, with their positions. The history has them with everything that they carry.
pub async fn the_history_is_the_order_of_delivery(bus: &impl Bus) {
    const COUNT: usize = 300;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let channel = channel("chat:räume");
    for node in &nodes {
        subscribed(node, &channel).await;
    }
    let retention = Retention { size: 10_000, ttl: LONG };
    let mut publishers = JoinSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let (node, channel) = (node.clone(), channel.clone());
        publishers.spawn(async move {
            let publish = |number| {
                let publish = Publish::new(channel.clone(), Payload::json(format!("\"{index} {number}\"")));
                node.hand_over(publish.kept(Some(retention)).named(format!("event {number}")))
            };
            let answers: Vec<_> = (0..COUNT).map(publish).collect();
            let mut positions = Vec::new();
            for answered in answers {
                match answer(answered).await {
                    Ok(Taken { position: Some(position), duplicate: false }) => {
                        positions.push(position.offset)
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
            positions
        });
    }
    let mut answered: Vec<_> = publishers.join_all().await.into_iter().flatten().collect();
    answered.sort_unstable();
    let all = nodes.len() * COUNT;
    assert_eq!(answered, (1..=all as u64).collect::<Vec<_>>());
    for node in &nodes {
        eventually("everything is delivered", || node.recorder.count(&channel) == all).await;
        let page = read(node, &channel, ALL).await;
        let received = node.recorder.on(&channel);
        assert_eq!((page.top.offset, page.publications.len()), (all as u64, all));
        for (kept, received) in page.publications.iter().zip(received) {
            assert_eq!(kept.position, received.position);
            assert_eq!((kept.origin, &kept.payload), (received.origin, &received.payload));
            assert_eq!(kept.attributes, received.attributes);
            assert_eq!(kept.channel, channel);
        }
    }
    assert_nothing_interrupted(&nodes);
}

/// A range begins and ends where it says, and where the history does.
pub async fn ranges_are_cut_to_the_history(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(reader)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("ranges");
    for number in 1..=9 {
        kept(publisher, &channel, &number.to_string(), Retention { size: 100, ttl: LONG }).await;
    }
    for (range, expected) in [
        (ALL, 1..10),
        (Range::After { offset: 0, limit: 3 }, 1..4),
        (Range::After { offset: 6, limit: 100 }, 7..10),
        (Range::After { offset: 9, limit: 100 }, 0..0),
        (Range::After { offset: u64::MAX, limit: 100 }, 0..0),
        (Range::After { offset: 0, limit: 0 }, 0..0),
        (Range::Before { offset: None, limit: 2 }, 8..10),
        (Range::Before { offset: None, limit: usize::MAX }, 1..10),
        (Range::Before { offset: Some(4), limit: 2 }, 2..4),
        (Range::Before { offset: Some(4), limit: 100 }, 1..4),
        (Range::Before { offset: Some(1), limit: 100 }, 0..0),
        (Range::Before { offset: Some(0), limit: 100 }, 0..0),
        (Range::Before { offset: Some(u64::MAX), limit: 1 }, 9..10),
    ] {
        let page = read(reader, &channel, range).await;
        assert_eq!(page.top.offset, 9, "{range:?}");
        assert_eq!(texts(&page), expected.map(|number| number.to_string()).collect::<Vec<_>>(), "{range:?}");
    }
}

/// A long range comes whole, and large publications too.
pub async fn a_large_history_is_read_whole(bus: &impl Bus) {
    const COUNT: usize = 40;
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(reader)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("large");
    for number in 0..COUNT {
        let text = format!("{number} {}", "x".repeat(200 << 10));
        kept(publisher, &channel, &text, Retention { size: 100, ttl: LONG }).await;
    }
    for range in [ALL, Range::Before { offset: None, limit: 1000 }] {
        let page = read(reader, &channel, range).await;
        let numbers = texts(&page).into_iter().filter_map(|text| text.split(' ').next()?.parse().ok());
        assert_eq!(numbers.collect::<Vec<usize>>(), (0..COUNT).collect::<Vec<_>>());
    }
    let newest = read(reader, &channel, Range::Before { offset: None, limit: 30 }).await;
    assert_eq!(positions(&newest).first().map(|position| position.offset), Some(11));
}

/// The oldest publications go, and what is kept is consecutive. A broker may keep some more.
pub async fn a_history_is_trimmed_to_its_size(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("trimmed");
    for number in 1..=1000 {
        kept(node, &channel, &number.to_string(), Retention { size: 10, ttl: LONG }).await;
    }
    let page = read(node, &channel, ALL).await;
    assert_eq!(page.top.offset, 1000);
    assert_eq!(page.publications.last().and_then(|last| last.position), Some(page.top));
    assert!((10..=300).contains(&page.publications.len()), "{}", page.publications.len());
}

/// After its time nothing is kept, and the offsets go on. The time begins anew with each publication.
pub async fn a_history_expires_and_its_offsets_go_on(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("expires");
    let retention = Retention { size: 10, ttl: Duration::from_secs(1) };
    let first = kept(node, &channel, "1", retention).await;
    while !read(node, &channel, ALL).await.publications.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(top(node, &channel).await, first);
    let second = kept(node, &channel, "2", Retention { ttl: LONG, ..retention }).await;
    assert_eq!(second, Position { offset: 2, ..first });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(texts(&read(node, &channel, ALL).await), ["2"]);
}

/// A history that is removed is gone on every node, and the offsets go on.
pub async fn a_removed_history_keeps_its_offsets(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(reader)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("removed");
    let retention = Retention { size: 10, ttl: LONG };
    kept(publisher, &channel, "1", retention).await;
    let second = kept(publisher, &channel, "2", retention).await;
    let history = &reader.started.backend.history;
    assert_eq!(history.remove(&channel).await, Ok(()));
    let page = read(publisher, &channel, ALL).await;
    assert_eq!((page.top, page.publications.len()), (second, 0));
    assert_eq!(kept(publisher, &channel, "3", retention).await, Position { offset: 3, ..second });
    assert_eq!(texts(&read(reader, &channel, ALL).await), ["3"]);
    assert_eq!(history.remove(&self::channel("never")).await, Ok(()));
}

/// A channel has its epoch before anything is published, the same on every node, and keeps it.
pub async fn a_channel_has_an_epoch_from_the_beginning(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let channels = ["epoch-read", "epoch-tops"].map(channel);
    let mut epochs: [Vec<Epoch>; 2] = Default::default();
    for node in &nodes {
        let page = read(node, &channels[0], ALL).await;
        assert_eq!((page.top.offset, page.publications.len()), (0, 0));
        epochs[0].push(page.top.epoch);
        epochs[1].push(top(node, &channels[1]).await.epoch);
    }
    for (channel, epochs) in channels.iter().zip(&mut epochs) {
        for node in &nodes {
            epochs.push(kept(node, channel, "x", Retention { size: 10, ttl: LONG }).await.epoch);
            epochs.push(top(node, channel).await.epoch);
        }
        epochs.dedup();
        assert_eq!(epochs.len(), 1, "{epochs:?}");
    }
}

/// A publication that is not kept has no position, and takes no offset. All of them come in order.
pub async fn unkept_publications_have_no_position(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("mixed");
    subscribed(subscriber, &channel).await;
    for number in 0..20 {
        let text = number.to_string();
        if number % 2 == 0 {
            kept(publisher, &channel, &text, Retention { size: 100, ttl: LONG }).await;
        } else {
            taken(publisher, &channel, &text).await;
        }
    }
    eventually("all arrive", || subscriber.recorder.count(&channel) == 20).await;
    let received = subscriber.recorder.on(&channel);
    let offsets: Vec<_> = received.iter().map(|received| received.position.map(|at| at.offset)).collect();
    let expected = (0..20).map(|number| (number % 2 == 0).then_some(number / 2 + 1));
    assert_eq!(offsets, expected.collect::<Vec<_>>());
    assert_eq!(subscriber.recorder.texts(&channel), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    let evens = (0..20).step_by(2).map(|number| number.to_string());
    assert_eq!(texts(&read(subscriber, &channel, ALL).await), evens.collect::<Vec<_>>());
}

/// The tops of many channels come in the order of the question.
pub async fn the_tops_of_many_channels_are_told(bus: &impl Bus) {
    const COUNT: usize = 2500;
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(reader)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channels: Vec<_> = (0..COUNT).map(|number| channel(&format!("top-{number}"))).collect();
    let retention = Retention { size: 10, ttl: LONG };
    let publish = |channel: &Channel| {
        publisher.hand_over(Publish::new(channel.clone(), Payload::text("x")).kept(Some(retention)))
    };
    let published: Vec<_> = (0..COUNT).map(|number| if number % 7 == 0 { number % 3 } else { 0 }).collect();
    let mut answers = Vec::new();
    for (channel, count) in channels.iter().zip(&published) {
        answers.extend((0..*count).map(|_| publish(channel)));
    }
    for answered in answers {
        assert!(answer(answered).await.is_ok());
    }
    let tops = reader.started.backend.history.tops(&channels).await;
    let tops = tops.unwrap_or_else(|error| panic!("{error}"));
    let offsets: Vec<_> = tops.iter().map(|top| top.offset).collect();
    assert_eq!(offsets, published.iter().map(|count| *count as u64).collect::<Vec<_>>());
    assert_eq!(publisher.started.backend.history.tops(&channels).await, Ok(tops));
    assert_eq!(reader.started.backend.history.tops(&[]).await, Ok(Vec::new()));
}
