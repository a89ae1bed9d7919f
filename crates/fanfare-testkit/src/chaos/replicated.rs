//! Servers of Redis with replicas, which take the place of a master. A mistake of the test is a panic.

use fanfare_broker_suite::SentinelServers;

use crate::RedisServer;

/// Masters with replicas.
pub(super) trait Replicated {
    /// A process, by its place.
    fn server(&mut self, place: usize) -> &mut RedisServer;

    /// The place of the master with this number.
    async fn master_of(&self, number: usize) -> usize;

    /// Waits until another process is the master with this number.
    async fn switched_from(&self, number: usize, before: usize);

    /// Orders a replica to take the place of a master.
    async fn fail_over(&self, master: usize);

    /// Cuts a master off from all but the nodes. It goes on, and takes writes.
    async fn isolate(&self, master: usize);

    /// Ends that.
    async fn rejoin(&self, master: usize);

    /// Waits until each master has its replicas.
    async fn settle(&self);
}

impl Replicated for SentinelServers {
    fn server(&mut self, place: usize) -> &mut RedisServer {
        some(self.servers.get_mut(place))
    }

    async fn master_of(&self, _: usize) -> usize {
        or_panic(self.master().await)
    }

    async fn switched_from(&self, _: usize, before: usize) {
        or_panic(self.switched_from(before).await);
    }

    async fn fail_over(&self, _: usize) {
        or_panic(self.fail_over().await);
    }

    async fn isolate(&self, master: usize) {
        or_panic(self.isolate(master).await);
    }

    async fn rejoin(&self, master: usize) {
        or_panic(self.rejoin(master).await);
    }

    async fn settle(&self) {
        or_panic(self.is_replicated().await);
    }
}

/// The value, or a panic with the error.
pub(super) fn or_panic<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// A part that is there, or a panic.
pub(super) fn some<T>(part: Option<T>) -> T {
    match part {
        Some(part) => part,
        None => panic!("the server is missing"),
    }
}
