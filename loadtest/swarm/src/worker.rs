//! The hidden command `worker`: one process of a [connection pool](crate::connection_pool).

use crate::{
    connection_pool::{message::Kind, parent::Parent},
    idle, machine, rooms, storm,
};

/// Does the work that the parent hands over, and stays until the parent has gone.
///
/// # Errors
/// The parent sent an unknown message, or has gone. An error of the work itself goes to the parent.
pub async fn serve() -> anyhow::Result<()> {
    machine::allow_connections(0)?;
    let mut parent = Parent::of_this_process();
    let worked = match parent.read().await? {
        Kind::Rooms => rooms::worker::work(parent.read().await?, &mut parent).await,
        Kind::Idle => idle::worker::work(&parent.read().await?, &mut parent).await,
        Kind::Storm => storm::worker::work(&parent.read().await?, &mut parent).await,
    };
    worked.or_else(|error| parent.failed(&error))
}
