//! `swarm verify --history` against a server with planted faults.

use std::time::Duration;

use fanfare_swarm::{
    client::Target,
    verify::history::{self, Plan, Summary},
};
use futures_util::future::join_all;

use crate::keeper::{self, Fault};

async fn verify_over(fault: Fault) -> Summary {
    let address = keeper::start(fault).await;
    let plan = Plan {
        targets: vec![Target::parse(&format!("ws://{address}/ws/chat:test"), "/").unwrap()],
        run: 7,
        key: None,
        channels: 2,
        subscribers: 6,
        publishers: 4,
        guests: 0,
        guest_publishers: 0,
        rate: 120.0,
        lasts: Duration::from_secs(2),
        drop_every: None,
        patience: Duration::from_secs(3),
        may_forget: fault == Fault::Forgets,
        keeping: Vec::new(),
        fails_over: false,
    };
    history::run(&plan).await.unwrap()
}

#[tokio::test]
async fn a_server_without_faults_is_right() {
    let summary = verify_over(Fault::Nothing).await;
    assert!(summary.is_right(), "{summary}");
    let verdict = &summary.verdict;
    assert!(verdict.acknowledged > 100 && verdict.delivered == 3 * verdict.acknowledged, "{summary}");
    assert!(!summary.repeated.is_empty() && !summary.ends.is_empty(), "the server is not kind: {summary}");
}

#[tokio::test]
async fn a_told_loss_of_everything_is_right() {
    let summary = verify_over(Fault::Forgets).await;
    assert!(summary.is_right(), "{summary}");
    assert!(summary.verdict.forgotten > 0 && summary.verdict.told == 6, "{summary}");
}

/// Each fault shows in its count: lost, doubled, reordered, told.
#[tokio::test]
async fn each_fault_of_a_server_is_found() {
    let cases = [
        (Fault::Loses, [true, false, false, false]),
        (Fault::RecoversTooLittle, [true, false, false, false]),
        (Fault::RecoversTooMuch, [false, true, false, false]),
        (Fault::Swaps, [false, false, true, false]),
        (Fault::IgnoresKeys, [false, true, false, false]),
        (Fault::KeepsNothing, [true, false, false, false]),
        (Fault::GivesUp, [false, false, false, true]),
    ];
    let summaries = join_all(cases.map(|(fault, _)| verify_over(fault))).await;
    for ((fault, shows), summary) in cases.into_iter().zip(summaries) {
        let verdict = &summary.verdict;
        let counts = [verdict.lost, verdict.doubled, verdict.reordered, verdict.told];
        let all_show = shows.iter().zip(counts).all(|(shows, count)| !shows || count > 0);
        assert!(!summary.is_right() && all_show, "{fault:?}: {summary}");
    }
}
