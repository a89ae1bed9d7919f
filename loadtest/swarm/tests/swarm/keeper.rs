//! A simple server of channels with history, with a planted fault. Every tenth publish is answered with 504 although it was
//! taken, and every 50th message ends all connections of its channel.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use fanfare_websocket::{MessageKind, encode, handshake::accept_value};
use http::HeaderValue;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

const EPOCH: &str = "00000000000000aa";
/// The epoch after the server lost its memory.
const NEXT_EPOCH: &str = "00000000000000bb";

/// The fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// A member does not get one message.
    Loses,
    /// A member that comes back gets one message too few.
    RecoversTooLittle,
    /// A member that comes back gets one message again.
    RecoversTooMuch,
    /// A member gets two messages in the wrong order.
    Swaps,
    /// A repeated publish is taken again.
    IgnoresKeys,
    /// A message is acknowledged and not kept.
    KeepsNothing,
    /// A member that comes back is told that its position is lost.
    GivesUp,
    /// All is lost once, and members are told.
    Forgets,
}

#[derive(Debug, Default)]
struct Channel {
    forgot: bool,
    taken: usize,
    log: Vec<String>,
    keys: HashMap<String, usize>,
    members: Vec<UnboundedSender<Vec<u8>>>,
}

type Channels = Arc<Mutex<HashMap<String, Channel>>>;

/// Serves on a free port until the test ends.
pub(crate) async fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let channels = Channels::default();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, channels.clone(), fault));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, channels: Channels, fault: Fault) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
        };
        if let Some(key) = header("Sec-WebSocket-Key:") {
            return member(stream, &head, &key, &channels, fault).await;
        }
        let length: usize = header("Content-Length:").unwrap().parse().unwrap();
        while bytes.len() < length {
            stream.read_buf(&mut bytes).await.unwrap();
        }
        let body: Value = serde_json::from_slice(&bytes.drain(..length).collect::<Vec<_>>()).unwrap();
        let (status, answer) = answer(&head, &body, &channels, fault);
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

fn answer(head: &str, body: &Value, channels: &Channels, fault: Fault) -> (u16, String) {
    let mut channels = channels.lock();
    let channel = channels.entry(body["channel"].as_str().unwrap().to_owned()).or_default();
    if head.starts_with("POST /api/publish ") {
        let key = body["idempotency_key"].as_str().unwrap();
        let offset = channel.publish(body["data"].as_str().unwrap(), key, fault);
        if channel.taken.is_multiple_of(10) {
            channel.taken += 1;
            return (504, json!({"error": {"reason": "outcome_unknown"}}).to_string());
        }
        return (200, json!({"result": {"offset": offset, "epoch": channel.epoch()}}).to_string());
    }
    let after = body["since"]["offset"].as_u64().unwrap_or(0) as usize;
    let page = channel.log.iter().enumerate().skip(after).take(body["limit"].as_u64().unwrap() as usize);
    let page: Vec<_> = page.map(|(place, data)| json!({"data": data, "offset": place + 1})).collect();
    let (offset, epoch) = (channel.log.len(), channel.epoch());
    (200, json!({"result": {"publications": page, "offset": offset, "epoch": epoch}}).to_string())
}

impl Channel {
    fn epoch(&self) -> &'static str {
        if self.forgot { NEXT_EPOCH } else { EPOCH }
    }

    fn publish(&mut self, data: &str, key: &str, fault: Fault) -> usize {
        if let Some(offset) = self.keys.get(key).filter(|_| fault != Fault::IgnoresKeys) {
            return *offset;
        }
        self.taken += 1;
        if fault == Fault::KeepsNothing && self.log.len() == 30 {
            return 31;
        }
        if fault == Fault::Forgets && self.taken == 30 {
            (self.forgot, self.log, self.keys, self.members) = Default::default();
            self.forgot = true;
        }
        self.log.push(data.to_owned());
        self.keys.insert(key.to_owned(), self.log.len());
        let offset = self.log.len();
        for (number, member) in self.members.iter().enumerate() {
            let first = number == 0;
            let messages: &[&String] = match fault {
                Fault::Loses if first && offset == 20 => &[],
                Fault::Swaps if first && offset == 20 => &[],
                Fault::Swaps if first && offset == 21 => &[&self.log[20], &self.log[19]],
                _ => &[&self.log[offset - 1]],
            };
            for message in messages {
                member.send(frame(message)).ok();
            }
        }
        if offset.is_multiple_of(50) {
            self.members.clear();
        }
        offset
    }

    /// The frames for a member that wants all since this position; `None` if they cannot be given.
    fn recovers(&self, since: &str, fault: Fault) -> Option<Vec<u8>> {
        let (epoch, offset) = since.split_once(':').unwrap();
        let offset: usize = offset.parse().unwrap();
        let returns = offset > 0;
        if epoch != self.epoch() || (fault == Fault::GivesUp && returns) {
            return None;
        }
        let from = match fault {
            Fault::RecoversTooLittle if returns => offset + 1,
            Fault::RecoversTooMuch if returns => offset - 1,
            _ => offset,
        };
        Some(self.log.iter().skip(from).flat_map(|message| frame(message)).collect())
    }
}

fn frame(message: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode::message(&mut frame, MessageKind::Text, message.as_bytes());
    frame
}

async fn member(mut stream: TcpStream, head: &str, key: &str, channels: &Channels, fault: Fault) {
    let path = head.split(' ').nth(1).unwrap();
    let (name, since) = path.strip_prefix("/ws/").unwrap().split_once("?since=").unwrap();
    let (sender, mut queue) = unbounded_channel();
    let past = {
        let mut channels = channels.lock();
        let channel = channels.entry(name.to_owned()).or_default();
        channel.members.push(sender);
        channel.recovers(since, fault)
    };
    let accept = accept_value(&HeaderValue::from_str(key).unwrap());
    let answer = format!(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         Fanfare-Recovered: {}\r\n\r\n",
        accept.to_str().unwrap(),
        past.is_some()
    );
    let mut bytes = answer.into_bytes();
    bytes.extend(past.unwrap_or_default());
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    while let Some(frame) = queue.recv().await {
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}
