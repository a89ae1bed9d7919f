//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::ask::Trust;
use crate::config::{
    Facts, Sources,
    declare::Layer,
    place::{Given, Place, Value},
    raw::Raw,
};

/// A WebSocket gateway: one broadcast reaches every client on every node.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "fanfare",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Try it, then open http://localhost:8080 in two tabs:
  fanfare serve --dev

A cluster is several nodes with the same broker:
  fanfare serve --broker redis://127.0.0.1:6379 --listen localhost:8081 --node a
  fanfare serve --broker redis://127.0.0.1:6379 --listen localhost:8082 --node b

A configuration file to begin with, and every key explained:
  fanfare config --explain > fanfare.toml
  fanfare config --markdown"
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a node
    #[command(after_help = "\
Without flags the node listens on localhost:8080 and is alone. Its HTTP API is closed, because it has no key.

Signals:
  SIGTERM, SIGINT  send the clients away at a pace, then end; a second signal ends at once
  SIGHUP           read the configuration again, without closing a connection

Exit code: 0; 1 if it could not start or go on, or a second signal cut clients off.

Examples:
  fanfare serve --dev
  fanfare serve --config fanfare.toml
  FANFARE_API__KEYS=a-long-random-key fanfare serve --broker redis://127.0.0.1:6379")]
    Serve(NodeArgs),
    /// Check a configuration, and report every mistake in it
    #[command(after_help = "\
It reads flags and environment as `fanfare serve` does, and starts nothing.

Exit code: 0 if it is valid, 1 if not.

Example:
  fanfare check --config fanfare.toml")]
    Check(NodeArgs),
    /// Print the values that a node would run with, and their sources
    #[command(after_help = "\
The output is a configuration file, with secrets masked by ***.

Examples:
  fanfare config --config fanfare.toml          the values of a node with this file
  fanfare config --explain > fanfare.toml       a file to begin with: every key, commented out
  fanfare config --markdown | less              every key explained
  fanfare config --schema > fanfare.json        for editors, see docs/configuration.md")]
    Config(ConfigArgs),
    /// Ask a running node whether it is ready
    #[command(after_help = "\
It asks the node of this machine, at the addresses of the configuration. With the same --config or
environment as the node it needs no URL.

Exit code: 0 if it is ready, 1 if not, or if it cannot be reached.

Examples:
  fanfare health
  fanfare health --live
  fanfare health http://127.0.0.1:8080
  fanfare health https://chat.example.com")]
    Health(HealthArgs),
    /// Show all nodes of a cluster, each second
    #[command(after_help = "\
Any node lists all nodes. Each is asked for its metrics, at the address that it advertises
(node.advertise). The row of a node that does not answer says so.

In a terminal q or Ctrl-C quits. Elsewhere one sample is printed, as a table.

Exit code: 0, or 1 if no node gives the list.

Examples:
  fanfare top
  fanfare top --url http://localhost:8081
  fanfare top --json | jq '.nodes[] | select(.away)'")]
    Top(TopArgs),
    /// Issue a token for a client, or show the rights of a token
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print the version
    Version(VersionArgs),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        directory: PathBuf,
    },
}

/// The flags of `fanfare version`.
#[derive(Debug, Clone, Args)]
pub struct VersionArgs {
    /// Print also how it was built, and its allocator: for a bug report
    #[arg(long)]
    pub verbose: bool,
}

/// A command about tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Print a token that a node with this configuration accepts
    #[command(after_help = "\
It is signed with the first of `auth.hmac_secrets` of the configuration, or with --key: the private
key of a pair whose public key is one of `auth.public_keys`. `aud` and `iss` are those of [auth].

Examples:
  fanfare token issue --config fanfare.toml --subject alice
  fanfare token issue --config fanfare.toml --channel chat --channel 'news:*' --expires-in 10m
  fanfare token issue --config fanfare.toml --key issuer.pem --key-id 2026")]
    Issue(IssueArgs),
    /// Show the rights of a token, or why a node with this configuration refuses it
    #[command(after_help = "\
Exit code: 0 if a node would accept it, 1 if not.

Examples:
  fanfare token check --config fanfare.toml - < token.txt
  fanfare token issue --config fanfare.toml | fanfare token check --config fanfare.toml -")]
    Check(TokenCheckArgs),
}

/// The flags of `fanfare token issue`.
#[derive(Debug, Clone, Args)]
pub struct IssueArgs {
    /// Its subject (`sub`)
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// A channel that it grants
    #[arg(
        long = "channel",
        value_name = "CHANNEL",
        help = "A channel that it grants, or a beginning and *; can be repeated [default: every channel]"
    )]
    pub channels: Vec<String>,
    /// How long it is valid
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,
    /// Issue a token that never expires
    #[arg(long, conflicts_with = "expires_in")]
    pub no_expiry: bool,
    /// The private key to sign with, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The name of that key (`kid`)
    #[arg(long, value_name = "NAME")]
    pub key_id: Option<String>,
    /// The flags of the node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// The flags of `fanfare token check`.
#[derive(Debug, Clone, Args)]
pub struct TokenCheckArgs {
    /// The token
    #[arg(
        help = "The token, or - to read it from standard input, so that lists of processes do not show it"
    )]
    pub token: String,
    /// The flags of the node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// The flags of a node.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration (a flag beats the environment, which beats the file)")]
pub struct NodeArgs {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", help = "The configuration file (TOML)\n[env: FANFARE_CONFIG]")]
    pub config: Option<PathBuf>,
    /// For development on this machine
    #[arg(
        long,
        help = "For development on this machine: listens on loopback only, accepts pages from disk and from any \
                local port, needs no API key\n[env: FANFARE_DEV=true]"
    )]
    pub dev: bool,
    /// The addresses to listen on
    #[arg(
        long,
        value_name = "ADDR",
        value_delimiter = ',',
        help = "The addresses to listen on: IP:PORT or localhost:PORT; can be repeated\n\
                [default: localhost:8080] [env: FANFARE_LISTEN=ADDR,ADDR]"
    )]
    pub listen: Vec<String>,
    /// The broker between nodes
    #[arg(
        long,
        value_name = "URL",
        help = "The broker between nodes: redis://HOST:PORT, or memory for a single node\n\
                [default: memory] [env: FANFARE_BROKER]"
    )]
    pub broker: Option<String>,
    /// The name of this node
    #[arg(
        long,
        value_name = "NAME",
        help = "The name of this node in logs, metrics and the view of the cluster\n\
                [default: the name of the host, dev under --dev] [env: FANFARE_NODE]"
    )]
    pub node: Option<String>,
}

impl NodeArgs {
    /// These flags, with the environment and the facts of this process.
    #[must_use]
    pub fn sources(&self) -> Sources {
        Sources {
            flags: self.layer(),
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
            facts: Facts::of_this_machine(),
        }
    }

    /// The flags that were given.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let word = |text: &String| Value::Word(text.clone());
        let mut layer = Layer::default();
        for key in Raw::KEYS {
            let Some(flag) = key.flag else { continue };
            let place = Place::Flag(flag);
            let item = |text| Given { value: word(text), place: place.clone() };
            let value = match flag {
                "--dev" => self.dev.then_some(Value::Boolean(true)),
                "--broker" => self.broker.as_ref().map(word),
                "--node" => self.node.as_ref().map(word),
                "--listen" if !self.listen.is_empty() => {
                    Some(Value::List(self.listen.iter().map(item).collect()))
                }
                _ => None,
            };
            if let Some(value) = value {
                layer.set(key, Given { value, place });
            }
        }
        layer
    }
}

/// The flags of `fanfare config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Explain each key, and comment out defaults: a file to begin with
    #[arg(long)]
    pub explain: bool,
    /// Print the reference of all keys instead (docs/configuration.md), whatever is configured
    #[arg(long, conflicts_with = "explain")]
    pub markdown: bool,
    /// Print a JSON Schema of the configuration file instead, for editors
    #[arg(long, conflicts_with_all = ["explain", "markdown"])]
    pub schema: bool,
    /// The flags of the node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// The flags of `fanfare health`.
#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// The URL to ask
    #[arg(value_name = "URL", help = "The URL to ask [default: the addresses of the configuration]")]
    pub url: Option<String>,
    /// Ask whether it is alive
    #[arg(
        long,
        help = "Ask whether it is alive (/healthz), not whether it is ready (/readyz): for a supervisor that restarts \
                it. A node without its broker is alive"
    )]
    pub live: bool,
    /// The certificates that are accepted.
    #[command(flatten)]
    pub trust: Trust,
    /// The flags of the node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// The flags of `fanfare top`.
#[derive(Debug, Clone, Args)]
pub struct TopArgs {
    /// Any node of the cluster
    #[arg(
        long,
        value_name = "URL",
        help = "Any node of the cluster, at the address of its metrics\n\
                [default: as in the configuration; without one, http://localhost:8080]"
    )]
    pub url: Option<String>,
    /// Print one sample as JSON: two looks, a second apart, for the rates
    #[arg(long)]
    pub json: bool,
    /// The certificates that are accepted.
    #[command(flatten)]
    pub trust: Trust,
    /// The flags of the node.
    #[command(flatten)]
    pub node: NodeArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_has_every_keys_flag() {
        let all =
            ["fanfare", "serve", "--dev", "--listen", "a,b", "--listen", "c", "--broker", "x", "--node", "n"];
        let Command::Serve(args) = Cli::try_parse_from(all).unwrap().command else { panic!("not serve") };
        assert_eq!(args.listen, ["a", "b", "c"]);
        let given = format!("{:?}", args.layer());
        for flag in Raw::KEYS.iter().filter_map(|key| key.flag) {
            assert!(given.contains(&format!("Flag({flag:?})")), "{flag} in {given}");
        }
        let nothing = NodeArgs::default().layer();
        assert_eq!(format!("{nothing:?}"), format!("{:?}", Layer::default()));
    }

    /// The output of the binary, on a terminal of 100 columns.
    fn help(of: Option<&str>) -> String {
        let words = ["fanfare"].into_iter().chain(of).chain(["--help"]);
        let cli = Cli::command().term_width(100).mut_subcommands(|command| command.term_width(100));
        let said = cli.try_get_matches_from(words.clone()).unwrap_err();
        format!("$ {}\n{said}", words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_help_reads_well() {
        let cli = Cli::command();
        let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
        let commands = shown.map(|command| help(Some(command.get_name())));
        let texts: Vec<_> = [help(None)].into_iter().chain(commands).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn the_help_is_whole() {
        Cli::command().debug_assert();
        let serve = Cli::command().find_subcommand_mut("serve").unwrap().render_help().to_string();
        for key in Raw::KEYS.iter().filter(|key| key.flag.is_some()) {
            assert!(serve.contains(&key.variable()), "{} in {serve}", key.path);
        }
    }
}
