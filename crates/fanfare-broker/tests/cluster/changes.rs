//! Failovers and a migration while messages are published.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fanfare_broker::BrokerConfig;
use fanfare_broker_suite::{Answered, ClusterServers, PATIENCE, TestNode, eventually};
use fanfare_core::{
    Channel, Partition, Payload, Position, Publish, Retention,
    broker::{BrokerState, Interruption},
    history::{Page, Range},
};
use tokio::time::{sleep, timeout};

/// The slot of the first of two partitions. The other one is on another master.
const SLOT: u16 = 0;
const MOVED: Partition = Partition(0);
/// The number of channels in each partition.
const CHANNELS: usize = 3;

/// Two nodes on a Cluster of their own.
struct World {
    servers: ClusterServers,
    nodes: [TestNode; 2],
    /// First those of the partition that moves.
    channels: Vec<Channel>,
}

impl World {
    async fn start() -> Self {
        let servers = ClusterServers::start().await.unwrap();
        let config: BrokerConfig = format!("{}?partitions=2", servers.url()).parse().unwrap();
        let nodes = [TestNode::start(config.clone()), TestNode::start(config)];
        let mut channels = Vec::new();
        for partition in [MOVED, Partition(1)] {
            let all = (0..).map(|number| Channel::new(&format!("chat:{number}")).unwrap());
            let here = all.filter(|channel| nodes[0].broker().partition_of(channel) == partition);
            channels.extend(here.take(CHANNELS));
        }
        for node in &nodes {
            node.is_up().await;
            for channel in &channels {
                node.subscribe(channel).await.unwrap();
            }
        }
        Self { servers, nodes, channels }
    }

    /// Publishes numbers on all channels until `change` is done, and for a moment longer. What was answered to each number
    /// of each channel.
    async fn publish_during(&self, change: impl Future<Output = ()>) -> Vec<Vec<Option<Position>>> {
        let (is_over, mut waiting) = (AtomicBool::new(false), Vec::<Vec<Answered>>::new());
        waiting.resize_with(self.channels.len(), Vec::new);
        let publish = async {
            for number in 0.. {
                for (channel, waiting) in self.channels.iter().zip(&mut waiting) {
                    waiting.push(self.nodes[0].hand_over(kept(channel, number)));
                }
                sleep(Duration::from_millis(1)).await;
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        };
        let change = async {
            sleep(Duration::from_millis(100)).await;
            change.await;
            self.is_up().await;
            sleep(Duration::from_millis(100)).await;
            is_over.store(true, Ordering::Relaxed);
        };
        timeout(2 * PATIENCE, async { tokio::join!(publish, change) }).await.unwrap();
        let mut answers = Vec::new();
        for waiting in waiting {
            let mut positions = Vec::new();
            for answered in waiting {
                let answer = timeout(PATIENCE, answered).await.unwrap().unwrap();
                positions.push(answer.ok().and_then(|taken| taken.position));
            }
            answers.push(positions);
        }
        answers
    }

    async fn is_up(&self) {
        for node in &self.nodes {
            eventually("all interruptions are over", || {
                let told = node.recorder.outages();
                told.causes.len() == told.outages.len() && node.broker().overall_state() == BrokerState::Up
            })
            .await;
        }
    }

    /// The numbers in the history of a channel, which are in their order, each once; and the history itself.
    async fn history(&self, channel: &Channel) -> (Vec<usize>, Page) {
        let range = Range::After { offset: 0, limit: 1_000_000 };
        let page = self.nodes[1].started.backend.history.read(channel, range).await.unwrap();
        let number = |text: &[u8]| std::str::from_utf8(text).unwrap().parse().unwrap();
        let numbers: Vec<usize> =
            page.publications.iter().map(|publication| number(publication.payload.bytes())).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{channel}: {numbers:?}");
        (numbers, page)
    }

    /// Each number that was taken is in the history once and in its order. What arrived meanwhile arrived in the same
    /// order, and once; in the partition that did not move, all of it.
    async fn all_is_there(&self, answers: &[Vec<Option<Position>>]) {
        for ((channel, answers), at) in self.channels.iter().zip(answers).zip(0..) {
            let (history, _) = self.history(channel).await;
            let taken = (0..).zip(answers).filter(|(_, position)| position.is_some());
            let taken: Vec<usize> = taken.map(|(number, _)| number).collect();
            assert!(!taken.is_empty());
            let missing: Vec<_> = taken.iter().filter(|number| !history.contains(number)).collect();
            assert!(missing.is_empty(), "{channel}: {missing:?}");
            self.arrived_in_order(channel, if at < CHANNELS { 0 } else { answers.len() }).await;
        }
    }

    async fn arrived_in_order(&self, channel: &Channel, at_least: usize) {
        for node in &self.nodes {
            eventually("all have arrived", || node.recorder.count(channel) >= at_least).await;
            let texts = node.recorder.texts(channel);
            let numbers: Vec<usize> = texts.iter().map(|text| text.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{channel}: {numbers:?}");
        }
    }

    /// The subscriptions follow: what is published now arrives.
    async fn all_hear(&self) {
        for channel in &self.channels {
            self.nodes[1].hand_over(kept(channel, usize::MAX)).await.unwrap().unwrap();
            for node in &self.nodes {
                let is_last = |texts: &[String]| texts.last() == Some(&usize::MAX.to_string());
                eventually("it arrives", || is_last(&node.recorder.texts(channel))).await;
            }
        }
    }

    fn causes(&self) -> Vec<Interruption> {
        self.nodes.iter().flat_map(|node| node.recorder.outages().causes).collect()
    }
}

fn kept(channel: &Channel, number: usize) -> Publish {
    let retention = Retention { size: 1_000_000, ttl: Duration::from_secs(600) };
    Publish::new(channel.clone(), Payload::text(number.to_string())).kept(Some(retention))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_loses_nothing() {
    let world = World::start().await;
    let servers = &world.servers;
    let [from, to] = [servers.master_of(SLOT).await.unwrap(), servers.master_of(16_383).await.unwrap()];
    let migrate = async {
        servers.begin_migration(SLOT, from, to).await.unwrap();
        // Publishes find all, some and none of their keys meanwhile.
        while servers.migrate_keys(SLOT, from, to, 1).await.unwrap() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        servers.end_migration(SLOT, from, to).await.unwrap();
        servers.moved_from(SLOT, from).await.unwrap();
        eventually("the nodes notice", || world.causes().len() == 2).await;
    };
    let answers = world.publish_during(migrate).await;
    world.all_is_there(&answers).await;
    let refused = answers.iter().flatten().filter(|position| position.is_none()).count();
    println!("{refused} of {} were not taken", answers.iter().flatten().count());
    let met =
        ["ASK", "TRYAGAIN"].map(|code| world.nodes[0].counter("fanfare_redis_errors_total", Some(code)));
    println!("ASK {}, TRYAGAIN {}", met[0], met[1]);
    assert!(met[0] + met[1] > 0.0, "no publish met the migration");
    world.all_hear().await;
    assert!(world.causes().iter().all(|cause| *cause == Interruption::Demoted), "{:?}", world.causes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_failover_loses_nothing() {
    let world = World::start().await;
    let servers = &world.servers;
    let master = servers.master_of(SLOT).await.unwrap();
    let shown = |server: usize| Some(format!("127.0.0.1:{}", servers.servers[server].port()));
    assert_eq!(world.nodes[0].broker().server(MOVED), shown(master));
    let fail_over = async {
        servers.fail_over(master).await.unwrap();
        servers.moved_from(SLOT, master).await.unwrap();
        eventually("the nodes notice", || world.causes().len() == 2).await;
    };
    let answers = world.publish_during(fail_over).await;
    let master = servers.master_of(SLOT).await.unwrap();
    assert_eq!(world.nodes[0].broker().server(MOVED), shown(master));
    world.all_is_there(&answers).await;
    world.all_hear().await;
    assert!(world.causes().iter().all(|cause| *cause == Interruption::Demoted), "{:?}", world.causes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_losses_of_a_failover_are_known() {
    let world = World::start().await;
    let master = world.servers.master_of(SLOT).await.unwrap();
    let kill = async {
        world.servers.servers[master].kill_process().unwrap();
        world.servers.moved_from(SLOT, master).await.unwrap();
        eventually("the nodes notice", || world.causes().len() >= 2).await;
    };
    let answers = world.publish_during(kill).await;
    world.all_hear().await;
    for (channel, answers) in world.channels.iter().zip(&answers) {
        let (history, page) = world.history(channel).await;
        for (number, position) in (0..).zip(answers) {
            let Some(position) = position else { continue };
            let is_known = position.epoch == page.top.epoch || page.knows(*position);
            assert_eq!(history.contains(&number), is_known, "{channel}: {number} at {position:?}");
        }
        assert_eq!(history.last(), Some(&usize::MAX));
    }
}

/// A master that is frozen and comes back takes writes until it hears of the others. The nodes do not go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_master_is_left() {
    let world = World::start().await;
    let master = world.servers.master_of(SLOT).await.unwrap();
    let frozen = &world.servers.servers[master];
    frozen.stop_process().unwrap();
    eventually("the nodes notice", || world.causes().len() >= 2).await;
    frozen.continue_process().unwrap();
    world.is_up().await;
    world.servers.moved_from(SLOT, master).await.unwrap();
    world.all_hear().await;
    let is_of_a_switch = |cause: &Interruption| matches!(cause, Interruption::Demoted | Interruption::Lost);
    assert!(world.causes().iter().all(is_of_a_switch), "{:?}", world.causes());
}
