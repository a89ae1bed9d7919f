//! The `fanfare` command.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use fanfare::{
    cli::{Cli, Command},
    config,
};

fn main() -> ExitCode {
    let (out, code) = match Cli::parse().command {
        Command::Check(node) => answer(config::load(node.sources()).map(|_| "configuration is valid\n".into())),
        Command::Config(args) => {
            answer(config::load(args.node.sources()).map(|loaded| loaded.show(args.explain).to_string()))
        }
        Command::Version => (format!("fanfare {}\n", env!("CARGO_PKG_VERSION")), ExitCode::SUCCESS),
        Command::Serve(_) | Command::Health(_) => (String::new(), ExitCode::FAILURE),
    };
    let written = std::io::stdout().write_all(out.as_bytes());
    if written.is_ok() { code } else { ExitCode::FAILURE }
}

fn answer(result: Result<String, config::Mistakes>) -> (String, ExitCode) {
    match result {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(mistakes) => {
            eprintln!("{mistakes}");
            (String::new(), ExitCode::FAILURE)
        }
    }
}
