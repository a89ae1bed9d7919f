//! The `fanfare` command.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use fanfare::{
    cli::{Cli, Command, ConfigArgs, HealthArgs, NodeArgs},
    config::{self, markdown::Reference},
    health, serve,
};

/// Freed memory goes back to the system: after a storm of connections an idle node is small again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let (out, code) = match Cli::parse().command {
        Command::Check(args) => answer(check(&args)),
        Command::Config(args) => answer(show(&args)),
        Command::Version => (format!("fanfare {}\n", env!("CARGO_PKG_VERSION")), ExitCode::SUCCESS),
        Command::Serve(args) => answer(serve(&args)),
        Command::Health(args) => answer(health(&args)),
    };
    let written = std::io::stdout().write_all(out.as_bytes());
    if written.is_ok() { code } else { ExitCode::FAILURE }
}

fn check(args: &NodeArgs) -> anyhow::Result<String> {
    config::load(args.sources())?;
    Ok("configuration is valid\n".into())
}

fn show(args: &ConfigArgs) -> anyhow::Result<String> {
    if args.markdown {
        return Ok(Reference.to_string());
    }
    Ok(config::load(args.node.sources())?.show(args.explain).to_string())
}

fn serve(args: &NodeArgs) -> anyhow::Result<String> {
    let sources = args.sources();
    let loaded = config::load(sources.clone())?;
    serve::serve(sources, loaded)?;
    Ok(String::new())
}

fn health(args: &HealthArgs) -> anyhow::Result<String> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => {
            let listen = config::load(args.node.sources())?.config.listen;
            let address = listen.first().and_then(|listen| listen.addresses().first().copied());
            format!("http://{}/readyz", address.map_or_else(String::new, |address| address.to_string()))
        }
    };
    Ok(health::ask(&url)? + "\n")
}

fn answer(result: anyhow::Result<String>) -> (String, ExitCode) {
    match result {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => {
            // The list of mistakes begins with a file and a line, which terminals make a link of.
            let prefix = if error.is::<config::Mistakes>() { "" } else { "fanfare: " };
            eprintln!("{prefix}{error:#}");
            (String::new(), ExitCode::FAILURE)
        }
    }
}
