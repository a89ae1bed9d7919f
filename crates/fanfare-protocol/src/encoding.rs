//! The encodings of the dialects.
//!
//! Invariant: two dialects with one [`EncodingId`] encode every publication to the same bytes.

use fanfare_core::EncodingId;

/// Payloads as they came.
pub const VERBATIM: EncodingId = EncodingId(0);
/// The replies of Centrifugo, as JSON.
pub const CENTRIFUGO_JSON: EncodingId = EncodingId(1);
/// The replies of Centrifugo, as Protobuf.
pub const CENTRIFUGO_PROTOBUF: EncodingId = EncodingId(2);
/// The pushes of Centrifugo as JSON, not wrapped in replies.
pub const CENTRIFUGO_BARE_JSON: EncodingId = EncodingId(5);
/// The events of a browser's `EventSource` in one channel.
pub const EVENTS_OF_ONE: EncodingId = EncodingId(10);
/// The events of a browser's `EventSource` in several channels.
pub const EVENTS_OF_SEVERAL: EncodingId = EncodingId(11);
/// Items: JSON that names its channel, a line each.
pub const ITEMS: EncodingId = EncodingId(12);
