//! The listeners of a node, and the connections that they accept.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fanfare_core::CriticalTasks;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    gateway::Gateway,
    http::connection,
    listener::{
        accepted_socket::AcceptedSocket,
        bind::{tune, waiting},
    },
    roles::Roles,
    routes::router,
    tls::Acceptor,
};

/// How long a listener rests when descriptors are used up, and after an accept that failed.
const REST: Duration = Duration::from_millis(100);

/// Serves a gateway on listeners.
pub struct Server {
    gateway: Arc<Gateway>,
    tasks: TaskTracker,
    /// Cancelled once nothing more is accepted from inherited sockets.
    yielding: CancellationToken,
    shutdown: CancellationToken,
    /// The listeners.
    critical_tasks: CriticalTasks,
}

/// A socket that listens, and its roles.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// Its roles.
    pub roles: Roles,
    /// The TLS below HTTP, if any.
    pub tls: Arc<Acceptor>,
    /// Whether another process may accept from it too: it is left to that process as soon as the node leaves.
    pub is_inherited: bool,
}

impl Server {
    /// A server without listeners, which stops at `shutdown`.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, shutdown: CancellationToken) -> Self {
        let yielding = shutdown.child_token();
        Self {
            gateway,
            tasks: TaskTracker::new(),
            yielding,
            shutdown,
            critical_tasks: CriticalTasks::default(),
        }
    }

    /// Accepts nothing more from inherited sockets: another process that has them takes new connections. A connection
    /// that was accepted is served.
    pub fn leave_inherited(&self) {
        self.yielding.cancel();
    }

    /// Accepts on `listener` until the shutdown, or until it is left to another process.
    pub fn listen(&self, listener: Listener) {
        let Listener { socket, roles, tls, is_inherited } = listener;
        let routes = router::routes(&self.gateway, roles);
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        let until = if is_inherited { self.yielding.clone() } else { shutdown.clone() };
        let gateway = self.gateway.clone();
        let accepting = async move {
            let welcome = |stream: TcpStream, peer: SocketAddr| {
                // A connection of another listener inherits the options.
                if is_inherited && let Err(error) = tune(&stream) {
                    return tracing::debug!(%error, "a socket could not be tuned");
                }
                let (gateway, routes, shutdown) = (gateway.clone(), routes.clone(), shutdown.clone());
                let accepted = AcceptedSocket::new(stream, gateway.descriptors.take());
                tasks.spawn(connection::serve(gateway, accepted, tls.config(), peer.ip(), routes, shutdown));
            };
            loop {
                while gateway.descriptors.is_full() && !until.is_cancelled() {
                    tokio::time::sleep(REST).await;
                }
                let accepted = tokio::select! {
                    () = until.cancelled() => break,
                    accepted = socket.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => welcome(stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
            if !is_inherited {
                // Connections that wait to be accepted are answered too: the kernel resets them when the listener
                // closes.
                waiting(socket).for_each(|(stream, peer)| welcome(stream, peer));
            }
        };
        self.tasks.spawn(self.critical_tasks.watch(accepting));
    }

    /// Ends when a listener has ended. Before the end of the node only a panic ends one.
    pub async fn failed(&self) {
        self.critical_tasks.ended().await;
    }

    /// Ends after the shutdown, once all listeners and all HTTP connections have ended.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
