//! Many connections at once.

use std::net::IpAddr;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{
    client::{Connection, Target},
    machine,
};

/// Handshakes under way at once: enough to keep a server busy, few enough for any accept queue.
const AT_ONCE: usize = 100;

/// Opens a connection to each target, and gives them in the targets' order.
///
/// # Errors
/// The first connection that fails, or more than this process may have.
pub async fn open<'a>(
    targets: impl ExactSizeIterator<Item = &'a Target> + 'a,
) -> anyhow::Result<Vec<Connection>> {
    open_from(targets, |_| None).await
}

/// The same, each connection from the address that `source` gives for its number.
///
/// # Errors
/// As for [`open`], or an address is not the machine's.
pub async fn open_from<'a>(
    targets: impl ExactSizeIterator<Item = &'a Target> + 'a,
    source: impl Fn(usize) -> Option<IpAddr> + 'a,
) -> anyhow::Result<Vec<Connection>> {
    one_by_one(targets, source)?.try_collect().await
}

/// The same, each connection as soon as it is its turn: where opening takes long, the first would else answer no ping
/// until the last is open.
///
/// # Errors
/// As for [`open_from`], those of connections in the stream.
pub fn one_by_one<'a>(
    targets: impl ExactSizeIterator<Item = &'a Target> + 'a,
    source: impl Fn(usize) -> Option<IpAddr> + 'a,
) -> anyhow::Result<impl Stream<Item = anyhow::Result<Connection>>> {
    machine::allow_connections(targets.len())?;
    let opening = targets.enumerate().map(move |(number, target)| {
        let source = source(number);
        async move {
            let opened = Connection::open_from(target, source).await;
            opened.with_context(|| format!("{}{}", target.address(), target.path()))
        }
    });
    Ok(stream::iter(opening).buffered(AT_ONCE))
}
