//! More messages wait than Redis takes: which is next, and which waited too long.

use std::{sync::Arc, time::Duration};

use fanfare_broker_suite::{Answered, RedisServer, TestNode, eventually};
use fanfare_core::{Limits, Payload, PublishError, Taken, broker::PublishOrder};

use crate::support::{channel, config};

/// The most messages that are written and unanswered.
const UNDER_WAY: usize = 1024;
const FLOOD: usize = 5 * UNDER_WAY;

/// `CLIENT PAUSE`: PUBLISH waits in Redis, and other commands are answered.
async fn pause(server: &RedisServer) {
    let () = server.run(redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE")).await.unwrap();
}

async fn unpause(server: &RedisServer) {
    let () = server.run(redis::cmd("CLIENT").arg("UNPAUSE")).await.unwrap();
}

/// Publishes [`FLOOD`] messages of one session, without waiting for the answers.
fn flood(node: &TestNode, order: &Arc<PublishOrder>) -> Vec<Answered> {
    let payload = |number| Payload::text(format!("flood {number}"));
    (0..FLOOD).map(|number| node.publish(&channel("turns"), payload(number), Some(order))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_publishers_are_next_behind_a_flood() {
    let server = RedisServer::start().await.unwrap();
    let limits = Limits { publish_wait: Duration::from_secs(60), ..Limits::default() };
    let node = TestNode::with_limits(config(server.port()), limits);
    node.is_up().await;
    node.subscribe(&channel("turns")).await.unwrap();
    for round in 0..5 {
        pause(&server).await;
        let orders = [(); 2].map(|()| Arc::new(PublishOrder::default()));
        let mut answers = flood(&node, &orders[0]);
        answers.push(node.publish(&channel("turns"), Payload::text("other"), Some(&orders[1])));
        answers.push(node.publish(&channel("turns"), Payload::text("api"), None));
        unpause(&server).await;
        for answered in answers {
            assert_eq!(answered.await, Ok(Ok(Taken::default())));
        }
        let all = (round + 1) * (FLOOD + 2);
        eventually("all is delivered", || node.recorder.count(&channel("turns")) == all).await;
        let texts = node.recorder.texts(&channel("turns")).split_off(round * (FLOOD + 2));
        let at = |wanted: &str| texts.iter().position(|text| text == wanted).unwrap();
        assert!(at("other").max(at("api")) < UNDER_WAY + 4, "{} {}", at("other"), at("api"));
        let flooded: Vec<_> = texts.iter().filter_map(|text| text.strip_prefix("flood ")).collect();
        let in_order: Vec<_> = (0..FLOOD).map(|number| number.to_string()).collect();
        assert_eq!(flooded, in_order);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_refuses_the_excess_only() {
    let server = RedisServer::start().await.unwrap();
    let limits = Limits { publish_wait: Duration::from_millis(100), ..Limits::default() };
    let node = TestNode::with_limits(config(server.port()), limits);
    node.is_up().await;
    node.subscribe(&channel("turns")).await.unwrap();
    pause(&server).await;
    let order = Arc::new(PublishOrder::default());
    let mut answers = flood(&node, &order);
    let waited = answers.split_off(UNDER_WAY);
    // Redis has not answered the written ones yet.
    for answered in waited {
        let refused = answered.await.unwrap();
        assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    }
    unpause(&server).await;
    let mut taken = 0;
    for (number, answered) in answers.into_iter().enumerate() {
        match answered.await.unwrap() {
            Ok(_) => {
                assert_eq!(
                    std::mem::replace(&mut taken, number + 1),
                    number,
                    "the taken messages are a prefix"
                )
            }
            // The canary is under way too.
            Err(error) => assert!(matches!(error, PublishError::Refused(_)), "{error:?}"),
        }
    }
    assert!(taken > UNDER_WAY / 2, "{taken}");
    eventually("all taken messages are delivered", || node.recorder.count(&channel("turns")) == taken).await;
}
