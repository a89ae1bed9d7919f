//! The content of a publication.

use std::time::Duration;

use bytes::Bytes;
use fanfare_core::{
    Attributes, ClientId, Payload, PayloadKind, Publish, PublishError, Retention, SessionId, Taken,
    TraceContext, attributes::PresenceChange, presence::PresenceEntry,
};

use super::helpers::{channel, subscribed, taken};
use crate::{
    bus::Bus,
    node::{answer, eventually},
};

/// A publication comes back to its node once, with its origin and its trace.
pub async fn a_publication_comes_back_once_with_its_origin(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let channel = channel("echo");
    let trace = TraceContext::new([1; 16], [2; 8], 1);
    assert!(trace.is_some());
    for node in &nodes {
        subscribed(node, &channel).await;
    }
    for node in &nodes {
        taken(node, &channel, "session").await;
        let payload = Payload::text("api");
        let publish = Publish::new(channel.clone(), payload).traced(trace);
        node.broker().publish(publish, Box::new(|result| assert_eq!(result, Ok(Taken::default()))));
    }
    for node in &nodes {
        eventually("everything came back", || node.recorder.count(&channel) == 2 * nodes.len()).await;
        let received = node.recorder.on(&channel);
        for publisher in &nodes {
            let of = |text: &str| {
                let mut of = received.iter().filter(|received| {
                    received.payload == Payload::text(text)
                        && received.origin.is_some_and(|origin| origin.node == publisher.incarnation)
                });
                let first = of.next();
                (first.and_then(|first| first.origin), first.and_then(|first| first.trace), of.count())
            };
            let (session, untraced, more) = of("session");
            assert_eq!(
                (session.and_then(|origin| origin.session), untraced, more),
                (Some(SessionId(7)), None, 0)
            );
            let (api, traced, more) = of("api");
            assert_eq!((api.map(|origin| origin.session), traced, more), (Some(None), trace, 0));
        }
    }
}

/// Bytes arrive unchanged, with their kind: empty and large ones too.
pub async fn payloads_arrive_verbatim(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("räume/東京");
    subscribed(subscriber, &channel).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let payloads = [
        Payload::text(""),
        Payload::binary(Bytes::new()),
        Payload::text("line\r\nbreak \u{0} 🎺"),
        Payload::json("{ \"spaces\" : [1, 2.50] }"),
        Payload::binary(every_byte.clone()),
        // The beginning of an envelope.
        Payload::binary(vec![0xC1, 0xFA, 1, 1, 0, 0]),
        Payload::binary(vec![0xC1, 0xFA]),
        Payload::binary(every_byte.repeat(64)),
        Payload::binary(every_byte.repeat(4096)),
        Payload::text("é".repeat(1 << 19)),
        Payload::text("small again"),
    ];
    for payload in &payloads {
        assert_eq!(answer(publisher.publish(&channel, payload.clone(), None)).await, Ok(Taken::default()));
    }
    eventually("all arrive", || subscriber.recorder.count(&channel) == payloads.len()).await;
    let received: Vec<_> =
        subscriber.recorder.on(&channel).into_iter().map(|received| received.payload).collect();
    for (sent, got) in payloads.iter().zip(&received) {
        assert!(sent == got, "{:?} of {} bytes: {:?} of {}", sent.kind(), sent.len(), got.kind(), got.len());
    }
    assert!(received.iter().any(|payload| payload.kind() == PayloadKind::Json));
}

/// Attributes arrive unchanged, and are bounded.
pub async fn attributes_arrive_with_their_publication(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("attributes");
    subscribed(subscriber, &channel).await;
    let tags = vec![("räume".to_owned(), String::new()), ("a".to_owned(), "b".to_owned())];
    let publish = || Publish::new(channel.clone(), Payload::text("x"));
    let full = |length| {
        let client = ClientId { node: publisher.incarnation, session: SessionId(8) };
        let channel_info = Some(Bytes::from(vec![0xFF; length]));
        let by = PresenceEntry { client, user: Some("ä".to_owned()), client_info: None, channel_info };
        let publish = publish().named("").tagged(tags.clone()).published_by(by);
        publish.excluding(subscriber.incarnation, SessionId(9))
    };
    let publishes = [publish(), publish().named("event"), full(10), full(Attributes::MAX_BYTES - 60)];
    let sent: Vec<_> = publishes.iter().map(|publish| publish.attributes.clone()).collect();
    for publish in publishes {
        assert_eq!(answer(publisher.hand_over(publish)).await, Ok(Taken::default()));
    }
    let refused = answer(publisher.hand_over(full(Attributes::MAX_BYTES))).await;
    assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    eventually("all arrive", || subscriber.recorder.count(&channel) == sent.len()).await;
    let received = subscriber.recorder.on(&channel).into_iter().map(|received| received.attributes);
    assert_eq!(received.collect::<Vec<_>>(), sent);
}

/// News of a client arrive in order with the publications of its node, on every node, without a position.
pub async fn news_of_clients_arrive_in_order(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(publisher) = nodes.first() else { panic!("no nodes") };
    let channel = channel("news");
    for node in &nodes {
        subscribed(node, &channel).await;
    }
    let client = ClientId { node: publisher.incarnation, session: SessionId(8) };
    let client_info = Some(Bytes::from_static(br#"{"a":1}"#));
    let client = PresenceEntry { client, user: Some("ann".to_owned()), client_info, channel_info: None };
    let news = |change| Publish::news(channel.clone(), change, client.clone());
    let kept = Some(Retention { size: 10, ttl: Duration::from_secs(60) });
    let publishes = [
        news(PresenceChange::Joined),
        Publish::new(channel.clone(), Payload::text("x")),
        Publish::new(channel.clone(), Payload::text("y")).kept(kept),
        news(PresenceChange::Left),
        Publish::new(channel.clone(), Payload::text("z")).kept(kept),
    ];
    let sent: Vec<_> = publishes.iter().map(|publish| publish.attributes.clone()).collect();
    for publish in publishes {
        let answered = answer(publisher.hand_over(publish)).await;
        assert!(answered.is_ok(), "{answered:?}");
    }
    for node in &nodes {
        eventually("all arrive", || node.recorder.count(&channel) == sent.len()).await;
        let received = node.recorder.on(&channel);
        let offsets = received.iter().map(|received| received.position.map(|at| at.offset));
        assert_eq!(offsets.collect::<Vec<_>>(), [None, None, Some(1), None, Some(2)]);
        assert!(received.iter().map(|received| &received.attributes).eq(&sent), "{received:?}");
    }
}
