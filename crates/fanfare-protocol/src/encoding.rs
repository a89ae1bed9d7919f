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
