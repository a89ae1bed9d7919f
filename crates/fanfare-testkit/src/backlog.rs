//! A client that does not read: the limits of its node, and numbered messages that fill its queue.

use crate::raw::RawClient;

/// A queue for four messages of 64 KiB, and enough time for a close on a busy machine.
pub const LIMITS: &str = "[limits]\noutbound_bytes = \"256KiB\"\ngoodbye = \"1m\"\n";

/// A namespace `feed` that conflates.
pub const CONFLATING: &str = "[[namespace]]\nname = \"feed\"\nslow_client = \"conflate\"\n";

/// The number of messages: in all, more bytes than the kernel holds for a connection.
pub const MESSAGES: usize = 300;

/// A message with a number.
#[must_use]
pub fn message(number: usize) -> String {
    format!("{number} {}", "x".repeat(60_000))
}

/// The number of a message.
#[must_use]
pub fn number(message: &[u8]) -> usize {
    let text = String::from_utf8_lossy(message);
    text.split(' ').next().unwrap_or_default().parse().unwrap_or(usize::MAX)
}

/// Reads the messages up to the server's close. Returns their numbers, and the payload of the close.
///
/// # Panics
/// If another frame comes.
pub async fn read_to_close(client: &mut RawClient) -> (Vec<usize>, Vec<u8>) {
    let mut numbers = Vec::new();
    loop {
        let frame = client.next_frame_past_pings().await;
        match frame.bytes.first() {
            Some(0x81) => numbers.push(number(&frame.payload)),
            Some(0x88) => return (numbers, frame.payload),
            other => panic!("a frame that begins with {other:x?}"),
        }
    }
}
