//! Plain HTTP without a library: channels are named by an address or a body, and the client only listens.
//!
//! - Server-Sent Events: each message is a block of lines. The stream of one channel has its payloads as data; that of
//!   several has items.
//! - Lines and polls: each message is an item.
//!
//! An item is a JSON object: `cursor` (first, where its channel has a history), `channel`, `event`, `tags`, and `data`: a
//! string for text, JSON unchanged, and `{"b64":…}` for bytes.
//!
//! Beside messages there are notices (event `fanfare`): `{"type":…}` with the types `subscribed`, `gap`,
//! `unsubscribed`, `expiring` and `disconnect`. The codes of the last are those of the [plain WebSocket](crate::relay).
//!
//! Invariants
//! - The bytes of a publication are the same for all who get it. So they hold the [cursor](fanfare_core::Cursor) of its
//!   own channel only; the transport of a stream of several channels puts that of the stream in its place.
//! - An item has one line. No text of a publisher makes a line of an event, or a notice.

mod block;
mod dialect;
mod item;
mod notice;
#[cfg(test)]
mod tests;

pub use dialect::Events;
