//! The load generator against a relay that can be told to do wrong, and against its own floor.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by a panic, as the test does"
)]

mod relay;

use std::{path::PathBuf, time::Duration};

use fanfare_swarm::{
    client::{Connection, Manner, Target, Tls},
    fanout::{self, ClosedLoop, Load, Until},
    floor::{Floor, FloorArgs},
    idle,
    verify::{self, Summary, checker::Verdict},
};

use self::relay::Mischief;

fn swarm() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_swarm"))
}

const SUBSCRIBERS: usize = 12;
const PUBLISHERS: usize = 4;
const MESSAGES: usize = 50;

/// Two URLs of one relay, as if they were two nodes.
async fn verify_over(mischief: Mischief) -> Summary {
    let address = relay::start(mischief).await;
    let target = |_| Target::parse(&format!("ws://{address}/ws/test"), "/").unwrap();
    let plan = verify::Plan {
        targets: (0..2).map(target).collect(),
        subscribers: SUBSCRIBERS,
        publishers: PUBLISHERS,
        messages: MESSAGES,
        seed: 11,
        patience: Duration::from_secs(2),
    };
    verify::run(&plan).await.unwrap()
}

fn counts(verdict: &Verdict) -> [u64; 5] {
    [verdict.lost, verdict.doubled, verdict.out_of_order, verdict.damaged, verdict.foreign]
}

#[tokio::test]
async fn a_relay_that_does_right_is_found_right() {
    let summary = verify_over(Mischief::Nothing).await;
    assert!(summary.is_right(), "{summary}");
    let expected = (SUBSCRIBERS + PUBLISHERS) * PUBLISHERS * MESSAGES;
    assert_eq!((summary.verdict.expected, summary.verdict.received), (expected as u64, expected as u64));
}

#[tokio::test]
async fn one_planted_fault_of_one_client_is_found() {
    for (mischief, expected) in [
        (Mischief::Loses, [1, 0, 0, 0, 0]),
        (Mischief::Doubles, [0, 1, 0, 0, 0]),
        (Mischief::Delays, [0, 0, 1, 0, 0]),
        (Mischief::Damages, [0, 0, 0, 1, 0]),
    ] {
        let summary = verify_over(mischief).await;
        assert_eq!(counts(&summary.verdict), expected, "{mischief:?}: {summary}");
        assert!(!summary.is_right() && summary.ended.is_empty(), "{summary}");
        assert_eq!(summary.verdict.examples.len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_found_with_its_reason() {
    let summary = verify_over(Mischief::Closes).await;
    assert!(!summary.is_right() && summary.verdict.lost > 0, "{summary}");
    assert_eq!(summary.ended.len(), 1);
    assert!(summary.ended[0].contains("1013 \"slow client\""), "{:?}", summary.ended);
}

fn fanout_plan(subscribers: usize, in_flight: usize) -> fanout::Plan {
    let load = Load { in_flight, until: Until::Messages(40), pace: None };
    fanout::Plan { pid: Some(std::process::id()), subscribers, bytes: 128, warm_up: 4, load }
}

#[tokio::test]
async fn fanout_counts_every_delivery_with_one_and_with_many_in_flight() {
    for in_flight in [1, 16] {
        let address = relay::start(Mischief::Nothing).await;
        let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
        let figures = fanout::run(&target, &fanout_plan(20, in_flight)).await.unwrap();
        assert_eq!((figures.messages, figures.deliveries), (40, 800));
        assert!(figures.cpu.total > 0.0 && figures.latency.max >= figures.latency.p50, "{figures}");
    }
}

#[tokio::test]
async fn fanout_gives_no_figures_where_a_message_came_twice() {
    let address = relay::start(Mischief::Doubles).await;
    let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
    let error = fanout::run(&target, &fanout_plan(20, 1)).await.unwrap_err().to_string();
    assert!(error.contains("came twice"), "{error}");
}

#[tokio::test]
async fn the_floor_sends_each_message_to_each_socket_alone_or_in_batches() {
    for batch in [1, 4] {
        let floor = Floor::start(&swarm(), &FloorArgs::send(50, 128, batch)).await.unwrap();
        let mut to_floor = ClosedLoop::start(floor.connect(50).await.unwrap(), 128).unwrap();
        let load = Load { in_flight: 4, until: Until::Messages(32), pace: None };
        let figures = to_floor.run(floor.pid().unwrap(), load).await.unwrap();
        assert_eq!(figures.deliveries, 1_600);
        assert!(figures.cpu.total > 0.0);
    }
}

#[tokio::test]
async fn idle_connections_stay_open_and_are_divided_by() {
    let address = relay::start(Mischief::Nothing).await;
    let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
    let plan = idle::Plan {
        swarm: swarm(),
        pids: vec![std::process::id()],
        connections: 200,
        rest: Duration::from_millis(50),
        watch: Duration::from_millis(50),
        processes: Some(2),
        sources: Vec::new(),
    };
    let figures = idle::run(&[target], &plan).await.unwrap();
    let grown = (figures.after.rss - figures.before.rss) / 200.0;
    assert!((figures.per_connection.rss - grown).abs() < 1e-6, "{figures}");
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused() {
    let ((address, _), (_, other)) = (relay::start_secure().await, relay::start_secure().await);
    let manner = Manner { tls: Some(Tls::try_from(other).unwrap()), ..Manner::default() };
    let target = Target::in_manner(&format!("wss://{address}"), "/ws/test", manner).unwrap();
    let error = Connection::open(&target).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
