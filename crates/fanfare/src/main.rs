//! The `fanfare` command.

mod allocator;

use std::{
    io::{Write, stderr},
    path::Path,
    process::ExitCode,
    time::SystemTime,
};

use anyhow::Context;
use clap::Parser;
use fanfare::{
    cli::{Cli, Command, ConfigArgs, HealthArgs, NodeArgs, TokenCommand, TopArgs, VersionArgs},
    config::{self, markdown::Reference, schema},
    health, manual, scrape, serve, token, top,
};

fn main() -> ExitCode {
    allocator::configure();
    let (out, code) = match Cli::parse().command {
        Command::Check(args) => answer(check(&args)),
        Command::Config(args) => answer(show(&args)),
        Command::Version(args) => answer(Ok(version(&args))),
        Command::Serve(args) => match serve(&args) {
            Ok(code) => (String::new(), code),
            Err(error) => failure(&error),
        },
        Command::Health(args) => answer(health(&args)),
        Command::Top(args) => answer(top(&args)),
        Command::Token(TokenCommand::Issue(args)) => answer(token::issue(&args).map_err(Into::into)),
        Command::Token(TokenCommand::Check(args)) => answer(token::check(&args).map_err(Into::into)),
        Command::Completions { shell } => answer(Ok(manual::completions(shell))),
        Command::Man { directory } => answer(man(&directory)),
    };
    let written = std::io::stdout().write_all(out.as_bytes());
    if written.is_ok() { code } else { ExitCode::FAILURE }
}

/// The version; with `--verbose` also all that a bug report should say.
fn version(args: &VersionArgs) -> String {
    let version = format!("fanfare {}\n", env!("CARGO_PKG_VERSION"));
    if !args.verbose {
        return version;
    }
    let features = [("jemalloc", cfg!(feature = "jemalloc")), ("traces", cfg!(feature = "traces"))];
    let built: Vec<_> = features.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    format!(
        "{version}commit: {}\nsystem: {} {}\nfeatures: {}\nallocator: {}\n",
        scrape::REVISION.unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        if built.is_empty() { "none".into() } else { built.join(", ") },
        allocator::describe(),
    )
}

fn man(directory: &Path) -> anyhow::Result<String> {
    manual::write(directory)
        .with_context(|| format!("cannot write manual pages to {}", directory.display()))?;
    Ok(String::new())
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
    // A host name may still be resolved, and nobody waits for it.
    runtime.shutdown_background();
    Ok(shown?)
}

/// The runtime of a command that asks nodes.
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
    // The list of mistakes begins with a file and a line, of which terminals make a link.
    let prefix = if error.chain().any(|cause| cause.is::<config::Mistakes>()) { "" } else { "fanfare: " };
    // The exit code says it too if standard error cannot be written.
    drop(stderr().write_all(format!("{prefix}{error:#}\n").as_bytes()));
    (String::new(), ExitCode::FAILURE)
}
