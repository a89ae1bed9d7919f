//! A Server-Sent Event as a block of lines.

use std::fmt::{Display, Write};

use fanfare_core::{PayloadKind, Publication};

use super::item;

/// The event of notices.
pub(super) const NOTICE: &str = "fanfare";

/// The comment that keeps a stream alive.
pub(super) const COMMENT: &str = ":\n\n";

/// Names that an `EventSource` gives its own events: it would take a message for one of these.
const OWN_NAMES: [&str; 4] = [NOTICE, "open", "error", "message"];

/// A block with this data. A line break in the data begins another line of it.
pub(super) fn block(id: Option<impl Display>, event: Option<&str>, data: &str) -> String {
    let mut block = String::with_capacity(data.len() + 64);
    // Writing to a string does not fail.
    let _ = id.map(|id| writeln!(block, "id: {id}"));
    let _ = event.map(|event| writeln!(block, "event: {event}"));
    for line in data.replace("\r\n", "\n").split(['\r', '\n']) {
        let _ = writeln!(block, "data: {line}");
    }
    block.push('\n');
    block
}

/// The block of a publication, whose payload is its data.
pub(super) fn verbatim(publication: &Publication) -> String {
    let payload = &publication.payload;
    match payload.kind() {
        PayloadKind::Text | PayloadKind::Json => of(publication, &String::from_utf8_lossy(payload.bytes())),
        PayloadKind::Binary => of(publication, &item::bytes(payload)),
    }
}

/// The block of a publication with this data.
pub(super) fn of(publication: &Publication, data: &str) -> String {
    let event = item::event(publication).filter(|event| is_sayable(event));
    block(item::cursor(publication), event, data)
}

/// Whether a block can have an event of this name. A message whose name it cannot have goes without.
fn is_sayable(event: &str) -> bool {
    !event.is_empty() && !event.contains(['\r', '\n', '\0']) && !OWN_NAMES.contains(&event)
}
