//! Defaults, and rules between keys.

use std::time::Duration;

use fanfare_broker::BrokerConfig;
use fanfare_core::{Access, Channel, Limits};
use fanfare_gateway::Role;

use super::{load_file, places};
use crate::config::{Drain, Listen, Runtime};

#[test]
fn an_empty_configuration_has_the_default_limits() {
    let config = load_file("").unwrap().config;
    assert_eq!(config.addresses(Role::Clients), (&[Listen::Localhost(8080)][..], false));
    assert_eq!((config.dev, config.deflate), (false, false));
    assert_eq!(config.broker, BrokerConfig::Memory);
    assert_eq!(config.node, "host-1");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.runtime, Runtime { workers: 4, shards: 4 });
}

#[test]
fn queues_are_large_enough_for_messages() {
    let limits = load_file("limits.message_bytes = \"16MiB\"").unwrap().config.limits;
    assert_eq!(
        [limits.unanswered_bytes, limits.outbound_bytes, limits.inbound_bytes],
        [16, 64, 64].map(|m| m << 20)
    );

    let file = "[limits]\nmessage_bytes = \"16MiB\"\nunanswered_bytes = \"15MiB\"\noutbound_bytes = \"63MiB\"\n\
                inbound_bytes = \"63MiB\"\n";
    let expected = ["3 limits.unanswered_bytes", "4 limits.outbound_bytes", "5 limits.inbound_bytes"];
    assert_eq!(places(load_file(file)), expected);
    // A message limit that could not be read is one mistake, not four.
    assert_eq!(places(load_file(&file.replace("16MiB", "16 Mega"))), ["2 limits.message_bytes"]);
}

#[test]
fn the_total_bound_covers_one_connection() {
    let limits = load_file("limits.outbound_bytes = \"1GiB\"").unwrap().config.limits;
    assert_eq!(limits.outbound_total_bytes, 1 << 30);
    let file = "[limits]\noutbound_bytes = \"2MiB\"\noutbound_total_bytes = \"1MiB\"\n";
    assert_eq!(places(load_file(file)), ["3 limits.outbound_total_bytes"]);
}

#[test]
fn listening_beyond_loopback_needs_open() {
    let table = [
        ("listen = [\"127.0.0.1:1\", \"[::1]:1\", \"127.8.8.8:1\", \"[::ffff:127.0.0.1]:1\"]", true),
        ("listen = [\"0.0.0.0:1\"]", false),
        ("listen = [\"[::]:1\"]", false),
        ("listen = [\"192.168.1.2:1\"]", false),
        ("listen = [\"[::ffff:10.0.0.1]:1\"]", false),
        ("listen = [\"0.0.0.0:1\"]\nopen = true", true),
        ("listen = [\"0.0.0.0:1\"]\nopen = true\ndev = true", false),
        ("listen = [\"localhost:1\"]\ndev = true", true),
    ];
    for (file, valid) in table {
        match load_file(file) {
            Ok(_) => assert!(valid, "{file}"),
            Err(mistakes) => {
                assert!(!valid && mistakes.iter().all(|m| m.key == "listen"), "{file}: {mistakes}")
            }
        }
    }
}

#[test]
fn an_address_is_listened_on_once() {
    let twice = load_file("listen = [\"localhost:1\",\n \"127.0.0.1:2\",\n \"[::1]:1\"]");
    assert_eq!(places(twice), ["3 listen"]);
    assert!(load_file("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]").is_ok());
    assert_eq!(places(load_file("listen = []")), ["1 listen"]);
}

#[test]
fn other_listeners_are_judged_by_their_role() {
    let keys = "api.keys = [\"0123456789abcdef\"]\n";
    let table = [
        ("metrics.listen = [\"0.0.0.0:9\"]", None),
        ("metrics.listen = [\"0.0.0.0:9\"]\ndev = true", Some("1 metrics.listen")),
        ("metrics.listen = [\"localhost:9\", \"[::1]:9\"]", Some("1 metrics.listen")),
        ("api.listen = [\"0.0.0.0:9\"]", Some("1 api.listen")),
        ("api.listen = [\"0.0.0.0:9\"]\nKEYS", None),
        ("api.listen = [\"0.0.0.0:9\"]\nKEYSdev = true", Some("1 api.listen")),
        ("api.listen = [\"127.0.0.1:9\"]\ndev = true", None),
        ("listen = [\"127.0.0.1:9\"]\nmetrics.listen = [\"127.0.0.1:9\"]", None),
    ];
    for (file, mistake) in table {
        match load_file(&file.replace("KEYS", keys)) {
            Ok(_) => assert_eq!(mistake, None, "{file}"),
            failed => assert_eq!(places(failed), mistake.as_slice(), "{file}"),
        }
    }
}

#[test]
fn the_grace_is_shorter_than_the_timeout() {
    let drain = |file| load_file(file).unwrap().config.drain;
    let seconds = Duration::from_secs;
    assert_eq!(drain(""), Drain { rate: 200, grace: seconds(5), timeout: seconds(30) });
    assert_eq!(drain("drain.timeout = \"3s\"").grace, seconds(3) / 6);
    assert_eq!(drain("drain.timeout = \"10m\"").grace, seconds(5));
    assert_eq!(drain("dev = true").grace, Duration::ZERO);
    assert_eq!(places(load_file("drain.timeout = \"9s\"\ndrain.grace = \"9s\"")), ["2 drain.grace"]);
    assert_eq!(places(load_file("drain.timeout = \"9 apples\"\ndrain.grace = \"40s\"")), ["1 drain.timeout"]);
}

#[test]
fn namespaces_become_options_of_channels() {
    let file = "[[namespace]]\nname = \"news\"\npublish = \"server\"\n[[namespace]]\necho = false\n";
    let namespaces = load_file(file).unwrap().config.namespaces;
    let of = |channel| namespaces.of(&Channel::new(channel).unwrap()).clone();
    assert_eq!((of("news:1").publish, of("news:1").echo), (Access::Server, true));
    assert_eq!((of("lobby").publish, of("lobby").echo), (Access::Anonymous, false));
}

#[test]
fn each_namespace_has_its_own_valid_name() {
    let table = [
        ("[[namespace]]\n[[namespace]]\nname = \"\"", "3 namespace.name"),
        ("[[namespace]]\nname = \"\"\n[[namespace]]", "3 namespace.name"),
        ("[[namespace]]\nname = \"a b\"", "2 namespace.name"),
        ("[[namespace]]\nname = \"a\\u0000\"", "2 namespace.name"),
        ("[[namespace]]\nname = \":\"", "2 namespace.name"),
        ("[namespace]\nname = \"a\"", "1 namespace"),
        ("namespace = [5]", "1 namespace"),
    ];
    for (file, place) in table {
        assert_eq!(places(load_file(file)), [place], "{file}");
    }
}

#[test]
fn trusted_proxies_need_a_protocol() {
    let table = [
        ("proxies.trusted = [\"10.0.0.0/8\"]", "1 proxies.trusted"),
        ("proxies.protocol = \"proxy\"", "1 proxies.protocol"),
        ("proxies.protocol = \"x-forwarded-for\"\nproxies.trusted = []", "1 proxies.protocol"),
        ("proxies.protocol = \"proxy\"\nproxies.trusted = [\"localhost\"]", "2 proxies.trusted"),
        ("proxies.protocol = \"proxy\"\nproxies.trusted = [\"10.0.0.0/33\"]", "2 proxies.trusted"),
    ];
    for (file, place) in table {
        assert_eq!(places(load_file(file)), [place], "{file}");
    }
    let both = "proxies.protocol = \"proxy\"\nproxies.trusted = [\"10.0.0.1\", \"2001:db8::/32\"]";
    let trusted = load_file(both).unwrap().config.proxies.trusted;
    assert_eq!(trusted, ["10.0.0.1/32", "2001:db8::/32"].map(|network| network.parse().unwrap()));
}

#[test]
fn news_of_clients_need_a_list() {
    let namespace = |keys: &str| load_file(&format!("[[namespace]]\nname = \"a\"\n{keys}"));
    let mistake = "3 namespace.join_leave";
    assert_eq!(places(namespace("join_leave = true")), [mistake]);
    assert_eq!(places(namespace("join_leave = true\ntrack_presence = false")), [mistake]);
    for right in ["join_leave = false", "join_leave = true\ntrack_presence = true"] {
        namespace(right).unwrap();
    }
}

#[test]
fn recovery_and_differences_need_a_history() {
    let namespace = |keys: &str| load_file(&format!("[[namespace]]\nname = \"a\"\n{keys}"));
    for key in ["recovery = \"cache\"", "delta = true"] {
        let mistake = format!("3 namespace.{}", key.split(' ').next().unwrap());
        assert_eq!(places(namespace(key)), [mistake.as_str()]);
        assert_eq!(places(namespace(&format!("{key}\nhistory_size = 0"))), [mistake.as_str()]);
        namespace(&format!("{key}\nhistory_size = 1")).unwrap();
    }
    let conflating = "delta = true\nhistory_size = 1\nslow_client = \"conflate\"";
    assert_eq!(places(namespace(conflating)), ["3 namespace.delta"]);
    namespace("recovery = \"stream\"\ndelta = false\nslow_client = \"conflate\"").unwrap();
}

#[test]
fn the_advertised_address_shows_no_password() {
    let at = |text: &str| load_file(&format!("node.advertise = {text:?}"));
    let is = |text: &str| at(text).unwrap().config.advertise.map(|target| target.to_string());
    assert_eq!(is("10.0.0.5:9090").as_deref(), Some("http://10.0.0.5:9090/metrics"));
    assert_eq!(is("http://[::1]:9090/m").as_deref(), Some("http://[::1]:9090/m"));
    assert_eq!(is(""), None);
    assert_eq!(is("https://node").as_deref(), Some("https://node:443/metrics"));
    for wrong in ["ftp://node:9090", "http://me:hunter2@node:9090", "node:ninety", "http://node/?x"] {
        let mistakes = at(wrong).unwrap_err().to_string();
        assert!(mistakes.contains("node.advertise") && !mistakes.contains("hunter2"), "{mistakes}");
    }
}
