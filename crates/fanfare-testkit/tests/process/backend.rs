//! An operator's backend that takes events.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// It answers with this status for as long as nobody says otherwise.
pub(crate) const AWAY: u16 = 503;
/// It reads, and does not answer.
pub(crate) const SILENT: u16 = 0;

/// See the head of this file.
pub(crate) struct Backend {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    status: AtomicU16,
    /// The events of all batches, also of those that it refused.
    offered: Mutex<Vec<Value>>,
    /// The events of the batches that it took.
    taken: Mutex<Vec<Value>>,
}

impl Backend {
    pub(crate) async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared { status: status.into(), ..Shared::default() });
        let serves = shared.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, serves.clone()));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn answers(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// The number of events that were offered to it, each as often as it was.
    pub(crate) fn offered(&self) -> usize {
        self.shared.offered.lock().len()
    }

    /// The events that it took, each once, in the order in which each came first.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let mut seen = std::collections::HashSet::new();
        let taken = self.shared.taken.lock();
        taken.iter().filter(|event| seen.insert(event["id"].to_string())).cloned().collect()
    }

    /// The names of the events of a channel, each with its user.
    pub(crate) fn of(&self, channel: &str) -> Vec<String> {
        let events = self.taken().into_iter().filter(|event| event["channel"] == channel);
        let text = |event: &Value, key| event[key].as_str().unwrap_or_default().to_owned();
        events.map(|event| format!("{} {}", text(&event, "event"), text(&event, "user"))).collect()
    }
}

async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    while let Some(body) = read(&mut socket).await {
        let batch: Value = serde_json::from_str(&body).unwrap();
        let events = batch["events"].as_array().unwrap().clone();
        shared.offered.lock().extend(events.iter().cloned());
        let status = shared.status.load(Ordering::SeqCst);
        if status == SILENT {
            std::future::pending::<()>().await;
        }
        if status < 300 {
            shared.taken.lock().extend(events);
        }
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of a request; `None` at the end of the connection.
async fn read(socket: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    loop {
        let mut part = vec![0; 65_536];
        let read = socket.read(&mut part).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(part.get(..read)?).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if Some(body.len()) >= length {
            return Some(body.to_owned());
        }
    }
}
