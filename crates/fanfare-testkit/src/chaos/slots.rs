//! The slots of a Cluster, as one of its servers sees them, and a live migration as `redis-cli --cluster reshard` does it.

use redis::{AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection};

use crate::{RedisServer, TIMEOUT};

/// The slots of every Cluster.
pub(super) const SLOTS: u16 = 16_384;

/// The keys that move in one command.
const KEYS: usize = 10;

/// The slots that move in one pipeline.
const BATCH: usize = 256;

/// A master and its slots.
struct Master {
    id: String,
    port: u16,
    slots: Vec<u16>,
}

/// The port of the master of a slot, as this server sees it.
pub(super) async fn owner(server: &RedisServer, slot: u16) -> RedisResult<Option<u16>> {
    let masters = masters(server).await?;
    Ok(masters.iter().find(|master| master.slots.contains(&slot)).map(|master| master.port))
}

/// Moves this number of slots, or all that the server has, with their keys.
pub(super) async fn move_slots(from: &RedisServer, to: &RedisServer, count: usize) -> RedisResult<()> {
    let masters = masters(from).await?;
    let at = |server: &RedisServer| masters.iter().find(|master| master.port == server.port());
    let (Some(source), Some(target)) = (at(from), at(to)) else { return Ok(()) };
    let [mut source_at, mut target_at] = [connect(from).await?, connect(to).await?];
    for slots in source.slots.get(..count.min(source.slots.len())).unwrap_or_default().chunks(BATCH) {
        set_slots(&mut target_at, slots, ["IMPORTING", &source.id]).await?;
        set_slots(&mut source_at, slots, ["MIGRATING", &target.id]).await?;
        move_keys(&mut source_at, slots, to.port()).await?;
        for at in [&mut target_at, &mut source_at] {
            set_slots(at, slots, ["NODE", &target.id]).await?;
        }
    }
    Ok(())
}

async fn connect(server: &RedisServer) -> RedisResult<MultiplexedConnection> {
    let patience = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
    Client::open(server.url())?.get_multiplexed_async_connection_with_config(&patience).await
}

async fn set_slots(at: &mut MultiplexedConnection, slots: &[u16], state: [&str; 2]) -> RedisResult<()> {
    let mut all = redis::pipe();
    for slot in slots {
        all.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(&state).ignore();
    }
    all.query_async(at).await
}

async fn move_keys(from: &mut MultiplexedConnection, slots: &[u16], to: u16) -> RedisResult<()> {
    for slot in slots {
        loop {
            let mut ask = redis::cmd("CLUSTER");
            ask.arg("GETKEYSINSLOT").arg(slot).arg(KEYS);
            let keys: Vec<Vec<u8>> = ask.query_async(from).await?;
            if keys.is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(to).arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
            let _: String = migrate.query_async(from).await?;
        }
    }
    Ok(())
}

/// The masters that live, as this server sees them.
async fn masters(server: &RedisServer) -> RedisResult<Vec<Master>> {
    let nodes: String = server.run(redis::cmd("CLUSTER").arg("NODES")).await?;
    Ok(nodes.lines().filter_map(master).collect())
}

/// Reads a line such as `ID 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 5470`.
fn master(line: &str) -> Option<Master> {
    let words: Vec<&str> = line.split(' ').collect();
    let [id, address, flags, _, _, _, _, _, ranges @ ..] = words.as_slice() else { return None };
    let flags: Vec<&str> = flags.split(',').collect();
    if !flags.contains(&"master") || flags.contains(&"fail") {
        return None;
    }
    let port = address.split(['@', ',']).next()?.rsplit(':').next()?.parse().ok()?;
    let mut slots = Vec::new();
    // A slot that is under way stands in brackets.
    for range in ranges.iter().filter(|range| !range.starts_with('[')) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        slots.extend(first.parse::<u16>().ok()?..=last.parse().ok()?);
    }
    Some(Master { id: (*id).to_owned(), port, slots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_master_and_its_slots() {
        let line = |flags, slots| format!("abc 127.0.0.1:7000@17000,host {flags} - 0 0 1 connected {slots}");
        let found = master(&line("myself,master", "0-2 7 [9->-xyz]")).unwrap();
        assert_eq!((found.id.as_str(), found.port, found.slots), ("abc", 7000, vec![0, 1, 2, 7]));
        assert!(master(&line("slave", "")).is_none() && master(&line("master,fail", "0-2")).is_none());
    }
}
