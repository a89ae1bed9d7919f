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
pub const CENTRIFUGO_BARE_JSON: EncodingId = EncodingId(3);
/// The same JSON as [`CENTRIFUGO_JSON`], whose `data` is a JSON string around the payload.
pub const CENTRIFUGO_JSON_FULL: EncodingId = EncodingId(4);
/// The same JSON, whose `data` is a JSON string around a difference to the publication before, or around the payload.
pub const CENTRIFUGO_JSON_PATCH: EncodingId = EncodingId(5);
/// The same Protobuf, whose `data` is a difference to the publication before, or the payload.
pub const CENTRIFUGO_PROTOBUF_PATCH: EncodingId = EncodingId(6);
/// The `data` alone of [`CENTRIFUGO_JSON_PATCH`], for answers with several publications; empty: no difference.
pub const CENTRIFUGO_JSON_DIFFERENCE: EncodingId = EncodingId(7);
/// The `data` alone of [`CENTRIFUGO_PROTOBUF_PATCH`], in the same way.
pub const CENTRIFUGO_PROTOBUF_DIFFERENCE: EncodingId = EncodingId(8);
