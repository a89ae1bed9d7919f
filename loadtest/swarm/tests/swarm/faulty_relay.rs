//! A simple relay of one channel with a planted fault, or with TLS and permessage-deflate.

use std::{collections::HashMap, net::SocketAddr, ops::ControlFlow, sync::Arc};

use fanfare_websocket::{Config, Decoder, Event, MessageKind, Role, deflate::Compressor, encode, handshake};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The fault in the tenth message of the third client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    Loses,
    Doubles,
    /// Sends the message near the end of the channel's traffic.
    Delays,
    Damages,
    Closes,
}

const VICTIM: usize = 2;
const MESSAGE: usize = 9;

#[derive(Default)]
struct Room {
    compressor: Option<Compressor>,
    members: HashMap<usize, (usize, UnboundedSender<Vec<u8>>)>,
    joined: usize,
    withheld: Option<Vec<u8>>,
}

/// Serves on a free port until the test ends.
pub(crate) async fn start(fault: Fault) -> SocketAddr {
    serve_all(None, Room::default(), fault).await
}

/// As [`start`] without a fault, with TLS and permessage-deflate. Returns the certificate to trust, in PEM.
pub(crate) async fn start_secure() -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.try_into().unwrap())
        .unwrap();
    let room = Room { compressor: Some(Compressor::new()), ..Room::default() };
    (serve_all(Some(Arc::new(config).into()), room, Fault::Nothing).await, made.cert.pem())
}

async fn serve_all(tls: Option<TlsAcceptor>, room: Room, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let room = Arc::new(Mutex::new(room));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (tls, room) = (tls.clone(), room.clone());
            tokio::spawn(async move {
                match tls {
                    Some(tls) => serve(tls.accept(stream).await.unwrap(), room, fault).await,
                    None => serve(stream, room, fault).await,
                }
            });
        }
    });
    address
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    room: Arc<Mutex<Room>>,
    fault: Fault,
) {
    let deflate = room.lock().compressor.is_some();
    upgrade(&mut stream, deflate).await;
    let (read, mut write) = tokio::io::split(stream);
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
            if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    relay(read, &room, fault).await;
    room.lock().members.remove(&member);
}

async fn relay(mut read: impl AsyncRead + Unpin, room: &Mutex<Room>, fault: Fault) {
    let config = Config { role: Role::Server, max_message: 1 << 20, deflate: false };
    let (mut decoder, mut buffer) = (Decoder::new(), vec![0; 16 << 10]);
    while let Ok(length @ 1..) = read.read(&mut buffer).await {
        decoder
            .feed(&mut buffer[..length], &config, |event| {
                match event {
                    Event::Text(bytes) => room.lock().publish(MessageKind::Text, &bytes, fault),
                    Event::Binary(bytes) => room.lock().publish(MessageKind::Binary, &bytes, fault),
                    other => panic!("a load generator sends only messages, not {other:?}"),
                }
                ControlFlow::Continue(())
            })
            .unwrap();
    }
}

impl Room {
    fn publish(&mut self, kind: MessageKind, payload: &[u8], fault: Fault) {
        let mut frame = Vec::new();
        match &mut self.compressor {
            Some(compressor) => encode::compressed(&mut frame, kind, payload, compressor),
            None => encode::message(&mut frame, kind, payload),
        }
        for (member, (count, queue)) in &mut self.members {
            let mut frames = vec![frame.clone()];
            if *member == VICTIM && *count == MESSAGE {
                frames = tampered(fault, kind, payload, &mut self.withheld);
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

fn tampered(fault: Fault, kind: MessageKind, payload: &[u8], withheld: &mut Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut frame = Vec::new();
    encode::message(&mut frame, kind, payload);
    match fault {
        Fault::Nothing => vec![frame],
        Fault::Loses => vec![],
        Fault::Doubles => vec![frame.clone(), frame],
        Fault::Delays => {
            *withheld = Some(frame);
            vec![]
        }
        Fault::Damages => {
            let mut damaged = Vec::new();
            encode::message(&mut damaged, kind, &[payload, b"!"].concat());
            vec![damaged]
        }
        Fault::Closes => {
            let mut close = Vec::new();
            encode::close(&mut close, fanfare_websocket::CloseCode::TRY_AGAIN_LATER, "slow client");
            vec![frame, close]
        }
    }
}

async fn upgrade(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deflate: bool) {
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
    let options = handshake::Options { deflate, ..handshake::Options::default() };
    let accepted = handshake::accept(&Method::GET, Version::HTTP_11, &headers, options).unwrap();
    assert_eq!(accepted.deflate, deflate);
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in &accepted.headers() {
        answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend(b"\r\n");
    stream.write_all(&answer).await.unwrap();
    stream.flush().await.unwrap();
}
