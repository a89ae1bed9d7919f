//! Clients of npm's `centrifuge` on the stage: over WebSockets, HTTP streams and SSE, in JSON and in Protobuf. They are one
//! process of Node, `tests/centrifugo/chaos.mjs`. The checker's judge judges them as it judges its own clients.

use std::process::Stdio;

use fanfare_swarm::{position::Position, verify::history::Guests};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinSet,
};

use crate::{endpoint::Endpoint, timeouts::within};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/centrifugo/chaos.mjs");

/// Milliseconds between two messages of a publisher.
const PAUSE: u32 = 500;

/// The clients.
#[derive(Debug)]
pub(super) struct Sdk {
    input: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    /// They end with it, and the clients too.
    _tasks: JoinSet<()>,
}

/// A line of the script.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Line {
    Ready,
    Heard { client: usize, payload: String },
    Told { client: usize, since: Position },
    Warned { client: usize, messages: usize },
    Published { publisher: usize, taken: bool },
    Ended { reason: String },
    Wrong { sentence: String },
    Stopped,
}

impl Sdk {
    /// Starts them. Returns once all are subscribed.
    ///
    /// # Panics
    /// If the script does not run.
    pub(super) async fn start(entrance: Endpoint, clients: usize, publishers: usize, guests: Guests) -> Self {
        let plan = json!({
            "url": entrance.url(),
            "pause": PAUSE,
            "clients": (0..clients).map(|client| place(&guests, client, publishers)).collect::<Vec<_>>(),
        });
        let mut node = Command::new("node");
        node.arg(SCRIPT).arg(plan.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = match node.kill_on_drop(true).spawn() {
            Ok(process) => process,
            Err(error) => panic!("node cannot be started: {error}"),
        };
        let (Some(output), Some(input)) = (process.stdout.take(), process.stdin.take()) else {
            panic!("node has no pipes")
        };
        let (ready, mut is_ready) = watch::channel(false);
        let (has_stopped, stopped) = watch::channel(false);
        let (stop, stops) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let drops = guests.drops();
        tasks.spawn(async move {
            note(BufReader::new(output).lines(), &guests, ready, has_stopped).await;
            guests.wrong(format!("the SDK clients have ended: {:?}", process.wait().await));
        });
        tasks.spawn(command(input, drops, stops));
        let all = within("all SDK clients are subscribed", is_ready.wait_for(|is_ready| *is_ready));
        assert!(all.await.is_ok(), "tests/centrifugo/chaos.mjs ended at once");
        Self { input: stop, stopped, _tasks: tasks }
    }

    /// Ends publishing. Returns once the fate of each message is known.
    pub(super) async fn stop(&mut self) {
        self.input.send_replace(true);
        // Clients that have ended are a fault that is noted.
        let _ = within("SDK clients stop", self.stopped.wait_for(|stopped| *stopped)).await;
    }
}

/// The place of a client; the first ones publish too.
fn place(guests: &Guests, client: usize, publishers: usize) -> Value {
    let Some((channel, since)) = guests.place(client) else { return Value::Null };
    let to = guests.channel(client).filter(|_| client < publishers);
    json!({
        "channel": channel,
        "epoch": since.epoch,
        "offset": since.offset,
        "publishes": to.map(|channel| json!({ "channel": channel, "payload": guests.payload(client) })),
    })
}

/// Notes what they say, until they end.
async fn note(
    mut lines: Lines<BufReader<ChildStdout>>,
    guests: &Guests,
    ready: watch::Sender<bool>,
    stopped: watch::Sender<bool>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Line::Ready) => drop(ready.send_replace(true)),
            Ok(Line::Heard { client, payload }) => guests.hears(client, &payload),
            Ok(Line::Told { client, since }) => guests.begins_anew(client, since),
            Ok(Line::Warned { client, messages }) => guests.warns(client, messages),
            Ok(Line::Published { publisher, taken }) => guests.published(publisher, taken),
            Ok(Line::Ended { reason }) => guests.ended(reason),
            Ok(Line::Wrong { sentence }) => guests.wrong(sentence),
            Ok(Line::Stopped) => drop(stopped.send_replace(true)),
            Err(error) => guests.wrong(format!("{line:?} of the SDK clients: {error}")),
        }
    }
}

/// Tells them of drops, and to stop.
async fn command(mut input: ChildStdin, mut drops: watch::Receiver<f64>, mut stop: watch::Receiver<bool>) {
    loop {
        let line = tokio::select! {
            Ok(()) = drops.changed() => format!("{}\n", *drops.borrow_and_update()),
            Ok(()) = stop.changed() => "stop\n".to_owned(),
            else => return,
        };
        if input.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
