//! Listeners, and the HTTP connections that they bring.

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

/// How long the listener rests where no descriptor is left, and after it could not accept.
const REST: Duration = Duration::from_millis(100);

/// Serves a gateway on its listeners.
pub struct Server {
    gateway: Arc<Gateway>,
    tasks: TaskTracker,
    /// Nothing more is accepted from inherited sockets.
    yielding: CancellationToken,
    shutdown: CancellationToken,
    /// Its listeners.
    critical_tasks: CriticalTasks,
}

/// A socket that listens, and what is served there.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// What is served.
    pub roles: Roles,
    /// What is spoken there below HTTP: TLS, or nothing.
    pub tls: Arc<Acceptor>,
    /// Whether another process may accept from it too: then it is left to that one as soon as the node leaves.
    pub is_inherited: bool,
}

impl Server {
    /// A server that has no listener yet and stops at `shutdown`.
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

    /// Accepts nothing more from inherited sockets: whoever else has them takes what comes. A connection that was
    /// accepted is served.
    pub fn leave_inherited(&self) {
        self.yielding.cancel();
    }

    /// Accepts on `listener` until the shutdown, or until it is left to others.
    pub fn listen(&self, listener: Listener) {
        let Listener { socket, roles, tls, is_inherited } = listener;
        let routes = router::routes(&self.gateway, roles);
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        let until = if is_inherited { self.yielding.clone() } else { shutdown.clone() };
        let gateway = self.gateway.clone();
        let accepting = async move {
            let welcome = |stream: TcpStream, peer: SocketAddr| {
                // Others are inherited from a listener that is.
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
                // Who waits to be accepted is answered too: with the listener the kernel would reset them.
                waiting(socket).for_each(|(stream, peer)| welcome(stream, peer));
            }
        };
        self.tasks.spawn(self.critical_tasks.watch(accepting));
    }

    /// Ends if a listener has, which only the end of the node makes them do.
    pub async fn failed(&self) {
        self.critical_tasks.ended().await;
    }

    /// Ends once all listeners and all HTTP connections have, after the shutdown.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
