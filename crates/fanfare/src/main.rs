//! The `fanfare` command.

use std::{
    io::{Write, stderr},
    process::ExitCode,
    time::SystemTime,
};

use clap::Parser;
use fanfare::{
    cli::{Cli, Command, ConfigArgs, HealthArgs, NodeArgs, TokenCommand, TopArgs},
    config::{self, markdown::Reference, schema},
    health, serve, token, top,
};

/// Freed memory goes back to the system: after a storm of connections an idle node is small again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let (out, code) = match Cli::parse().command {
        Command::Check(args) => answer(check(&args)),
        Command::Config(args) => answer(show(&args)),
        Command::Version => (format!("fanfare {}\n", env!("CARGO_PKG_VERSION")), ExitCode::SUCCESS),
        Command::Serve(args) => match serve(&args) {
            Ok(code) => (String::new(), code),
            Err(error) => failure(&error),
        },
        Command::Health(args) => answer(health(&args)),
        Command::Top(args) => answer(top(&args)),
        Command::Token(TokenCommand::Issue(args)) => answer(token::issue(&args).map_err(Into::into)),
        Command::Token(TokenCommand::Check(args)) => answer(token::check(&args).map_err(Into::into)),
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
    if args.schema {
        return Ok(format!("{:#}\n", schema::of_the_file()));
    }
    Ok(config::load(args.node.sources())?.show(args.explain).to_string())
}

fn serve(args: &NodeArgs) -> anyhow::Result<ExitCode> {
    let sources = args.sources();
    let loaded = config::load(sources.clone())?;
    Ok(serve::serve(sources, loaded)?)
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
        Err(error) => failure(&error),
    }
}

fn failure(error: &anyhow::Error) -> (String, ExitCode) {
    // The list of mistakes begins with a file and a line, which terminals make a link of.
    let prefix = if error.chain().any(|cause| cause.is::<config::Mistakes>()) { "" } else { "fanfare: " };
    // The exit code tells it too, where standard error takes nothing.
    drop(stderr().write_all(format!("{prefix}{error:#}\n").as_bytes()));
    (String::new(), ExitCode::FAILURE)
}
