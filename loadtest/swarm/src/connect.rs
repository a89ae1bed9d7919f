//! Many connections, opened in parallel.

use std::net::IpAddr;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{
    client::{Connection, Target},
    machine,
};

/// Handshakes in flight: enough to keep a server busy, few enough for any accept queue.
const AT_ONCE: usize = 100;

/// Opens a connection to each target. Returns them in the targets' order.
///
/// # Errors
/// The first connection that fails, or more connections than this process may have.
pub async fn all<'a>(
    targets: impl ExactSizeIterator<Item = &'a Target> + 'a,
) -> anyhow::Result<Vec<Connection>> {
    all_from(targets, |_| None).await
}

/// Opens the members of a channel. The first of them, which publishes, is a relay client in any manner.
///
/// # Errors
/// As for [`all`].
pub async fn members(target: &Target, count: usize) -> anyhow::Result<Vec<Connection>> {
    let publisher = target.for_relay();
    let place = |number| if number == 0 { &publisher } else { target };
    all((0..count).map(place)).await
}

/// As [`all`], with the source address that `source` gives for the number of each connection.
///
/// # Errors
/// As for [`all`], or an address is not the machine's.
pub async fn all_from<'a>(
    targets: impl ExactSizeIterator<Item = &'a Target> + 'a,
    source: impl Fn(usize) -> Option<IpAddr> + 'a,
) -> anyhow::Result<Vec<Connection>> {
    one_by_one(targets, source)?.try_collect().await
}

/// As [`all_from`], but as a stream: if opening takes long, the first connection can answer pings before the last is
/// open.
///
/// # Errors
/// As for [`all_from`]; those of connections are in the stream.
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
