use std::time::Duration;

use fanfare_metrics::prometheus_text::Sample;

use super::*;
use crate::{ask::Target, top::discover::Listed};

/// The `/metrics` of a node, as far as the table needs them.
fn metrics(connections: u32, deliveries: u32, broker: &str, draining: u8) -> Sample {
    Sample::parse(&format!(
        "fanfare_connections {connections}\nfanfare_deliveries_total {deliveries}\n\
         fanfare_messages_received_total {}\nfanfare_outbound_queued_bytes 1536\n\
         fanfare_broker_state{{state=\"{broker}\"}} 1\nfanfare_draining {draining}\n\
         fanfare_relay_latency_seconds_bucket{{le=\"0.001\"}} {}\n\
         fanfare_relay_latency_seconds_bucket{{le=\"+Inf\"}} {}\n",
        deliveries / 100,
        deliveries / 2,
        deliveries / 2,
    ))
    .unwrap()
}

fn target(name: &str) -> Target {
    Target::parse(&format!("{name}:8080"), "/metrics").unwrap()
}

fn board(names: &[&str]) -> (Board, Instant) {
    let now = Instant::now();
    let mut board = Board { source: "http://localhost:8080".into(), ..Board::default() };
    let node =
        |name: &&str| Listed { name: (*name).into(), version: "0.1.0".into(), metrics: Some(target(name)) };
    board.list(names.iter().map(node).collect(), now - Duration::from_secs(2));
    (board, now)
}

fn cluster() -> Board {
    let (mut board, now) = board(&["node-1", "node-2", "node-3", "new"]);
    for seconds in [2, 1] {
        let at = now - Duration::from_secs(seconds);
        let deliveries = 48_200 * (2 - u32::try_from(seconds).unwrap());
        board.note(Some(&target("node-1")), &Ok(metrics(1204, deliveries, "up", 0)), at);
        board.note(Some(&target("node-2")), &Ok(metrics(7, 0, "deaf", 1)), at);
        board.note(Some(&target("node-3")), &Err("no answer within 900ms".into()), at);
    }
    board
}

fn shown(board: &Board, width: usize, height: usize) -> String {
    let lines = screen(board, Size { width, height });
    assert!(lines.len() <= height);
    let line = |line: Line| {
        let text: String = line.into_iter().map(|(_, piece)| piece).collect();
        assert!(text.chars().count() <= width, "{text}");
        text.trim_end().to_owned() + "\n"
    };
    lines.into_iter().map(line).collect()
}

#[test]
fn the_table_reads_well_on_a_wide_screen() {
    insta::assert_snapshot!(shown(&cluster(), 120, 24));
}

#[test]
fn a_narrow_screen_has_fewer_columns() {
    insta::assert_snapshot!(shown(&cluster(), 80, 24));
}

#[test]
fn on_a_small_screen_the_total_stays() {
    let many: Vec<String> =
        (1..=40).map(|number| format!("a-node-with-a-rather-long-name-{number}")).collect();
    let names: Vec<&str> = many.iter().map(String::as_str).collect();
    let (mut board, _) = board(&names);
    board.trouble = Some("http://localhost:8080/api/cluster: connection refused".into());
    insta::assert_snapshot!(shown(&board, 44, 9));
    for (width, height) in [(0, 0), (1, 1), (5, 2), (20, 3), (200, 4)] {
        shown(&board, width, height);
    }
}

#[test]
fn trouble_has_its_own_look() {
    let lines = screen(&cluster(), Size { width: 120, height: 24 });
    let looks = |name: &str| {
        let line = lines.iter().find(|line| line.iter().any(|(_, text)| text.trim() == name)).unwrap();
        line.iter().filter(|(look, _)| *look == Look::Alarm).map(|(_, text)| text.trim()).collect::<Vec<_>>()
    };
    assert_eq!(looks("node-1"), [""; 0]);
    assert_eq!(looks("node-2"), ["deaf, draining"]);
    assert_eq!(looks("node-3").len(), 1);
    assert_eq!(looks("fanfare top"), [", 1 away"]);
}

#[test]
fn without_a_screen_only_the_table_remains() {
    insta::assert_snapshot!(plain(&cluster(), 160));
}
