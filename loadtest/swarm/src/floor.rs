//! The floor of a fan-out: a process with one thread that does nothing but send.
//!
//! For each frame that its first socket brings, it sends one frame of the same payload length to each of its
//! sockets, one `send` each. It looks at no byte it reads.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, bail};
use fanfare_websocket::{MessageKind, encode};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{client::Connection, machine};

/// What a client's frame has more than a server's, in bytes: the masking key.
const MASKING_KEY: usize = 4;

/// Serves until the first socket ends; prints the port first.
///
/// # Errors
/// The kernel's.
pub fn serve(subscribers: usize, bytes: usize) -> anyhow::Result<()> {
    machine::allow_connections(subscribers)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let mut sockets = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    let mut frame = Vec::new();
    encode::message(&mut frame, MessageKind::Text, &payload(bytes));
    send_for_each_frame_read(&sockets, &frame)
}

/// The payload that floor and server are given alike.
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

fn send_for_each_frame_read(sockets: &[TcpStream], frame: &[u8]) -> anyhow::Result<()> {
    let Some(mut publisher) = sockets.first() else { return Ok(()) };
    let incoming = frame.len() + MASKING_KEY;
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
                socket.write_all(frame)?;
            }
        }
    }
}

/// A floor's server as a child of this process; ends when it is dropped.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    port: u16,
}

impl Floor {
    /// Starts it: `swarm` is the path of this crate's program.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(swarm: &Path, subscribers: usize, bytes: usize) -> anyhow::Result<Self> {
        let mut child = Command::new(swarm)
            .args(["floor-server", "--subscribers", &subscribers.to_string(), "--bytes", &bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}", swarm.display()))?;
        let Some(stdout) = child.stdout.take() else { bail!("the floor has no output") };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let port = line.trim().parse().context("the floor did not say its port")?;
        Ok(Self { child, port })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Connects; the first connection is the publisher's.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn connect(&self, subscribers: usize) -> anyhow::Result<Vec<Connection>> {
        machine::allow_connections(subscribers)?;
        let mut connections = Vec::with_capacity(subscribers);
        for _ in 0..subscribers {
            let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.set_nodelay(true)?;
            connections.push(Connection::upgraded(stream, Vec::new()));
        }
        Ok(connections)
    }
}
