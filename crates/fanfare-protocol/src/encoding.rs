//! The encodings of the dialects.
//!
//! Invariant: two dialects with one [`EncodingId`] encode every publication to the same bytes.

use fanfare_core::EncodingId;

/// Payloads as they came.
pub const VERBATIM: EncodingId = EncodingId(0);
