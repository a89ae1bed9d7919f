//! How long a publish may be, whichever broker takes it.

use fanfare_core::{Attributes, Publish};

/// Why a publish is refused as too long; `None` where it is not.
pub(crate) fn too_long(publish: &Publish, message_bytes: usize) -> Option<String> {
    if publish.payload.len() > message_bytes {
        return Some(format!("it is longer than {message_bytes} bytes"));
    }
    let attributes = publish.attributes.as_ref().map_or(0, |attributes| attributes.bytes());
    let most = Attributes::MAX_BYTES;
    (attributes > most).then(|| {
        format!(
            "its event name, tags, publisher info and idempotency key have together more than {most} bytes"
        )
    })
}
