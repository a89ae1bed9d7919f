//! The script that publishes what is kept, or has an idempotency key: see `publish.lua`.
//!
//! Invariants:
//! - The script is loaded on each connection, ahead of the first publish that needs it. So a node whose channels have
//!   no history needs no right for it.
//! - The text, and so its hash, differs between most nodes. After a `SCRIPT FLUSH` none of this node's publishes runs
//!   until this node has loaded it again, whatever others load. Otherwise a later one could run ahead of an earlier one.

use bytes::{Bytes, BytesMut};
use fanfare_core::{
    Channel, Epoch, Incarnation, Position, Retention, broker::IDEMPOTENCY_TTL, history::META_TTL,
};
use sha1::{Digest, Sha1};

use super::command::{put, put_number, put_words};
use crate::liveness::split::Run;
use crate::redis::{
    connection::{
        code::{advice, code, lacks_right},
        resp::Value,
    },
    names::Names,
    pubsub::PubSub,
};

/// How Redis says that it does not have the script.
pub(super) const MISSING: &str = "NOSCRIPT";

const TEXT: &str = concat!(include_str!("../history/before.lua"), include_str!("publish.lua"));
/// The characters of a run that are kept: enough to tell runs apart. Those of 64 bits, as in `history/read.lua`.
const RUN: usize = 16;
/// The number of different texts. Redis keeps each until it is restarted.
const TEXTS: u64 = 256;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    hash: String,
    /// The run of the server and its era, as the script writes them; empty where they are not known.
    run_of_server: String,
    /// Whether it was written to this connection.
    is_loaded: bool,
    /// The code word with which Redis refused it last.
    refused: Option<String>,
}

/// The answer of the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    pub(super) position: Option<Position>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was delivered to that many nodes.
    Delivered(i64),
    /// It had been delivered before: this is a repetition.
    Before,
    /// A publish with its idempotency key had been taken.
    Duplicate,
}

/// A publish for the script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep<'a> {
    pub(super) channel: &'a Channel,
    pub(super) retention: Option<Retention>,
    pub(super) key: Option<&'a str>,
    pub(super) node: Incarnation,
    pub(super) sequence: u64,
    /// The time in seconds since 1970.
    pub(super) seconds: u64,
    /// The beginning of the envelope that has the position.
    pub(super) positioned: &'a [u8],
    /// Its own envelope, in parts.
    pub(super) envelope: [&'a [u8]; 3],
}

impl Script {
    pub(crate) fn new(node: Incarnation, pubsub: PubSub) -> Self {
        let text = TEXT.replace("'PUBLISH'", &format!("'{}'", pubsub.word("PUBLISH")));
        let text = format!("-- {}\n{text}", node.0 % TEXTS);
        let hash = Sha1::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { text, hash, run_of_server: String::new(), is_loaded: false, refused: None }
    }

    /// Whether it has to be written now, ahead of a publish that needs it.
    pub(super) fn is_due(&mut self) -> bool {
        !std::mem::replace(&mut self.is_loaded, true)
    }

    /// The connection leads to this run of the server, in this era.
    pub(super) fn arrived(&mut self, run: Option<&Run>, era: Option<u64>) {
        self.run_of_server = run.map_or("", Run::as_str).chars().take(RUN).collect();
        if let Some(era) = era.filter(|_| run.is_some()) {
            self.run_of_server.push_str(&format!(":{era}"));
        }
    }

    /// It has to be written again: the connection is new, or Redis does not have it any more.
    pub(super) fn lost(&mut self) {
        self.is_loaded = false;
    }

    /// Redis answered to it. What was refused before is said once.
    pub(super) fn answered(&mut self, answer: &Value) {
        let refused = match answer {
            Value::Error(error) => Some(code(error)),
            _ => None,
        };
        if let Some(code) = &refused {
            self.is_loaded = false;
            if self.refused != refused {
                let advice = advice(code, "script|load and evalsha");
                tracing::warn!(
                    "Redis answers {code} to SCRIPT LOAD: messages of channels with history are refused; {advice}"
                );
            }
        }
        self.refused = refused;
    }

    /// Why Redis does not have it, where Redis refused it.
    pub(super) fn refusal(&self) -> Option<String> {
        let code = self.refused.as_ref()?;
        let advice = advice(code, "script|load and evalsha");
        Some(format!("Redis answers {code} to SCRIPT LOAD, which channels with history need: {advice}"))
    }

    /// Appends the command that loads it.
    pub(super) fn load(&self, out: &mut BytesMut) {
        out.extend_from_slice(&redis::cmd("SCRIPT").arg("LOAD").arg(&self.text).get_packed_command());
    }

    /// Appends the command that runs it.
    pub(super) fn run(&self, names: &Names, keep: &Keep<'_>, out: &mut BytesMut) {
        let Keep { channel, retention, key, .. } = keep;
        let key = key.map(|key| names.once(channel, key));
        let keys = if retention.is_some() { 2 } else { 0 } + usize::from(key.is_some());
        let envelope: usize = keep.envelope.iter().map(|part| part.len()).sum();
        out.reserve(768 + 3 * channel.as_str().len() + key.as_ref().map_or(0, String::len) + envelope);
        put_words(out, 3 + keys + 12);
        put(out, &[b"EVALSHA"]);
        put(out, &[self.hash.as_bytes()]);
        put_number(out, keys as u64);
        if retention.is_some() {
            for [prefix, name] in [names.meta(channel), names.stream(channel)] {
                put(out, &[prefix.as_bytes(), name.as_bytes()]);
            }
        }
        if let Some(key) = &key {
            put(out, &[key.as_bytes()]);
        }
        let [prefix, name] = names.data(channel);
        put(out, &[prefix.as_bytes(), name.as_bytes()]);
        put_number(out, retention.map_or(0, |retention| u64::from(retention.size.max(1))));
        put_number(out, retention.map_or(0, |retention| retention.ttl.as_secs().max(1)));
        put_number(out, META_TTL.as_secs());
        put(out, &[keep.node.to_string().as_bytes()]);
        put(out, &[format!("{:016}", keep.sequence).as_bytes()]);
        put(out, &[&rand::random::<u64>().to_be_bytes()]);
        put_number(out, keep.seconds);
        put(out, &[keep.positioned]);
        put(out, &keep.envelope);
        put_number(out, IDEMPOTENCY_TTL.as_secs());
        put(out, &[self.run_of_server.as_bytes()]);
    }
}

/// The answer of the script; `None` for something else.
pub(super) fn ran(answer: &Value) -> Option<Ran> {
    let Value::List(values) = answer else { return None };
    let [Value::Int(receivers), Value::Text(epoch), Value::Int(offset), Value::Int(outcome)] = &values[..]
    else {
        return None;
    };
    let position = position(epoch, *offset);
    let outcome = match outcome {
        0 => Outcome::Delivered(*receivers),
        1 => Outcome::Before,
        2 => Outcome::Duplicate,
        _ => return None,
    };
    Some(Ran { outcome, position })
}

fn position(epoch: &Bytes, offset: i64) -> Option<Position> {
    let epoch = Epoch(u64::from_be_bytes(epoch.as_ref().try_into().ok()?));
    let offset = u64::try_from(offset).ok().filter(|offset| *offset > 0)?;
    Some(Position { epoch, offset })
}

/// Why a publish is refused that Redis answered with this error.
pub(super) fn refusal(error: &[u8], needs_script: bool) -> String {
    let code = code(error);
    if !needs_script || !lacks_right(error) {
        return format!("Redis answers {code}");
    }
    "Redis does not let this node keep messages: permit the commands and keys in docs/redis.md to its user"
        .to_owned()
}
