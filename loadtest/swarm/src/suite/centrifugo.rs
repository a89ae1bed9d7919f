//! The cost of Centrifugo's protocol beside the relay: a delivery, the same with a filter that all subscribers share, and
//! the memory of an idle connection with one subscription.

use serde_json::json;

use super::{
    budget::{Budget, Judged},
    case::Found,
    stage::{BYTES, Stage},
    ways::{deliveries, ratio, row, total},
};
use crate::{
    chart::Chart, client::Manner, connection_pool::origin::Origin, idle, number::short, servers::Setup,
    table::Table,
};

const SUBSCRIBERS: usize = 1_000;

const IN_FLIGHT: [usize; 2] = [1, 16];

/// The budget of a delivery, to one of the relay.
const TIMES: f64 = 1.1;

/// Idle connections, and the budget of one in bytes.
const IDLE: usize = 10_000;
const IDLE_BYTES: f64 = 1536.0;

/// The ways to subscribe, and their further members of the command. The first way is the relay.
const WAYS: [(&str, Option<&str>); 3] = [
    ("relay", None),
    ("Centrifugo's protocol", Some("")),
    // The filter passes messages without tags.
    ("one filter for all", Some(r#""tf":{"key":"side","cmp":"nex"}"#)),
];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut grid =
        Table::new(["1,000 subscribers", "in flight", "µs/delivery", "user", "system", "to the relay"]);
    let mut chart = Chart::new("CPU per delivery", "µs", WAYS.map(|(name, _)| name));
    let (mut judged, mut raw) = (Vec::new(), Vec::new());
    let manners = WAYS.map(|(_, members)| members.map(Manner::centrifugo).unwrap_or_default());
    for in_flight in IN_FLIGHT {
        let found = deliveries(stage, &manners, SUBSCRIBERS, in_flight).await?;
        let [relay, plain, filtered] = found.as_slice() else { continue };
        for ((name, members), way) in WAYS.into_iter().zip(&found) {
            let ratio = ratio(way, relay);
            grid.row(row(&[name.to_owned(), in_flight.to_string()], way, ratio));
            if members == Some("") {
                let what = format!("delivery to 1,000, {name}, {in_flight} in flight");
                let times = Judged::times(what, "µs", total(way), total(relay), TIMES);
                judged.push(Judged { ratio: Some(ratio), ..times });
            }
        }
        chart.group(format!("{in_flight} in flight"), [relay, plain, filtered].map(|way| total(way)));
        raw.push(json!({ "in_flight": in_flight, "ways": found }));
    }
    let idle = idle_memory(stage).await?;
    let bytes = idle.per_connection.private_dirty;
    judged.push(Judged::bound(
        "user memory per idle connection with a subscription",
        "B",
        bytes,
        Budget::AtMost(IDLE_BYTES),
    ));
    Ok(Found {
        title: "Centrifugo's protocol",
        about: format!(
            "One channel, {BYTES} B, memory broker, closed loop: a relay client publishes a message when the one before it \
             has reached everybody, or with sixteen under way. The other {} subscribers are relay clients, or clients of \
             Centrifugo's protocol in JSON without and with a filter that all of them share, on servers of their own, \
             in turns, {} rounds: medians, the ratio that of the rounds' own ratios. A push is some 45 B longer than the \
             message of the relay. Memory of {} idle connections with one subscription each, as in the case `idle`.",
            SUBSCRIBERS - 1,
            stage.rounds,
            short(IDLE as f64),
        ),
        judged,
        grid,
        charts: vec![chart],
        raw: json!({ "deliveries": raw, "idle": idle }),
    })
}

async fn idle_memory(stage: &Stage) -> anyhow::Result<idle::Figures> {
    let node = stage.node(Setup::default()).await?;
    let plan = idle::Plan::of_memory(Origin::new(stage.swarm.clone()), node.pid()?, IDLE);
    let figures = idle::run(&[node.target_in("/ws/idle", Manner::centrifugo(""))?], &plan).await?;
    eprintln!("{figures}");
    node.stop().await?;
    Ok(figures)
}
