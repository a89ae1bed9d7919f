//! A small backend of a test, over connections that it keeps.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// The treatment of a request.
pub(crate) enum Does {
    /// Answers with this status and body.
    Answers(u16, &'static str),
    /// The same, and ends the connection without a word about it.
    AnswersAndLeaves(u16, &'static str),
    /// Says nothing.
    Waits,
    /// Ends the connection.
    Leaves,
}

/// A request that it read.
#[derive(Debug)]
pub(crate) struct Request {
    /// The number of its connection, from 0 on.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.head.lines().filter_map(|line| line.split_once(": "));
        values.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// See the head of this file.
pub(crate) struct Backend {
    pub(crate) address: String,
    pub(crate) requests: UnboundedReceiver<Request>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Backend {
    /// A backend that does this with the request of each number, from 0 on.
    pub(crate) async fn that(does: impl Fn(usize) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, requests) = unbounded_channel();
        let connections = Arc::<AtomicUsize>::default();
        let (does, number, counted) = (Arc::new(does), Arc::<AtomicUsize>::default(), connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = counted.fetch_add(1, Ordering::SeqCst);
                let (send, does, number) = (send.clone(), does.clone(), number.clone());
                let next = move || does(number.fetch_add(1, Ordering::SeqCst));
                tokio::spawn(serve(socket, connection, send, next));
            }
        });
        Self { address, requests, connections }
    }
}

async fn serve(
    mut socket: TcpStream,
    connection: usize,
    send: UnboundedSender<Request>,
    next: impl Fn() -> Does + Send,
) {
    while let Some((head, body)) = read(&mut socket).await {
        let does = next();
        // A test that ended reads no more.
        let _ = send.send(Request { connection, head, body });
        let (status, body, stays) = match does {
            Does::Answers(status, body) => (status, body, true),
            Does::AnswersAndLeaves(status, body) => (status, body, false),
            Does::Waits => std::future::pending().await,
            Does::Leaves => return,
        };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if socket.write_all(answer.as_bytes()).await.is_err() || !stays {
            return;
        }
    }
}

/// A request; `None` at the end of the connection.
async fn read(socket: &mut TcpStream) -> Option<(String, String)> {
    let mut text = String::new();
    loop {
        let mut part = [0; 65_536];
        let read = socket.read(&mut part).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(part.get(..read)?).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
        });
        if body.len() >= length.unwrap_or_default() {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}
