//! Real command lines, and keys on disk.

use clap::Parser;

use super::*;
use crate::{
    cli::{Cli, Command, TokenCommand},
    config::tests::load_file,
};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fanfare-auth/tests/keys/test-");
const SECRET: &str = "[auth]\nhmac_secrets = [\"a secret for tests, of at least 32 bytes\", \
                      \"another secret for tests, of 32 bytes\"]\n";

fn run(toml: &str, words: &[&str]) -> Result<String, TokenCommandError> {
    let loaded = load_file(toml).unwrap();
    let words = ["fanfare", "token"].iter().chain(words);
    match Cli::try_parse_from(words).unwrap().command {
        Command::Token(TokenCommand::Issue(args)) => issue_by(&loaded, &args),
        Command::Token(TokenCommand::Check(args)) => check_by(&loaded, &args),
        other => panic!("{other:?}"),
    }
}

fn public(name: &str) -> String {
    format!("[auth]\npublic_keys = [\"{KEYS}{name}.public.pem\"]\n")
}

#[test]
fn an_issued_token_is_accepted_with_its_claims() {
    let toml = format!("{SECRET}audience = \"chat\"\nissuer = \"me\"\n");
    let words = ["issue", "--subject", "alice", "--channel", "chat", "--channel", "news:*"];
    let token = run(&toml, &words).unwrap();
    let said = run(&toml, &["check", token.trim()]).unwrap();
    for line in ["accepted", "subject   alice", "channels  chat, news:*", "in 1h"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn a_token_without_options_grants_every_channel() {
    let token = run(SECRET, &["issue", "--no-expiry"]).unwrap();
    let said = run(SECRET, &["check", token.trim()]).unwrap();
    assert_eq!(said, "accepted\nsubject   (none)\nchannels  every channel\nexpires   never\n");
}

#[test]
fn every_kind_of_private_key_signs() {
    for name in ["rsa", "p256", "p384", "ed25519"] {
        let key = format!("{KEYS}{name}.private.pem");
        let token = run(&public(name), &["issue", "--key", &key]).unwrap();
        assert!(run(&public(name), &["check", token.trim()]).is_ok(), "{name}");
    }
}

#[test]
fn a_token_is_issued_only_if_accepted() {
    let table = [
        (String::new(), vec!["issue"], "add hmac_secrets or public_keys"),
        (public("p256"), vec!["issue"], "--key FILE"),
        (public("p256"), vec!["issue", "--key", "/nonexistent"], "cannot read /nonexistent"),
        (SECRET.into(), vec!["issue", "--expires-in", "0s"], "expired"),
    ];
    for (toml, words, sentence) in table {
        let leeway = if toml == SECRET { "leeway = \"0s\"\n" } else { "" };
        let error = run(&format!("{toml}{leeway}"), &words).unwrap_err().to_string();
        assert!(error.contains(sentence), "{words:?}: {error}");
    }
    let (key, other) = (format!("{KEYS}rsa.public.pem"), format!("{KEYS}ed25519.private.pem"));
    let error = run(&public("rsa"), &["issue", "--key", &key]).unwrap_err().to_string();
    assert!(error.contains("not a private key"), "{error}");
    let error = run(&public("rsa"), &["issue", "--key", &other]).unwrap_err().to_string();
    assert!(error.contains("would refuse this token"), "{error}");
}

#[test]
fn a_refused_token_says_why() {
    let error = run(SECRET, &["check", "not.a.token"]).unwrap_err().to_string();
    assert!(error.starts_with("refused: the token"), "{error}");
}
