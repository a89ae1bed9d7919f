//! The client of an envelope: the publisher of a publication, or a client that joined or left.
//!
//! Node and number, in eight bytes each, then the parts that are there: a number, a length in two bytes, and the bytes.

use bytes::Bytes;
use fanfare_core::{ClientId, Incarnation, SessionId, presence::PresenceEntry};

use super::format::short;

const USER: u8 = 1;
const CLIENT_INFO: u8 = 2;
const CHANNEL_INFO: u8 = 3;

pub(super) fn encode(client: &PresenceEntry) -> Vec<u8> {
    let PresenceEntry { client, user, client_info, channel_info } = client;
    let ClientId { node: Incarnation(node), session: SessionId(session) } = client;
    let mut out = [node.to_be_bytes(), session.to_be_bytes()].concat();
    let parts = [
        (USER, user.as_ref().map(String::as_bytes)),
        (CLIENT_INFO, client_info.as_deref()),
        (CHANNEL_INFO, channel_info.as_deref()),
    ];
    for (number, part) in parts {
        let Some(part) = part else { continue };
        let [high, low] = short(part.len());
        out.extend_from_slice(&[number, high, low]);
        out.extend_from_slice(part);
    }
    out
}

/// The client; `None` where it is not of this format. Parts that this version does not know are skipped.
pub(super) fn decode(value: &[u8]) -> Option<PresenceEntry> {
    let (node, rest) = value.split_first_chunk::<8>()?;
    let (session, mut rest) = rest.split_first_chunk::<8>()?;
    let client = ClientId {
        node: Incarnation(u64::from_be_bytes(*node)),
        session: SessionId(u64::from_be_bytes(*session)),
    };
    let mut found = PresenceEntry { client, user: None, client_info: None, channel_info: None };
    while !rest.is_empty() {
        let (&[number, high, low], after) = rest.split_first_chunk::<3>()?;
        let (part, after) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        match number {
            USER => found.user = Some(std::str::from_utf8(part).ok()?.to_owned()),
            CLIENT_INFO => found.client_info = Some(Bytes::copy_from_slice(part)),
            CHANNEL_INFO => found.channel_info = Some(Bytes::copy_from_slice(part)),
            _ => {}
        }
        rest = after;
    }
    Some(found)
}
