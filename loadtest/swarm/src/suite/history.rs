//! The cost of history and presence: publishes that are kept, clients that recover, a herd that comes back, clients that
//! are listed.
//!
//! - `publishes`: CPU of node and Redis per publish, with history and without; `bare`: a bare script in redis-benchmark
//! - `recoveries`: 1,000 clients that want 100 messages each, from Redis and from the node's tails
//! - `setup`: the node with history
//! - `presence`: clients that join and leave a channel, with presence and without
//! - `memory`: 10,000 channels with a client each, with history and without
//! - `herd`: 10,000 clients that come back at once to one channel, each 100 messages behind

mod bare;
mod herd;
mod memory;
mod presence;
mod publishes;
mod recoveries;
mod setup;

use serde_json::json;

use self::setup::BEHIND;
use super::{
    case::Found,
    stage::{BYTES, Stage},
};
use crate::table::Table;

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let pinned = stage.on_the_others()?;
    let mut grid = Table::new(["", "node", "Redis", "history reads", "time"]);
    let (publishes, judged) = publishes::measure(stage, &mut grid).await?;
    let recoveries = recoveries::measure(stage, &mut grid).await?;
    let (herd, herd_judged) = herd::measure(stage, &mut grid).await?;
    let presence = presence::measure(stage, &mut grid).await?;
    let memory = memory::measure(stage, &mut grid).await?;
    drop(pinned);
    Ok(Found {
        title: "History and presence",
        about: format!(
            "The server and its Redis on one core, the load generator on the others. Publishes: {} channels of one \
             member that publishes, 128 B, open loop, with history and without in turns; the floor of Redis is a bare \
             script (XADD, EXPIRE, PUBLISH) in redis-benchmark, 16 in flight. Recoveries: {} clients in a channel each \
             that want the last {BEHIND} messages (`?since=`), first of a node that was just started, then of its \
             tails. Herd: {} clients that come back at once to one channel of a node that was just started, each {BEHIND} \
             messages behind, beside the same storm without recovery. Presence: {} clients join a channel and leave it, \
             with presence and without in turns; CPU per client that came and went. Memory: what only this process has \
             written (`Private_Dirty`), with {} channels of one client, which get {} messages of {BYTES} B each, with \
             history and without.",
            setup::ROOMS,
            recoveries::CLIENTS,
            herd::CLIENTS,
            presence::CLIENTS,
            memory::CHANNELS,
            memory::MESSAGES
        ),
        judged: [judged, herd_judged].concat(),
        grid,
        charts: Vec::new(),
        raw: json!({ "publishes": publishes, "recoveries": recoveries, "herd": herd, "presence": presence, "memory": memory }),
    })
}
