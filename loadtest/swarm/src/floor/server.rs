//! The servers.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use fanfare_websocket::{FrameHead, MessageKind, Opcode, encode};
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    socket::{Backlog, listen},
};

use super::{
    args::{FloorArgs, Kind, payload},
    relay,
};
use crate::machine;

/// The masking key, which only a client's frame has, in bytes.
const MASKING_KEY: usize = 4;

/// The time between two rounds of pings, as in Fanfare.
const ROUND: Duration = Duration::from_secs(1);

/// Prints the port, and serves until a socket ends that is not the relay's, or the process ends.
///
/// # Errors
/// The kernel's.
pub fn serve(args: &FloorArgs) -> anyhow::Result<()> {
    machine::allow_connections(args.subscribers)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // The longest queue that the machine allows, as on a server that expects storms.
    listen(&listener, Backlog::MAXALLOWABLE)?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    match args.kind {
        Kind::Send => send_for_each_frame_read(&accept(&listener, args.subscribers)?, args),
        Kind::Ping => ping(&accept(&listener, args.subscribers)?, args),
        Kind::Relay => relay::serve(listener, args.redis),
    }
}

fn accept(listener: &TcpListener, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn send_for_each_frame_read(sockets: &[TcpStream], args: &FloorArgs) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    encode::message(&mut frame, MessageKind::Text, &payload(args.bytes));
    let Some(mut publisher) = sockets.first() else { return Ok(()) };
    let incoming = (frame.len() + MASKING_KEY) * args.batch;
    let frames = frame.repeat(args.batch);
    let mut buffer = vec![0; 64 << 10];
    let mut unanswered = 0;
    loop {
        match publisher.read(&mut buffer)? {
            0 => return Ok(()),
            read => unanswered += read,
        }
        while unanswered >= incoming {
            unanswered -= incoming;
            for mut socket in sockets {
                socket.write_all(&frames)?;
            }
        }
    }
}

fn ping(sockets: &[TcpStream], args: &FloorArgs) -> anyhow::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (number, socket) in sockets.iter().enumerate() {
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
    }
    let mut frame = Vec::new();
    encode::frame(&mut frame, FrameHead::whole(Opcode::Ping), &[], None);
    let turns = usize::try_from(args.interval.max(1))?;
    let mut next = Instant::now() + ROUND;
    for turn in 0.. {
        for mut socket in sockets.iter().skip(turn % turns).step_by(turns) {
            socket.write_all(&frame)?;
        }
        if !read_until(&epoll, sockets, next)? {
            return Ok(());
        }
        next += ROUND;
    }
    Ok(())
}

/// Reads until this moment. `false`: a socket has ended.
fn read_until(epoll: &Epoll, sockets: &[TcpStream], end: Instant) -> anyhow::Result<bool> {
    let (mut events, mut buffer) = ([EpollEvent::empty(); 256], [0; 1024]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        let ready = epoll.wait(&mut events, EpollTimeout::try_from(left + Duration::from_millis(1))?)?;
        for event in events.iter().take(ready) {
            let place = usize::try_from(event.data())?;
            let Some(mut socket) = sockets.get(place) else { continue };
            if socket.read(&mut buffer)? == 0 {
                return Ok(false);
            }
        }
    }
}
