//! The load generator against the faulty relay, and against its own floor.

use std::time::Duration;

use fanfare_swarm::{
    client::{Connection, Manner, Target, Tls},
    fanout::{self, ClosedLoop, Load, Until},
    floor::{Floor, FloorArgs},
    idle,
    verify::{self, Summary, checker::Verdict},
};

use crate::{
    faulty_relay::{self, Fault},
    from_two_processes, swarm,
};

const SUBSCRIBERS: usize = 12;
const PUBLISHERS: usize = 4;
const MESSAGES: usize = 50;

/// Two URLs of one relay, as if they were two nodes.
async fn verify_over(fault: Fault) -> Summary {
    let address = faulty_relay::start(fault).await;
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
async fn a_relay_without_fault_is_right() {
    let summary = verify_over(Fault::Nothing).await;
    assert!(summary.is_right(), "{summary}");
    let expected = (SUBSCRIBERS + PUBLISHERS) * PUBLISHERS * MESSAGES;
    assert_eq!((summary.verdict.expected, summary.verdict.received), (expected as u64, expected as u64));
}

#[tokio::test]
async fn a_planted_fault_is_found() {
    for (fault, expected) in [
        (Fault::Loses, [1, 0, 0, 0, 0]),
        (Fault::Doubles, [0, 1, 0, 0, 0]),
        (Fault::Delays, [0, 0, 1, 0, 0]),
        (Fault::Damages, [0, 0, 0, 1, 0]),
    ] {
        let summary = verify_over(fault).await;
        assert_eq!(counts(&summary.verdict), expected, "{fault:?}: {summary}");
        assert!(!summary.is_right() && summary.ended.is_empty(), "{summary}");
        assert_eq!(summary.verdict.examples.len(), 1);
    }
}

#[tokio::test]
async fn an_ended_connection_has_its_reason() {
    let summary = verify_over(Fault::Closes).await;
    assert!(!summary.is_right() && summary.verdict.lost > 0, "{summary}");
    assert_eq!(summary.ended.len(), 1);
    assert!(summary.ended[0].contains("1013 \"slow client\""), "{:?}", summary.ended);
}

fn fanout_plan(subscribers: usize, in_flight: usize) -> fanout::Plan {
    let load = Load { in_flight, until: Until::Messages(40), pace: None };
    fanout::Plan { pid: Some(std::process::id()), subscribers, bytes: 128, warm_up: 4, load }
}

#[tokio::test]
async fn fanout_counts_every_delivery() {
    for in_flight in [1, 16] {
        let address = faulty_relay::start(Fault::Nothing).await;
        let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
        let figures = fanout::run(&target, &fanout_plan(20, in_flight)).await.unwrap();
        assert_eq!((figures.messages, figures.deliveries), (40, 800));
        assert!(figures.cpu.total > 0.0 && figures.latency.max >= figures.latency.p50, "{figures}");
    }
}

#[tokio::test]
async fn fanout_fails_on_a_doubled_message() {
    let address = faulty_relay::start(Fault::Doubles).await;
    let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
    let error = fanout::run(&target, &fanout_plan(20, 1)).await.unwrap_err().to_string();
    assert!(error.contains("came twice"), "{error}");
}

#[tokio::test]
async fn the_floor_sends_to_each_socket() {
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
async fn idle_memory_is_divided_by_connections() {
    let address = faulty_relay::start(Fault::Nothing).await;
    let target = Target::parse(&format!("ws://{address}/"), "/ws/test").unwrap();
    let plan = idle::Plan {
        origin: from_two_processes(),
        pids: vec![std::process::id()],
        connections: 200,
        rest: Duration::from_millis(50),
        watch: Duration::from_millis(50),
    };
    let figures = idle::run(&[target], &plan).await.unwrap();
    let grown = (figures.after.rss - figures.before.rss) / 200.0;
    assert!((figures.per_connection.rss - grown).abs() < 1e-6, "{figures}");
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let ((address, _), (_, other)) = (faulty_relay::start_secure().await, faulty_relay::start_secure().await);
    let manner = Manner { tls: Some(Tls::try_from(other).unwrap()), ..Manner::default() };
    let target = Target::in_manner(&format!("wss://{address}"), "/ws/test", manner).unwrap();
    let error = Connection::open(&target).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
