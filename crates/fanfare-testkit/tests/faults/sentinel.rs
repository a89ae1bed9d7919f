//! Failovers by Sentinels while messages of channels with history are published and judged. What the surviving Redis kept
//! reaches every subscriber once and in order, and what it lost is told.

use std::time::Duration;

use fanfare_broker_suite::SentinelServers;
use fanfare_swarm::{
    client::Target,
    verify::history::{Check, Plan},
};
use fanfare_testkit::{Endpoint, Process};
use tokio::time::{Instant, sleep};

const CONFIG: &str = r#"
[[namespace]]
name = "chat"
history_size = 100000
history_ttl = "30m"
history = "anonymous"
on_interruption = "close"
"#;

/// A master, its replicas, its Sentinels, and nodes.
struct Stage {
    redis: SentinelServers,
    nodes: Vec<Process>,
}

impl Stage {
    async fn start() -> Self {
        let redis = SentinelServers::start().await.unwrap();
        redis.is_whole().await.unwrap();
        let mut nodes = Vec::new();
        for name in ["node-1", "node-2", "node-3"] {
            let flags =
                ["--listen", "127.0.0.1:0", "--node", name, "--broker", &redis.url()].map(str::to_owned);
            let flags = flags.each_ref().map(String::as_str);
            nodes.push(Process::serve_with(&flags, CONFIG, &[]).await);
        }
        for node in &nodes {
            node.is_ready().await;
        }
        Self { redis, nodes }
    }

    async fn check(&self) -> Check {
        let target = |node: &Process| Target::parse(&node.endpoint().ws("/ws/chat:failover"), "/").unwrap();
        let plan = Plan {
            targets: self.nodes.iter().map(target).collect(),
            run: 1,
            key: Some(fanfare_testkit::endpoint::KEY.to_owned()),
            channels: 6,
            subscribers: 90,
            publishers: 12,
            guests: 0,
            guest_publishers: 0,
            rate: 150.0,
            lasts: Duration::ZERO,
            drop_every: None,
            patience: Duration::from_secs(20),
            may_forget: true,
            fails_over: true,
        };
        Check::start(&plan).await.unwrap()
    }
}

/// How long the nodes need until each is ready again, in seconds.
async fn seconds_until_whole(nodes: &[Endpoint], began: Instant) -> Vec<f64> {
    let mut seconds = Vec::new();
    for node in nodes {
        node.is_ready().await;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds
}

async fn failovers(name: &str, mut fault: impl AsyncFnMut(&mut SentinelServers, usize)) {
    let mut stage = Stage::start().await;
    let check = stage.check().await;
    let endpoints: Vec<_> = stage.nodes.iter().map(Process::endpoint).collect();
    let mut whole = Vec::new();
    for _ in 0..2 {
        sleep(Duration::from_secs(3)).await;
        let master = stage.redis.master().await.unwrap();
        let began = Instant::now();
        fault(&mut stage.redis, master).await;
        stage.redis.switched_from(master).await.unwrap();
        whole.extend(seconds_until_whole(&endpoints, began).await);
        stage.redis.is_whole().await.unwrap();
    }
    sleep(Duration::from_secs(3)).await;
    let summary = check.finish().await.unwrap();
    whole.sort_by(f64::total_cmp);
    let (median, worst) = (whole.get(whole.len() / 2).unwrap(), whole.last().unwrap());
    eprintln!("{name}: from the fault to a ready node {median:.1} s in the median, {worst:.1} s at worst");
    let wrong = u8::from(!summary.is_right());
    eprintln!("CHAOS {name} | {} | wrong {wrong}", summary.fields());
    assert!(summary.is_right(), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn sentinels_fail_over_by_order() {
    failovers("SENTINEL FAILOVER", async |redis, _| redis.fail_over().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn sentinels_replace_a_killed_master() {
    failovers("Sentinel: master killed", async |redis, master| {
        redis.servers[master].kill().await.unwrap();
    })
    .await;
}
