//! What takes several processes: open loops and storms, against a relay that can be told to do wrong.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by a panic, as the test does"
)]

mod relay;

use std::{path::PathBuf, time::Duration};

use fanfare_swarm::{
    client::{Manner, Target, Tls},
    fanout::{self, Load, Until},
    floor::{Floor, FloorArgs},
    rooms::{self, Figures, Layout, Schedule},
    storm,
};

use self::relay::Mischief;

const LAYOUT: Layout = Layout { rooms: 1, members: 12, publishers: 3 };

fn swarm() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_swarm"))
}

/// 120 messages to each of 12 members, from two processes, over one relay as if it were two nodes.
async fn rooms_over(mischief: Mischief) -> Figures {
    let address = relay::start(mischief).await;
    rooms_of(Target::parse(&format!("ws://{address}/ws/test"), "/").unwrap(), 64).await
}

async fn rooms_of(target: Target, bytes: usize) -> Figures {
    let plan = rooms::Plan {
        swarm: swarm(),
        targets: vec![target.clone(), target],
        pids: vec![std::process::id()],
        beside: vec![std::process::id()],
        layout: LAYOUT,
        schedule: Schedule { rate: 120.0, warm_up: Duration::ZERO, measured: Duration::from_secs(1) },
        bytes,
        processes: Some(2),
        sources: Vec::new(),
        patience: Duration::from_secs(2),
    };
    rooms::run(&plan).await.unwrap()
}

#[tokio::test]
async fn every_message_that_was_due_is_sent_and_every_delivery_counted() {
    let figures = rooms_over(Mischief::Nothing).await;
    assert!(figures.is_right(), "{figures}");
    assert_eq!((figures.messages, figures.expected, figures.deliveries), (120, 1_440, 1_440));
    assert!(figures.cpu.total > 0.0 && figures.swarm_cpu.total > 0.0, "{figures}");
    assert!(figures.latency.max >= figures.latency.p50 && figures.latency.p50 > 0, "{figures}");
    assert_eq!(figures.processes, 2);
}

#[tokio::test]
async fn what_comes_compressed_through_tls_is_counted_and_looked_into_as_what_is_plain() {
    let (address, certificate) = relay::start_secure().await;
    let tls = Some(Tls::try_from(certificate).unwrap());
    let url = format!("wss://{address}/ws/test");
    let target = Target::in_manner(&url, "/", Manner { deflate: true, tls }).unwrap();
    // Long enough to be compressed.
    let figures = rooms_of(target.clone(), 2_000).await;
    assert!(figures.is_right(), "{figures}");
    assert_eq!((figures.messages, figures.deliveries), (120, 1_440));

    let plan = fanout::Plan {
        pid: Some(std::process::id()),
        subscribers: 5,
        bytes: 2_000,
        warm_up: 5,
        load: Load { in_flight: 3, until: Until::Messages(50), pace: None },
    };
    let figures = fanout::run(&target, &plan).await.unwrap();
    assert_eq!(figures.deliveries, 250, "those who only count do not inflate");
}

#[tokio::test]
async fn a_planted_fault_is_counted_as_what_it_is() {
    for (mischief, expected) in [
        (Mischief::Loses, [1, 0, 0, 0]),
        (Mischief::Doubles, [0, 1, 0, 0]),
        (Mischief::Delays, [0, 0, 1, 0]),
        (Mischief::Damages, [1, 0, 0, 1]),
    ] {
        let figures = rooms_over(mischief).await;
        let counts = [figures.lost, figures.doubled, figures.out_of_order, figures.foreign];
        assert_eq!(counts, expected, "{mischief:?}: {figures}");
        assert!(!figures.is_right());
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_told_with_its_reason() {
    let figures = rooms_over(Mischief::Closes).await;
    assert_eq!(figures.ended, 1, "{figures}");
    assert!(figures.why[0].contains("slow client"), "{figures}");
}

fn storm_plan(connections: usize, pid: u32) -> storm::Plan {
    storm::Plan {
        swarm: swarm(),
        pids: vec![pid],
        connections,
        at_once: connections,
        rest: Duration::ZERO,
        processes: Some(2),
        sources: Vec::new(),
    }
}

#[tokio::test]
async fn a_storm_counts_who_connected() {
    let floor = Floor::start(&swarm(), &FloorArgs::relay(300)).await.unwrap();
    let plan = storm_plan(300, floor.pid().unwrap());
    let figures = storm::run(&[floor.target("/ws/storm").unwrap()], &plan).await.unwrap();
    assert_eq!((figures.connected, figures.failures.len()), (300, 0), "{figures}");
    assert!(figures.cpu.total > 0.0 && figures.seconds > 0.0, "{figures}");
}

#[tokio::test]
async fn a_storm_counts_who_did_not_by_kind() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = Target::parse(&format!("ws://{closed}/"), "/ws/test").unwrap();
    let figures = storm::run(&[target], &storm_plan(20, std::process::id())).await.unwrap();
    assert_eq!((figures.connected, figures.failures["connection refused"]), (0, 20));
}
