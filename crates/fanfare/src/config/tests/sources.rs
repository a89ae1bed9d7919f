//! Flags, the environment and the file.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use fanfare_core::Limits;
use fanfare_gateway::Role;

use super::{Given, places};
use crate::{
    cli::NodeArgs,
    config::{
        Facts, Listen, LogFormat, Runtime, Sources,
        declare::{Key, Layer},
        load,
        raw::{Raw, RawNamespace},
    },
};

#[test]
fn stronger_sources_beat_weaker_ones() {
    let file = "broker = \"redis://file:1\"\n[node]\nname = \"file\"\n[limits]\nmessage_bytes = \"8KiB\"\n";
    let environment: &[(&str, &str)] =
        &[("FANFARE_NODE", "environment"), ("FANFARE_BROKER", "redis://environment:1")];
    let flags = NodeArgs { broker: Some("redis://flag:1".into()), ..NodeArgs::default() };
    let config = Given { file, environment, flags }.load().unwrap().config;
    assert_eq!(config.broker, "redis://flag:1".parse().unwrap());
    assert_eq!(config.node, "environment");
    assert_eq!(config.limits.message_bytes, 8192);
    assert_eq!(config.limits.goodbye, Limits::default().goodbye);
}

#[test]
fn a_covered_value_may_not_be_wrong() {
    let flags = NodeArgs { node: Some("good".into()), ..NodeArgs::default() };
    let result = Given { file: "[node]\nname = \"not good\"\n", flags, ..Given::default() }.load();
    assert_eq!(places(result), ["2 node.name"]);
}

#[test]
fn the_environment_sets_what_a_file_can_set() {
    let environment: &[(&str, &str)] = &[
        ("FANFARE_LISTEN", "127.0.0.1:1, [::1]:2"),
        ("FANFARE_DEV", "true"),
        ("FANFARE_API__KEYS", "0123456789abcdef,fedcba9876543210"),
        ("FANFARE_LIMITS__MESSAGE_BYTES", "1MiB"),
        ("FANFARE_LIMITS__PUBLISH_WAIT", "250ms"),
        ("FANFARE_RUNTIME__WORKERS", "7"),
        ("FANFARE_LOG__FORMAT", "json"),
    ];
    let config = Given { environment, ..Given::default() }.load().unwrap().config;
    let (listen, _) = config.addresses(Role::Clients);
    let listen: Vec<_> = listen.iter().map(Listen::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:1", "[::1]:2"]);
    assert!(config.dev);
    assert_eq!(config.limits.message_bytes, 1 << 20);
    assert_eq!(config.limits.publish_wait, Duration::from_millis(250));
    assert_eq!(config.runtime, Runtime { workers: 7, shards: 7 });
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn items_in_the_environment_may_have_commas() {
    let keys = |text: &str| {
        let environment = &[("FANFARE_API__KEYS", text)];
        let config =
            Given { environment, ..Given::default() }.load().map_err(|error| error.to_string())?.config;
        let is_known = |key: &str| {
            let headers = [("x-api-key".parse().unwrap(), key.parse().unwrap())].into_iter().collect();
            config.api_keys.check(&headers, &[]).is_ok()
        };
        Ok::<_, String>(["0123456789,abcdef", "0123456789abcdef"].map(is_known))
    };
    assert_eq!(keys(r#"["0123456789,abcdef", "0123456789abcdef"]"#), Ok([true, true]));
    assert_eq!(keys(r#"["0123456789,abcdef"]"#), Ok([true, false]));
    assert!(keys("0123456789,abcdef").unwrap_err().contains("api.keys"), "two keys, both too short");
}

#[test]
fn an_unreadable_file_is_a_mistake() {
    let sources = |file: Option<&str>, environment: Vec<(OsString, OsString)>| Sources {
        flags: Layer::default(),
        file: file.map(PathBuf::from),
        environment,
        facts: Facts { cores: 1, descriptors: 20_000, memory: 2 << 30, hostname: "host-1".into() },
    };
    let by_flag = load(sources(Some("/nowhere/fanfare.toml"), vec![]));
    assert_eq!(places(by_flag), ["flag --config the configuration file"]);
    let by_variable = load(sources(None, vec![("FANFARE_CONFIG".into(), "/nowhere/fanfare.toml".into())]));
    assert_eq!(places(by_variable), ["environment FANFARE_CONFIG the configuration file"]);
}

#[test]
fn keys_of_a_section_stand_together() {
    for keys in [Raw::KEYS, RawNamespace::KEYS] {
        let mut sections: Vec<_> = keys.iter().map(|key| key.section_and_name().0).collect();
        sections.dedup();
        let mut unique = sections.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), sections.len(), "{sections:?}");
    }
    assert_eq!(Raw::KEYS.first().map(|key| key.section_and_name().0), Some(""));
}

#[test]
fn every_variable_is_of_one_key() {
    let mut variables: Vec<_> = Raw::KEYS.iter().map(Key::variable).collect();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), Raw::KEYS.len());
    assert!(variables.contains(&"FANFARE_LIMITS__MESSAGE_BYTES".to_owned()));
    assert!(variables.contains(&"FANFARE_NODE".to_owned()));
}
