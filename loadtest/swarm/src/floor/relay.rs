//! A relay with one thread and one epoll: only what every relay must do. Messages go from the client that sends them to
//! the members of its channel, or through Redis and back.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    ops::ControlFlow,
};

use anyhow::Context as _;
use fanfare_websocket::{Config, Decoder, Event, MessageKind, Role, encode, handshake::accept_value};
use http::HeaderValue;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::redis::ThroughRedis;

const CONFIG: Config = Config { role: Role::Server, max_message: 1 << 20, deflate: false };

/// The listener's number in epoll.
const LISTENER: u64 = u64::MAX;

/// The numbers of the connections to Redis in epoll.
const PUBLISHER: u64 = u64::MAX - 1;
const SUBSCRIBER: u64 = u64::MAX - 2;

struct Relay {
    epoll: Epoll,
    listener: TcpListener,
    /// By their number in epoll.
    clients: Vec<Client>,
    /// The clients of each path.
    channels: HashMap<String, Vec<usize>>,
    buffer: Vec<u8>,
    frames: Vec<u8>,
    redis: Option<ThroughRedis>,
}

struct Client {
    socket: TcpStream,
    frames: Decoder,
    /// Its path, once it has its 101.
    channel: Option<String>,
}

/// Accepts, answers each request with a 101, and passes messages on to all clients of the same path, in one `send` for
/// each read, or in one message through this Redis. Runs until the process ends.
///
/// # Errors
/// The kernel's, or a client that broke its connection.
pub(super) fn serve(listener: TcpListener, redis: Option<SocketAddr>) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let redis = redis.map(ThroughRedis::connect).transpose().context("the connection to Redis")?;
    if let Some(ThroughRedis { publisher, subscriber, .. }) = &redis {
        epoll.add(publisher, EpollEvent::new(EpollFlags::EPOLLIN, PUBLISHER))?;
        epoll.add(subscriber, EpollEvent::new(EpollFlags::EPOLLIN, SUBSCRIBER))?;
    }
    let (clients, channels) = (Vec::new(), HashMap::new());
    let mut relay =
        Relay { epoll, listener, clients, channels, buffer: vec![0; 64 << 10], frames: Vec::new(), redis };
    let mut events = [EpollEvent::empty(); 1024];
    loop {
        let ready = relay.epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in events.iter().take(ready) {
            match event.data() {
                LISTENER => relay.accept()?,
                PUBLISHER => relay.replied()?,
                SUBSCRIBER => relay.heard()?,
                client => relay.read(usize::try_from(client)?)?,
            }
        }
    }
}

impl Relay {
    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, self.clients.len() as u64))?;
            self.clients.push(Client { socket, frames: Decoder::new(), channel: None });
        }
    }

    fn read(&mut self, number: usize) -> anyhow::Result<()> {
        let client = self.clients.get_mut(number).context("epoll names an unknown client")?;
        let read = client.socket.read(&mut self.buffer)?;
        if read == 0 {
            self.epoll.delete(&client.socket)?;
            return Ok(());
        }
        let input = self.buffer.get_mut(..read).unwrap_or_default();
        let Some(channel) = &client.channel else {
            let channel = upgrade(client, input)?;
            if let Some(redis) = self.redis.as_mut().filter(|_| !self.channels.contains_key(&channel)) {
                redis.subscribe(&channel)?;
            }
            self.channels.entry(channel).or_default().push(number);
            return Ok(());
        };
        self.frames.clear();
        client.frames.feed(input, &CONFIG, |event| {
            match event {
                Event::Text(bytes) => encode::message(&mut self.frames, MessageKind::Text, &bytes),
                Event::Binary(bytes) => encode::message(&mut self.frames, MessageKind::Binary, &bytes),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        if self.frames.is_empty() {
            return Ok(());
        }
        match &mut self.redis {
            None => fan_out(self.channels.get(channel), &self.clients, &self.frames)?,
            Some(redis) => redis.publish(channel, &self.frames)?,
        }
        Ok(())
    }

    fn replied(&mut self) -> anyhow::Result<()> {
        let Self { redis: Some(redis), buffer, .. } = self else { return Ok(()) };
        redis.replied(buffer)
    }

    fn heard(&mut self) -> anyhow::Result<()> {
        let Self { redis: Some(redis), buffer, channels, clients, .. } = self else { return Ok(()) };
        redis.heard(buffer, |channel, frames| fan_out(channels.get(channel), clients, frames))
    }
}

fn fan_out(members: Option<&Vec<usize>>, clients: &[Client], frames: &[u8]) -> io::Result<()> {
    for member in members.into_iter().flatten() {
        if let Some(member) = clients.get(*member) {
            send(&member.socket, frames)?;
        }
    }
    Ok(())
}

/// Sends to a client. A client with a full or closed socket misses the frames: every client of a floor reads.
fn send(mut socket: &TcpStream, frames: &[u8]) -> io::Result<()> {
    match socket.write(frames) {
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Answers a whole request, without looking at the rest of it. Returns the path.
fn upgrade(client: &mut Client, request: &[u8]) -> anyhow::Result<String> {
    let request = std::str::from_utf8(request)?;
    let path = request.split(' ').nth(1).context("a request without a path")?.to_owned();
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .context("a request without a key")?;
    let accept = accept_value(&HeaderValue::from_str(key)?);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept.to_str()?
    );
    client.socket.write_all(answer.as_bytes())?;
    client.channel = Some(path.clone());
    Ok(path)
}
