//! Starting a program.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use tokio::process::Command;

/// A command on these processors, as `taskset` takes them; `None` is all of them. Its process is the program's own.
pub(crate) fn on_cpus(cpus: Option<&str>, program: &Path) -> Command {
    let Some(cpus) = cpus else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cpus]).arg(program);
    command
}

/// An address of loopback whose port was free a moment ago.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
