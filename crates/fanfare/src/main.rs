//! The `fanfare` command.

use std::{io::Write, process::ExitCode, time::SystemTime};

use clap::Parser;
use fanfare::{
    cli::{Cli, Command, ConfigArgs, HealthArgs, NodeArgs, TopArgs},
    config::{self, markdown::Reference},
    health, serve, top,
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
        Command::Top(args) => answer(top(&args)),
    };
    let written = std::io::stdout().write_all(out.as_bytes());
    if written.is_ok() { code } else { ExitCode::FAILURE }
}

fn check(args: &NodeArgs) -> anyhow::Result<String> {
    let loaded = config::load(args.sources())?;
    let warnings = config::tls::warnings(&loaded.config, SystemTime::now());
    let said: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    Ok(format!("{said}configuration is valid\n"))
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
    Ok(runtime()?.block_on(health::ask(args))?)
}

fn top(args: &TopArgs) -> anyhow::Result<String> {
    let runtime = runtime()?;
    let shown = runtime.block_on(top::run(args));
    // The name of a host that is still being resolved is waited for by nobody.
    runtime.shutdown_background();
    Ok(shown?)
}

/// For who asks nodes, and is none.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn answer(result: anyhow::Result<String>) -> (String, ExitCode) {
    match result {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => {
            // The list of mistakes begins with a file and a line, which terminals make a link of.
            let prefix =
                if error.chain().any(|cause| cause.is::<config::Mistakes>()) { "" } else { "fanfare: " };
            eprintln!("{prefix}{error:#}");
            (String::new(), ExitCode::FAILURE)
        }
    }
}
