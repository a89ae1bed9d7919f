//! `fanfare serve`: a node from its configuration to its last goodbye.

use std::{
    io::{self, IsTerminal, Write, stderr},
    net::SocketAddr,
    process::ExitCode,
    thread,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::{Config, Loaded, Sources},
    descriptors,
    drain::Ended,
    listeners::{Inherited, ListenError},
    node::{Addresses, Node, StartError},
    reload::Reloader,
    supervisor::Supervisor,
    telemetry::{self, Telemetry},
    tls::LOOK_EVERY,
};

/// Why `fanfare serve` failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The node does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An inherited socket cannot be used.
    #[error(transparent)]
    Inherited(#[from] ListenError),
    /// A second signal ended the node at once.
    #[error("ended at once: {0} clients were cut off")]
    CutOff(u64),
    /// A critical task has ended.
    #[error("{0} has failed, and a node without it would only look alive; its last log lines are above")]
    Failed(&'static str),
    /// The runtime, the signals or the output are not available.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs a node with these sources until SIGTERM or SIGINT, and then until it is drained. A second signal ends it at
/// once. At SIGHUP the node reads its configuration again; but where the terminal is gone, SIGHUP ends the node too.
///
/// The exit code of the process. A failure goes to standard error, as the log does, without waiting for a reader.
///
/// # Errors
/// The thread that writes the log cannot be started.
pub fn serve(sources: Sources, loaded: Loaded) -> io::Result<ExitCode> {
    let config = loaded.config.clone();
    // It changes the environment, so it comes before other threads.
    let inherited = Inherited::take();
    let telemetry = telemetry::start(&config.node, config.log)?;
    let reloader = Reloader::new(sources, loaded, telemetry.clone());
    let served = inherited
        .map_err(ServeError::from)
        .and_then(|inherited| run(config, inherited, reloader, &telemetry));
    telemetry.rates.say();
    let code = match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry.lines.push(format!("fanfare: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    };
    telemetry.lines.flush();
    Ok(code)
}

fn run(
    config: Config,
    inherited: Inherited,
    mut reloader: Reloader,
    telemetry: &Telemetry,
) -> Result<(), ServeError> {
    descriptors::raise();
    let runtime = runtime(config.runtime.workers)?;
    runtime.block_on(async {
        tokio::spawn(telemetry.clone().report());
        let is_dev = config.dev;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let name = config.node.clone();
        let node = Node::start_on(config, inherited)?;
        let addresses = node.addresses();
        let Addresses { clients, api, metrics, inherited, tls } = addresses;
        tracing::info!(name, addresses = ?clients, ?api, ?metrics, ?inherited, ?tls, "listening");
        let supervisor = Supervisor::start(&node);
        if is_dev {
            say(welcome(addresses))?;
        }
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = async || {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        let had_terminal = stderr().is_terminal();
        loop {
            tokio::select! {
                () = stop() => break,
                part = node.failed() => return Err(ServeError::Failed(part)),
                _ = look.tick() => {
                    reloader.look_at_files(&node);
                    continue;
                }
                _ = hangup.recv() => {}
            }
            if had_terminal && !stderr().is_terminal() {
                // The window of the node was closed: no user would know of the node any more.
                break;
            }
            supervisor.reloading();
            supervisor.reloaded(reloader.reload(&node));
        }
        supervisor.stopping(node.drain.borrow().timeout);
        match node.stop_unless(stop()).await {
            Ended::Drained | Ended::AtOnce(0) => {}
            Ended::TimedOut(clients) => {
                tracing::warn!(clients, "drain.timeout is over: the remaining clients are cut off");
            }
            Ended::AtOnce(clients) => return Err(ServeError::CutOff(clients)),
        }
        Ok(())
    })
}

/// One worker has tokio's scheduler for one thread: a message runs through less code than in that for several.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_all().build()
}

/// Writes to standard output without waiting for a reader, since the node listens already. A failure is ignored.
fn say(text: String) -> io::Result<()> {
    let say = move || drop(io::stdout().write_all(text.as_bytes()));
    thread::Builder::new().name("welcome".into()).spawn(say).map(drop)
}

/// The text for a first user.
fn welcome(Addresses { clients, api, tls, .. }: &Addresses) -> String {
    let secure = |address: &SocketAddr| if tls.contains(address) { "s" } else { "" };
    let all: Vec<_> = clients.iter().map(|address| format!("http{}://{address}", secure(address))).collect();
    let first = |at: &[SocketAddr]| at.first().map_or((0, ""), |at| (at.port(), secure(at)));
    let ((port, s), (api_port, api_s)) = (first(clients), first(api));
    format!(
        "\nFanfare listens on {}\n\n  \
         Open      http{s}://localhost:{port}/ in two tabs\n  \
         Connect   ws = new WebSocket(\"ws{s}://localhost:{port}/chat\"); ws.onmessage = e => console.log(e.data)\n  \
         Publish   curl -d '{{\"channel\":\"chat\",\"data\":\"hello\"}}' http{api_s}://localhost:{api_port}/api/publish\n\n\
         Ctrl-C ends it.\n\n",
        all.join(" and ")
    )
}
