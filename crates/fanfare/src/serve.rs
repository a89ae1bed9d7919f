//! `fanfare serve`: a node from its configuration to its last goodbye.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::Config,
    node::{Node, StartError},
    telemetry,
};

/// Why `fanfare serve` ends with a failure.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The node does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A task has ended that the node cannot live without.
    #[error("{0} has failed, and a node without it would only look alive; what it said stands above")]
    Failed(&'static str),
    /// No runtime, no signals, or nobody to write to.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs a node until SIGTERM or SIGINT. A second one ends it at once.
///
/// # Errors
/// The node does not start, or cannot go on, and why.
pub fn serve(config: Config) -> Result<(), ServeError> {
    telemetry::start(config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.runtime.workers)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let is_dev = config.dev;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let name = config.node.clone();
        let node = Node::start(config)?;
        tracing::info!(node = name, addresses = ?node.addresses(), "listening");
        if is_dev {
            io::stdout().write_all(welcome(node.addresses()).as_bytes())?;
        }
        let mut stop = async || {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        tokio::select! {
            () = stop() => {}
            part = node.failed() => return Err(ServeError::Failed(part)),
        }
        tracing::info!("stopping: clients are told to reconnect elsewhere");
        tokio::select! { () = node.stop() => {}, () = stop() => tracing::warn!("stopped at once") }
        Ok(())
    })
}

/// What a newcomer reads.
fn welcome(addresses: &[SocketAddr]) -> String {
    let all: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let port = addresses.first().map_or(0, SocketAddr::port);
    format!(
        "\nFanfare listens on {}\n\n  \
         Open      http://localhost:{port}/ in two tabs\n  \
         Connect   ws = new WebSocket(\"ws://localhost:{port}/chat\"); ws.onmessage = e => console.log(e.data)\n  \
         Publish   curl -d '{{\"channel\":\"chat\",\"data\":\"hello\"}}' http://localhost:{port}/api/publish\n\n\
         Ctrl-C ends it.\n\n",
        all.join(" and ")
    )
}
