//! What every broker must do: one suite, called once per broker by [`broker_suite!`](crate::broker_suite).
//!
//! - `node`: a broker at work with somebody who remembers what it delivered
//! - `cases`: order, echo, subscriptions, payloads, answers, control, registry
//! - `times`: when publications were published
//!
//! A case panics where the broker breaks a guarantee. None asserts how long something takes; [`PATIENCE`] only
//! ends a case that would wait for ever.

#![expect(clippy::panic, reason = "a case of a test suite says by a panic what is wrong")]

mod cases;
mod node;
mod times;

use std::time::Duration;

pub use cases::*;
pub use node::{Outages, Received, Recorder, TestNode, eventually};
pub use times::*;

use crate::BrokerConfig;

/// After how long a case gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A broker under test.
pub trait Bus: Sized + Send {
    /// How many nodes can share it.
    const NODES: usize;

    /// Makes one that nobody else uses.
    fn start() -> impl Future<Output = Self> + Send;

    /// How a node reaches it.
    fn config(&self) -> BrokerConfig;

    /// Starts as many nodes on it as there can be, up to two.
    fn nodes(&self) -> impl Future<Output = Vec<TestNode>> + Send {
        let config = self.config();
        async move {
            let mut nodes = Vec::new();
            for _ in 0..Self::NODES.min(2) {
                let node = TestNode::start(config.clone());
                node.is_up().await;
                nodes.push(node);
            }
            nodes
        }
    }
}

/// Makes a test of every case of the suite, for a [`Bus`].
#[macro_export]
macro_rules! broker_suite {
    ($bus:ty) => {
        $crate::broker_suite!($bus:
            publications_keep_their_order_on_every_node,
            a_publication_comes_back_once_with_its_origin,
            a_publication_says_when_it_was_published,
            a_confirmed_subscription_gets_every_later_publication,
            subscriptions_survive_thousands_of_changes,
            a_channel_wanted_again_loses_nothing,
            an_unwanted_channel_is_not_delivered_any_more,
            payloads_arrive_verbatim,
            attributes_arrive_with_their_publication,
            each_publish_is_answered_once,
            a_failure_refuses_the_rest_of_its_order,
            control_messages_reach_their_recipients_in_order,
            the_registry_lists_the_nodes,
            a_node_without_room_gets_everything_later,
            a_broker_that_stops_answers_everything,
        );
    };
    ($bus:ty: $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let bus = <$bus as $crate::suite::Bus>::start().await;
                $crate::suite::$case(&bus).await;
            }
        )*
    };
}
