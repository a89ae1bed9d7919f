//! The client protocol of Centrifugo, as its SDKs speak it: JSON or Protobuf.
//!
//! - `wire`: the messages, each one struct for both encodings; `encoding`: how they become frames
//! - `decoder`, `requests`: what clients send, command by command; `filters`: the filters of subscribes
//! - `dialect`, `replies`: what they get
//! - `payload`: what a publication looks like on either side; `delta`, `fossil`: publications as differences
//! - `emulation`: the requests of clients that send over HTTP
//! - `unidirectional`: the same for clients that only listen
//! - `errors`, `disconnects`: the codes
//!
//! # Errors of commands
//! An SDK tries a `connect` or a `subscribe` again after the codes marked T, and after 109 with a new token. Others are
//! final. It never publishes again by itself.
//!
//! | code | why |
//! |---|---|
//! | 100 T | the broker refused a publish, which reached nobody; or it did not confirm a subscription, or cannot be read: try again |
//! | 100 | the outcome of a publish is unknown. Not temporary: a page that publishes again may deliver twice |
//! | 103 | not permitted: by the namespace, the token, or the broker's own rules; or a subscription's token is not good |
//! | 105 | already subscribed |
//! | 106 | the connection holds as many channels as it may |
//! | 107 | the command contradicts itself, lacks `data`, has a filter with a mistake, or names a channel that cannot be |
//! | 108 | the namespace keeps no history or tracks no presence; the backend takes no calls; or the command asks for maps, which this server does not have |
//! | others | the operator's backend refused the command, by a hook |
//! | 109 | the token expired: get a new one |
//! | 112 | the history does not reach back to the position |
//!
//! # Ends of connections
//! After 3500 to 3999, 4500 to 4999 and 1009 an SDK gives up; after all others it connects again, with back-off.
//!
//! | code | why |
//! |---|---|
//! | 3000 | no message came or went for the idle timeout |
//! | 3001 | the node restarts: another takes over |
//! | 3004 | a publish failed, or the connect of a client that only listens, and the command had no reply |
//! | 3005 | the token of the connection expired |
//! | 3006 | a subscription expired that the server had made |
//! | 3008 | the client did not read fast enough |
//! | 3010 | messages may have been missed |
//! | 3012 | no pong came after a ping |
//! | 3013 | the client sent too much in a second, or a message too slowly, or the node had no memory for it |
//! | 1009 | a message was larger than the limit |
//! | 3500 | a token is not good |
//! | 3501 | a message that is not a command, a command that no SDK sends, or no token where one is needed |
//! | 3502 | the client did not connect in time |
//! | 3505 | the token, or the backend, names more channels than a connection may hold |
//! | 3507, 3508 | not permitted, or not available, where the command has no reply |
//! | others | the operator's own, 3503 by default; or RFC 6455's, from the transport |
//!
//! # Ends of subscriptions
//! After 2500 and 2501 an SDK subscribes again at once, from its position: messages may have been missed, or the
//! subscription's token expired. 2000 is final: the operator's backend ended it.

mod decoder;
mod delta;
mod dialect;
mod disconnects;
mod emulation;
mod encoding;
mod errors;
mod filters;
mod fossil;
mod payload;
mod replies;
mod requests;
#[cfg(test)]
mod tests;
mod unidirectional;
mod wire;

pub use decoder::CentrifugoDecoder;
pub use dialect::Centrifugo;
pub use emulation::Emulated;
pub use unidirectional::{CentrifugoUnidirectional, CentrifugoUnidirectionalDecoder};
