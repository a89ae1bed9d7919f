//! Instructions of a fan-out, a publish and a turn of the heartbeats' wheel, counted by callgrind and compared with
//! their budgets by `tests/instructions/run.sh`.
//!
//! With the relay's dialect, WebSocket frames and the memory broker, on one thread with paused time. Sinks that take
//! everything stand for the sockets, so that only the node's own instructions count.

#![expect(missing_docs, reason = "the code of gungraun has none")]
#![expect(clippy::expect_used, reason = "a bench fails by a panic")]

mod crowd;

use gungraun::prelude::*;

use self::crowd::{Crowd, PING_INTERVAL};

/// A crowd whose first fan-out is over: the buffers that a shard keeps exist.
fn warm(members: usize) -> Crowd {
    warmed(Crowd::new(members), members)
}

fn warm_filtered(members: usize) -> Crowd {
    warmed(Crowd::filtered(members), members)
}

fn warmed(crowd: Crowd, members: usize) -> Crowd {
    for _ in 0..2 {
        crowd.publish();
        crowd.until_written(members);
    }
    crowd
}

// From the broker's publication to the last write.
#[library_benchmark]
#[bench::to_1000(args = (1_000), setup = warm)]
fn fan_out_tick(crowd: Crowd) -> Crowd {
    crowd.deliver(1);
    crowd.until_written(1_000);
    crowd
}

// Sixteen publications in one tick: one write for each member.
#[library_benchmark]
#[bench::of_16_to_1000(args = (1_000), setup = warm)]
#[bench::of_16_to_1000_filtered(args = (1_000), setup = warm_filtered)]
fn fan_out_gathered(crowd: Crowd) -> Crowd {
    crowd.deliver(16);
    crowd.until_written(1_000);
    crowd
}

// From a member's command until the broker took it, and the shard has it.
#[library_benchmark]
#[bench::one(args = (1), setup = warm)]
fn publish(crowd: Crowd) -> Crowd {
    crowd.publish();
    crowd
}

// The turn of the wheel in which all are pinged.
#[library_benchmark]
#[bench::of_1000(args = (1_000), setup = warm)]
fn heartbeat_tick(crowd: Crowd) -> Crowd {
    crowd.pass(PING_INTERVAL);
    crowd.until_written(1_000);
    crowd
}

library_benchmark_group!(name = node, benchmarks = [fan_out_tick, fan_out_gathered, publish, heartbeat_tick]);
main!(library_benchmark_groups = node);
