//! The suite that every broker passes, and helpers of its tests. [`broker_suite!`] makes a test of each case.
//!
//! - `cases`: the cases, by subject
//! - `bus`: a broker under test
//! - `node`: a node that records the calls of its broker; `recorder`: the record
//! - `redis_server`: a redis-server of a test's own; `sentinel_servers`: three with Sentinels;
//!   `cluster_servers`: six that are a Cluster
//!
//! A case panics where the broker breaks a guarantee. No case asserts how long something takes: [`PATIENCE`] only ends
//! a case that would wait for ever.

#![expect(clippy::panic, reason = "a case of a test suite says by a panic what is wrong")]

mod bus;
mod cases;
mod cluster_servers;
mod node;
mod recorder;
mod redis_server;
mod sentinel_servers;

pub use bus::Bus;
pub use cases::*;
pub use cluster_servers::ClusterServers;
pub use node::{Answered, PATIENCE, TestNode, eventually};
pub use recorder::{Outages, Received, Recorder};
pub use redis_server::{RedisServer, RedisServerError};
pub use sentinel_servers::SentinelServers;

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
            news_of_clients_arrive_in_order,
            each_publish_is_answered_once,
            a_failure_refuses_the_rest_of_its_order,
            control_messages_reach_their_recipients_in_order,
            the_registry_lists_the_nodes,
            every_node_sees_who_is_present,
            an_entry_is_seen_once_entered,
            an_entry_is_replaced_and_leaves_once,
            every_node_reads_the_revocations,
            events_wait_until_they_are_removed,
            a_channel_is_occupied_by_all_nodes,
            one_node_sends_events,
            a_node_without_room_gets_everything_later,
            a_broker_that_stops_answers_everything,
            the_history_is_the_order_of_delivery,
            ranges_are_cut_to_the_history,
            a_large_history_is_read_whole,
            a_history_is_trimmed_to_its_size,
            a_history_expires_and_its_offsets_go_on,
            a_removed_history_keeps_its_offsets,
            a_channel_has_an_epoch_from_the_beginning,
            unkept_publications_have_no_position,
            the_tops_of_many_channels_are_told,
            a_key_is_taken_once_in_its_channel,
            a_key_is_taken_once_at_once,
        );
    };
    ($bus:ty: $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let bus = <$bus as $crate::Bus>::start().await;
                $crate::$case(&bus).await;
            }
        )*
    };
}
