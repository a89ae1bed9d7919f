//! Listeners, and the HTTP connections that they bring.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use fanfare_core::Vital;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{gateway::Gateway, routes, visit};

/// Connections that the kernel holds until they are accepted. A storm is larger than the usual 128.
const BACKLOG: i32 = 4096;

/// How long the listener rests where no descriptor is left, and after it could not accept.
const REST: Duration = Duration::from_millis(100);

/// Serves a gateway on its listeners.
pub struct Server {
    gateway: Arc<Gateway>,
    router: Router,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Its listeners.
    vital: Vital,
}

/// Binds one address.
///
/// # Errors
/// The kernel's: the address is taken, is not of this machine, or needs a permission.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // Its IPv4 twin is a listener of its own.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Server {
    /// A server that has no listener yet and stops at `shutdown`.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, shutdown: CancellationToken) -> Self {
        let router = routes::router(gateway.clone());
        Self { gateway, router, tasks: TaskTracker::new(), shutdown, vital: Vital::default() }
    }

    /// Accepts on `listener` until the shutdown.
    pub fn listen(&self, listener: TcpListener) {
        let (tasks, router, shutdown) = (self.tasks.clone(), self.router.clone(), self.shutdown.clone());
        let gateway = self.gateway.clone();
        let accepting = async move {
            loop {
                while gateway.sockets.is_full() && !shutdown.is_cancelled() {
                    tokio::time::sleep(REST).await;
                }
                let accepted = tokio::select! {
                    () = shutdown.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => {
                        let (gateway, router, shutdown) = (gateway.clone(), router.clone(), shutdown.clone());
                        let seat = gateway.sockets.take();
                        tasks.spawn(visit::serve(gateway, stream, seat, peer.ip(), router, shutdown));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        self.tasks.spawn(self.vital.watch(accepting));
    }

    /// Ends if a listener has, which only the shutdown makes them do.
    pub async fn failed(&self) {
        self.vital.ended().await;
    }

    /// Ends once all listeners and all HTTP connections have, after the shutdown.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
