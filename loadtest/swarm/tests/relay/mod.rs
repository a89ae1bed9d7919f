//! A relay of one channel, as plain as can be, that does wrong where it is told to.

use std::{collections::HashMap, net::SocketAddr, ops::ControlFlow, sync::Arc};

use fanfare_websocket::{Config, Decoder, Event, MessageKind, Role, encode, handshake};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

/// What the relay does to the tenth message of the client that came third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    Nothing,
    Loses,
    Doubles,
    /// Sends it after all the others: at the end of the channel's traffic, or as good as.
    Delays,
    Damages,
    Closes,
}

const VICTIM: usize = 2;
const MESSAGE: usize = 9;

#[derive(Default)]
struct Room {
    members: HashMap<usize, (usize, UnboundedSender<Vec<u8>>)>,
    joined: usize,
    withheld: Option<Vec<u8>>,
}

/// Serves on a free port until the test ends.
pub(crate) async fn start(mischief: Mischief) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let room = Arc::new(Mutex::new(Room::default()));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, room.clone(), mischief));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, room: Arc<Mutex<Room>>, mischief: Mischief) {
    upgrade(&mut stream).await;
    let (read, mut write) = stream.into_split();
    let (sender, mut queue) = unbounded_channel::<Vec<u8>>();
    let member = {
        let mut room = room.lock();
        let member = room.joined;
        room.joined += 1;
        room.members.insert(member, (0, sender));
        member
    };
    tokio::spawn(async move {
        while let Some(frame) = queue.recv().await {
            if write.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    relay(read, &room, mischief).await;
    room.lock().members.remove(&member);
}

async fn relay(mut read: OwnedReadHalf, room: &Mutex<Room>, mischief: Mischief) {
    let config = Config { role: Role::Server, max_message: 1 << 20, deflate: false };
    let (mut decoder, mut buffer) = (Decoder::new(), vec![0; 16 << 10]);
    while let Ok(length @ 1..) = read.read(&mut buffer).await {
        decoder
            .feed(&mut buffer[..length], &config, |event| {
                match event {
                    Event::Text(bytes) => room.lock().publish(MessageKind::Text, &bytes, mischief),
                    Event::Binary(bytes) => room.lock().publish(MessageKind::Binary, &bytes, mischief),
                    other => panic!("a load generator sends messages only, not {other:?}"),
                }
                ControlFlow::Continue(())
            })
            .unwrap();
    }
}

impl Room {
    fn publish(&mut self, kind: MessageKind, payload: &[u8], mischief: Mischief) {
        let mut frame = Vec::new();
        encode::message(&mut frame, kind, payload);
        for (member, (count, queue)) in &mut self.members {
            let mut frames = vec![frame.clone()];
            if *member == VICTIM && *count == MESSAGE {
                frames = tampered(mischief, kind, payload, &mut self.withheld);
            } else if *member == VICTIM && *count == MESSAGE + 100 {
                frames.extend(self.withheld.take());
            }
            *count += 1;
            for frame in frames {
                queue.send(frame).ok();
            }
        }
    }
}

fn tampered(
    mischief: Mischief,
    kind: MessageKind,
    payload: &[u8],
    withheld: &mut Option<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut frame = Vec::new();
    encode::message(&mut frame, kind, payload);
    match mischief {
        Mischief::Nothing => vec![frame],
        Mischief::Loses => vec![],
        Mischief::Doubles => vec![frame.clone(), frame],
        Mischief::Delays => {
            *withheld = Some(frame);
            vec![]
        }
        Mischief::Damages => {
            let mut damaged = Vec::new();
            encode::message(&mut damaged, kind, &[payload, b"!"].concat());
            vec![damaged]
        }
        Mischief::Closes => {
            let mut close = Vec::new();
            encode::close(&mut close, fanfare_websocket::CloseCode::TRY_AGAIN_LATER, "slow client");
            vec![frame, close]
        }
    }
}

async fn upgrade(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.unwrap();
    }
    let mut parsed = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut parsed);
    request.parse(&head).unwrap();
    let mut headers = HeaderMap::new();
    for header in request.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(header.value).unwrap());
    }
    let accepted =
        handshake::accept(&Method::GET, Version::HTTP_11, &headers, handshake::Terms::default()).unwrap();
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in &accepted.headers() {
        answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend(b"\r\n");
    stream.write_all(&answer).await.unwrap();
}
