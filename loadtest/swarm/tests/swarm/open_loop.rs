//! Open loops and storms from several processes, against the faulty relay.

use std::time::Duration;

use fanfare_swarm::{
    client::{Manner, Target, Tls},
    fanout::{self, Load, Until},
    floor::{Floor, FloorArgs},
    rooms::{self, Figures, Layout, Schedule},
    storm,
};

use crate::{
    faulty_relay::{self, Fault},
    from_two_processes, swarm,
};

const LAYOUT: Layout = Layout { rooms: 1, members: 12, publishers: 3 };

/// 120 messages to each of 12 members, from two processes, over one relay as if it were two nodes.
async fn rooms_over(fault: Fault) -> Figures {
    let address = faulty_relay::start(fault).await;
    rooms_of(Target::parse(&format!("ws://{address}/ws/test"), "/").unwrap(), 64).await
}

async fn rooms_of(target: Target, bytes: usize) -> Figures {
    let plan = rooms::Plan {
        origin: from_two_processes(),
        targets: vec![target.clone(), target],
        pids: vec![std::process::id()],
        beside: vec![std::process::id()],
        layout: LAYOUT,
        schedule: Schedule { rate: 120.0, warm_up: Duration::ZERO, measured: Duration::from_secs(1) },
        bytes,
        patience: Duration::from_secs(2),
    };
    rooms::run(&plan).await.unwrap()
}

#[tokio::test]
async fn all_due_messages_and_deliveries_are_counted() {
    let figures = rooms_over(Fault::Nothing).await;
    assert!(figures.is_right(), "{figures}");
    assert_eq!((figures.messages, figures.expected, figures.deliveries), (120, 1_440, 1_440));
    assert!(figures.cpu.total > 0.0 && figures.swarm_cpu.total > 0.0, "{figures}");
    assert!(figures.latency.max >= figures.latency.p50 && figures.latency.p50 > 0, "{figures}");
    assert_eq!(figures.processes, 2);
}

#[tokio::test]
async fn compressed_messages_through_tls_are_counted() {
    let (address, certificate) = faulty_relay::start_secure().await;
    let tls = Some(Tls::try_from(certificate).unwrap());
    let url = format!("wss://{address}/ws/test");
    let target = Target::in_manner(&url, "/", Manner { deflate: true, tls, ..Manner::default() }).unwrap();
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
    assert_eq!(figures.deliveries, 250, "a client that only counts does not inflate");
}

#[tokio::test]
async fn a_planted_fault_is_counted_by_kind() {
    for (fault, expected) in [
        (Fault::Loses, [1, 0, 0, 0]),
        (Fault::Doubles, [0, 1, 0, 0]),
        (Fault::Delays, [0, 0, 1, 0]),
        (Fault::Damages, [1, 0, 0, 1]),
    ] {
        let figures = rooms_over(fault).await;
        let counts = [
            figures.faults.lost,
            figures.faults.doubled,
            figures.faults.out_of_order,
            figures.faults.foreign,
        ];
        assert_eq!(counts, expected, "{fault:?}: {figures}");
        assert!(!figures.is_right());
    }
}

#[tokio::test]
async fn an_ended_connection_has_its_reason() {
    let figures = rooms_over(Fault::Closes).await;
    assert_eq!(figures.faults.ended, 1, "{figures}");
    assert!(figures.faults.why[0].contains("slow client"), "{figures}");
}

fn storm_plan(connections: usize, pid: u32) -> storm::Plan {
    storm::Plan {
        origin: from_two_processes(),
        pids: vec![pid],
        connections,
        at_once: connections,
        rest: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_bare_relay_through_redis_loses_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut redis = tokio::process::Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &free.port().to_string(), "--save", ""])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while tokio::net::TcpStream::connect(free).await.is_err() {
        assert!(redis.try_wait().unwrap().is_none(), "redis-server has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let floor = Floor::start(&swarm(), &FloorArgs::relay(LAYOUT.connections(), Some(free))).await.unwrap();
    // More bytes than one read takes.
    let figures = rooms_of(floor.target("/ws/test").unwrap(), 5_000).await;
    assert!(figures.is_right(), "{figures}");
    assert_eq!((figures.messages, figures.deliveries), (120, 1_440));
}

#[tokio::test]
async fn a_storm_counts_connected_clients() {
    let floor = Floor::start(&swarm(), &FloorArgs::relay(300, None)).await.unwrap();
    let plan = storm_plan(300, floor.pid().unwrap());
    let figures = storm::run(&[floor.target("/ws/storm").unwrap()], &plan).await.unwrap();
    assert_eq!((figures.connected, figures.failures.len()), (300, 0), "{figures}");
    assert!(figures.cpu.total > 0.0 && figures.seconds > 0.0, "{figures}");
}

#[tokio::test]
async fn a_storm_counts_failures_by_kind() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = Target::parse(&format!("ws://{closed}/"), "/ws/test").unwrap();
    let figures = storm::run(&[target], &storm_plan(20, std::process::id())).await.unwrap();
    assert_eq!((figures.connected, figures.failures["connection refused"]), (0, 20));
}
