//! The way of a bare relay through Redis: one connection that publishes, one that is subscribed. Only what every relay must
//! do: replies are read and not looked at, and Redis is trusted to send what it should.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::Context as _;

/// Both connections.
pub(super) struct ThroughRedis {
    pub(super) publisher: TcpStream,
    pub(super) subscriber: TcpStream,
    command: Vec<u8>,
    /// The begin of a message whose end has not come.
    rest: Vec<u8>,
}

impl ThroughRedis {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        Ok(Self { publisher: connect()?, subscriber: connect()?, command: Vec::new(), rest: Vec::new() })
    }

    pub(super) fn subscribe(&mut self, channel: &str) -> io::Result<()> {
        write!(self.subscriber, "*2\r\n$9\r\nSUBSCRIBE\r\n${}\r\n{channel}\r\n", channel.len())
    }

    pub(super) fn publish(&mut self, channel: &str, frames: &[u8]) -> io::Result<()> {
        self.command.clear();
        let (name, body) = (channel.len(), frames.len());
        write!(self.command, "*3\r\n$7\r\nPUBLISH\r\n${name}\r\n{channel}\r\n${body}\r\n")?;
        self.command.extend_from_slice(frames);
        self.command.extend_from_slice(b"\r\n");
        self.publisher.write_all(&self.command)
    }

    /// Reads replies to publishes.
    pub(super) fn replied(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        let read = self.publisher.read(buffer)?;
        anyhow::ensure!(read > 0, "Redis ended the connection");
        Ok(())
    }

    /// Reads messages, and hands over the channel and the frames of each.
    pub(super) fn heard(
        &mut self,
        buffer: &mut [u8],
        mut each: impl FnMut(&str, &[u8]) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let read = self.subscriber.read(buffer)?;
        anyhow::ensure!(read > 0, "Redis ended the connection");
        self.rest.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let mut unread = self.rest.as_slice();
        while let Some(([kind, channel, frames], behind)) = array(unread) {
            if kind == b"message" {
                each(std::str::from_utf8(channel).context("a channel that is not text")?, frames)?;
            }
            unread = behind;
        }
        let left = unread.len();
        self.rest.drain(..self.rest.len() - left);
        Ok(())
    }
}

/// The three parts of an array, and the bytes behind it; `None`: its end has not come. The third part of a confirmation
/// is a number: it counts as empty.
fn array(bytes: &[u8]) -> Option<([&[u8]; 3], &[u8])> {
    let (_, mut unread) = line(bytes)?;
    let mut parts: [&[u8]; 3] = [&[]; 3];
    for part in &mut parts {
        let (head, behind) = line(unread)?;
        unread = behind;
        if let Some(length) = head.strip_prefix(b"$") {
            let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
            *part = unread.get(..length)?;
            unread = unread.get(length + 2..)?;
        }
    }
    Some((parts, unread))
}

/// A line without its end, and the bytes behind it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((bytes.get(..end - 1)?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_whole() {
        let bytes =
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
        let (parts, behind) = array(bytes).unwrap();
        assert_eq!(parts, [&b"subscribe"[..], b"c", b""]);
        let (parts, rest) = array(behind).unwrap();
        assert_eq!((parts, rest), ([&b"message"[..], b"c", b"hi"], &b""[..]));
        for end in 0..behind.len() {
            assert_eq!(array(&behind[..end]), None, "{end} bytes");
        }
    }
}
