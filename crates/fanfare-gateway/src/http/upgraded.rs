//! The way back to the socket of an upgraded connection.

use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;

use super::timed_socket::TimedSocket;

/// The socket, and the bytes that the client sent right behind its request.
///
/// # Errors
/// The connection broke before.
pub(crate) async fn take_back(upgrade: OnUpgrade) -> Result<(TimedSocket, Bytes), UpgradeError> {
    let upgraded = upgrade.await?;
    let parts: Parts<TokioIo<TimedSocket>> = upgraded.downcast().map_err(|_| UpgradeError::NotOurs)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// Why the socket cannot be taken back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the connection is not one that this server accepted")]
    NotOurs,
}
