//! Many connections at once.

use std::net::IpAddr;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

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
pub async fn open(targets: impl ExactSizeIterator<Item = &Target>) -> anyhow::Result<Vec<Connection>> {
    open_from(targets, |_| None).await
}

/// The same, each connection from the address that `source` gives for its number.
///
/// # Errors
/// As for [`open`], or an address is not the machine's.
pub async fn open_from(
    targets: impl ExactSizeIterator<Item = &Target>,
    source: impl Fn(usize) -> Option<IpAddr>,
) -> anyhow::Result<Vec<Connection>> {
    machine::allow_connections(targets.len())?;
    let opening = targets.enumerate().map(|(number, target)| {
        let source = source(number);
        async move {
            let opened = Connection::open_from(target, source).await;
            opened.with_context(|| format!("{}{}", target.address(), target.path()))
        }
    });
    stream::iter(opening).buffered(AT_ONCE).try_collect().await
}
