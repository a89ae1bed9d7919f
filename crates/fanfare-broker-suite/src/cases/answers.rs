//! Answers to publishes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare_core::{Payload, Publish, PublishError, Taken, broker::PublishOrder};

use super::helpers::{channel, subscribed};
use crate::{
    bus::Bus,
    node::{answer, eventually},
};

/// Each publish is answered once, a refused one too, however many are under way.
pub async fn each_publish_is_answered_once(bus: &impl Bus) {
    const COUNT: usize = 5000;
    let nodes = bus.nodes().await;
    let too_long = Payload::binary(vec![0; (1 << 20) + 1]);
    for node in &nodes {
        let answers: Arc<[AtomicUsize]> = (0..COUNT).map(|_| AtomicUsize::new(0)).collect();
        for number in 0..COUNT {
            let answers = answers.clone();
            let fails = number % 10 == 0;
            let payload = if fails { too_long.clone() } else { Payload::text("x") };
            let publish = Publish::new(channel("any"), payload);
            let done = move |result: Result<Taken, PublishError>| {
                assert_eq!(result.is_err(), fails, "{number}: {result:?}");
                if let Some(answers) = answers.get(number) {
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            };
            node.broker().publish(publish, Box::new(done));
        }
        eventually("all are answered", || answers.iter().all(|n| n.load(Ordering::SeqCst) > 0)).await;
        assert!(answers.iter().all(|n| n.load(Ordering::SeqCst) == 1), "one was answered twice");
    }
}

/// After a failure, the rest of a publish order is refused.
pub async fn a_failure_refuses_the_rest_of_its_order(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("order");
    subscribed(subscriber, &channel).await;
    let (order, other) = (Arc::new(PublishOrder::default()), Arc::new(PublishOrder::default()));
    let text = |text: &str| Payload::text(text);
    let first = answer(publisher.publish(&channel, text("1"), Some(&order))).await;
    let too_long = answer(publisher.publish(&channel, Payload::binary(vec![0; (1 << 20) + 1]), Some(&order)));
    let failed = too_long.await;
    let third = answer(publisher.publish(&channel, text("3"), Some(&order))).await;
    let others = answer(publisher.publish(&channel, text("other"), Some(&other))).await;
    assert_eq!((first, others), (Ok(Taken::default()), Ok(Taken::default())));
    for refused in [failed, third] {
        assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    }
    assert!(order.has_failed() && !other.has_failed());
    eventually("the other publisher's message arrives", || subscriber.recorder.count(&channel) == 2).await;
    assert_eq!(subscriber.recorder.texts(&channel), ["1", "other"]);
}

/// A broker that stops publishes the waiting messages, answers everything, and refuses later ones.
pub async fn a_broker_that_stops_answers_everything(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("stop");
    let answers: Vec<_> = (0..1000).map(|_| node.publish(&channel, Payload::text("x"), None)).collect();
    node.started.stop().await;
    for answered in answers {
        assert_eq!(answer(answered).await, Ok(Taken::default()));
    }
    let late = node.publish_text(&channel, "late").await;
    assert!(matches!(late, Err(PublishError::Refused(_))), "{late:?}");
}
