//! As much of plain HTTP as a client needs that reads a stream of events, or waits for the answer to a poll.

use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{handshake::HandshakeError, target::Target};

/// The largest accepted response head, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// The length of a line break of HTTP.
const BREAK: usize = 2;

/// A part of each message in the answer to a poll.
const ITEM: &[u8] = b"\"data\":";

/// Sends the request. The bytes behind the head of the answer.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    target: &Target,
) -> Result<Vec<u8>, HandshakeError> {
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", target.entrance(), target.host());
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::with_capacity(512);
    loop {
        let ended = stream.read_buf(&mut head).await? == 0;
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = head.split_off(end + 4);
            let status = head.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
            return match status {
                Some(200) => Ok(body),
                status => Err(HandshakeError::Refused {
                    status: status.unwrap_or_default(),
                    body: String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned(),
                }),
            };
        }
        if ended || head.len() > MAX_HEAD {
            return Err(HandshakeError::Malformed("the head of the answer did not come whole".to_owned()));
        }
    }
}

/// The body of an answer: chunks, whose payload is blocks of lines.
#[derive(Debug, Default)]
pub(super) struct Body {
    place: Place,
    /// A block that is not whole.
    block: Vec<u8>,
    messages: usize,
}

/// A place between the chunks.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the line of a size, which is this so far.
    Size(usize),
    /// Before this number of bytes of a chunk, the line break behind it included.
    Chunk(usize),
}

impl Default for Place {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Body {
    /// Takes bytes. Each message of a stream goes to `on_message`.
    ///
    /// # Errors
    /// The body has ended, after this number of messages.
    pub(super) fn take(&mut self, mut input: &[u8], on_message: &mut impl FnMut(&[u8])) -> Result<(), usize> {
        while !input.is_empty() {
            match self.place {
                Place::Size(size) => {
                    let (size, rest, is_whole) = read_size(size, input);
                    input = rest;
                    self.place = if is_whole { Place::Chunk(size + BREAK) } else { Place::Size(size) };
                    if is_whole && size == 0 {
                        let polled = self.block.windows(ITEM.len()).filter(|part| *part == ITEM).count();
                        return Err(self.messages + polled);
                    }
                }
                Place::Chunk(left) => {
                    let (part, rest) = input.split_at(left.min(input.len()));
                    let left = left - part.len();
                    let line_break = BREAK.saturating_sub(left).min(part.len());
                    self.payload(part.get(..part.len() - line_break).unwrap_or_default(), on_message);
                    input = rest;
                    self.place = if left == 0 { Place::Size(0) } else { Place::Chunk(left) };
                }
            }
        }
        Ok(())
    }

    fn payload(&mut self, part: &[u8], on_message: &mut impl FnMut(&[u8])) {
        self.block.extend_from_slice(part);
        let mut rest = self.block.as_slice();
        while let Some(end) = memmem::find(rest, b"\n\n") {
            let (block, behind) = rest.split_at(end + 2);
            rest = behind;
            if let Some(data) = data(block) {
                self.messages += 1;
                on_message(data);
            }
        }
        if rest.is_empty() { self.block.clear() } else { self.block = rest.to_vec() }
    }
}

/// Reads on in the line of a chunk's size. The size so far, the bytes behind, and whether the line is whole.
fn read_size(mut size: usize, line: &[u8]) -> (usize, &[u8], bool) {
    for (at, byte) in line.iter().enumerate() {
        match char::from(*byte).to_digit(16) {
            Some(digit) => size = size << 4 | digit as usize,
            None if *byte == b'\n' => return (size, line.get(at + 1..).unwrap_or_default(), true),
            None => {}
        }
    }
    (size, &[], false)
}

/// The data of a message; `None` for a comment and for a notice of the server.
fn data(block: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut data) = (block, None);
    while let Some(end) = memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        if line == b"event: fanfare" {
            return None;
        }
        data = data.or_else(|| line.strip_prefix(b"data: "));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a body in parts of this size, and how it ended.
    fn read(bytes: &[u8], size: usize) -> (Vec<String>, Option<usize>) {
        let (mut body, mut messages, mut ended) = (Body::default(), Vec::new(), None);
        for part in bytes.chunks(size) {
            let taken =
                body.take(part, &mut |data| messages.push(String::from_utf8_lossy(data).into_owned()));
            ended = ended.or(taken.err());
        }
        (messages, ended)
    }

    #[test]
    fn messages_are_found_in_any_pieces() {
        let notice = "id: x\nevent: fanfare\ndata: {}\n\n:\n\n";
        let first = format!("{:x}\r\n{notice}data: a\r\n", notice.len() + "data: a".len());
        let rest = "2\r\n\n\n\r\n1a\r\nid: y\nevent: e\ndata: bb\n\n:\r\n0\r\n\r\n";
        let all = [first, rest.to_owned()].concat();
        for size in 1..all.len() {
            let expected = (vec!["a".to_owned(), "bb".to_owned()], Some(2));
            assert_eq!(read(all.as_bytes(), size), expected, "{size}");
        }
    }

    #[test]
    fn a_poll_counts_its_messages() {
        let body = r#"{"messages":[{"data":1},{"data":2}],"cursor":"x"}"#;
        let answer = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        assert_eq!(read(answer.as_bytes(), 7).1, Some(2));
    }
}
