use std::{io::Write, time::Duration};

use fanfare_core::{Access, Channel};
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::cli::NodeArgs;

/// What a test gives to a node.
#[derive(Default)]
struct Given<'a> {
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: NodeArgs,
}

impl Given<'_> {
    fn load(self) -> Result<Loaded, Mistakes> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(self.file.as_bytes()).unwrap();
        load(Sources {
            flags: self.flags.layer(),
            file: Some(file.path().to_owned()),
            environment: self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            facts: Facts { cores: 4, descriptors: 20_000, memory: 2 << 30, hostname: "host-1".into() },
        })
    }
}

pub(crate) fn load_file(file: &str) -> Result<Loaded, Mistakes> {
    Given { file, ..Given::default() }.load()
}

/// `line key` of each mistake.
pub(super) fn places(result: Result<Loaded, Mistakes>) -> Vec<String> {
    let place = |mistake: &Mistake| match &mistake.place {
        Place::File { line, .. } => format!("{line} {}", mistake.key),
        other => format!("{other} {}", mistake.key),
    };
    result.unwrap_err().iter().map(place).collect()
}

/// What people read, with a name for the file that is the same in each run.
pub(super) fn readable(text: &str) -> String {
    let temporary = |word: &str| word.split(':').next().is_some_and(|path| path.starts_with('/'));
    let line = |line: &str| {
        let words = line.split(' ').map(|word| match word.split_once(':') {
            Some((_, rest)) if temporary(word) => format!("fanfare.toml:{rest}"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

const MANY_MISTAKES: &str = r#"listen = ["127.0.0.1:8080", "8081"]
brocker = "memory"
dev = "false"
open = maybe

[limit]
handshake = "5 apples"

[limits]
message_bytes = "128KiB"
outbound_bytes = "256KiB"
goodbye = 5
level = "info"

[log]
level = "inf"
format "json"

[api]
keys = [
    "0123456789abcdef",
    "short",
]

[origins]
allow = ["https://app.example/chat"]

[[namespace]]
name = "chat:room"
subscribe = "token"

[[namespace]]
name = "news"
publsh = "server"

[[namespace]]
name = "news"
echo = 1
"#;

#[test]
fn every_mistake_of_a_file_is_reported_at_its_line() {
    let expected = [
        "1 listen",
        "2 brocker",
        "3 dev",
        "4 open: no TOML at column 8",
        "6 limit",
        "7 limits.handshake",
        "11 limits.outbound_bytes",
        "12 limits.goodbye",
        "13 limits.level",
        "16 log.level",
        "17 log.format: no TOML at column 8",
        "22 api.keys",
        "26 origins.allow",
        "29 namespace.name",
        "30 namespace.subscribe",
        "34 namespace.publsh",
        "37 namespace.name",
        "38 namespace.echo",
    ];
    assert_eq!(places(load_file(MANY_MISTAKES)), expected);
}

#[test]
fn mistakes_read_well() {
    let result =
        Given { file: MANY_MISTAKES, environment: &[("FANFARE_LISTN", "x")], ..Given::default() }.load();
    insta::assert_snapshot!(readable(&result.unwrap_err().to_string()));
}

#[test]
fn a_flag_beats_the_environment_that_beats_the_file_that_beats_the_default() {
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
fn a_weaker_value_with_a_mistake_is_still_one() {
    let flags = NodeArgs { node: Some("good".into()), ..NodeArgs::default() };
    let result = Given { file: "[node]\nname = \"not good\"\n", flags, ..Given::default() }.load();
    assert_eq!(places(result), ["2 node.name"]);
}

#[test]
fn the_environment_says_what_the_file_can_say() {
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
fn a_list_of_the_environment_may_hold_commas() {
    let keys = |text: &str| {
        let environment = &[("FANFARE_API__KEYS", text)];
        let config =
            Given { environment, ..Given::default() }.load().map_err(|error| error.to_string())?.config;
        let is_known = |key: &str| {
            let headers = [("x-api-key".parse().unwrap(), key.parse().unwrap())].into_iter().collect();
            config.api_keys.check(&headers).is_ok()
        };
        Ok::<_, String>(["0123456789,abcdef", "0123456789abcdef"].map(is_known))
    };
    assert_eq!(keys(r#"["0123456789,abcdef", "0123456789abcdef"]"#), Ok([true, true]));
    assert_eq!(keys(r#"["0123456789,abcdef"]"#), Ok([true, false]));
    assert!(keys("0123456789,abcdef").unwrap_err().contains("api.keys"), "two keys, both too short");
}

#[test]
fn nothing_configured_is_valid_and_has_the_defaults_of_core() {
    let config = load_file("").unwrap().config;
    assert_eq!(config.addresses(Role::Clients), (&[Listen::Localhost(8080)][..], false));
    assert_eq!((config.dev, config.deflate), (false, false));
    assert_eq!(config.broker, BrokerConfig::Memory);
    assert_eq!(config.node, "host-1");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.runtime, Runtime { workers: 4, shards: 4 });
}

#[test]
fn a_larger_message_makes_larger_queues_and_an_explicit_smaller_one_is_a_mistake() {
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
fn what_may_wait_for_all_connections_is_no_less_than_for_one() {
    let limits = load_file("limits.outbound_bytes = \"1GiB\"").unwrap().config.limits;
    assert_eq!(limits.outbound_total_bytes, 1 << 30);
    let file = "[limits]\noutbound_bytes = \"2MiB\"\noutbound_total_bytes = \"1MiB\"\n";
    assert_eq!(places(load_file(file)), ["3 limits.outbound_total_bytes"]);
}

#[test]
fn beyond_loopback_only_who_says_open_listens() {
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
fn listeners_of_their_own_are_as_open_as_what_they_serve() {
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
fn the_grace_leaves_time_for_the_clients_and_dev_ends_at_once() {
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
fn what_people_write_for_an_address_is_understood_or_corrected() {
    let hint = |text: &str| {
        let mistakes = load_file(&format!("open = true\nlisten = [\"{text}\"]")).unwrap_err();
        mistakes.iter().find_map(|mistake| mistake.hint.clone()).unwrap()
    };
    assert_eq!(hint(":8080"), "\"localhost:8080\" for this machine, \"0.0.0.0:8080\" for everybody (IPv4)");
    assert_eq!(hint("8080"), hint(":8080"));
    assert_eq!(hint("*:8080"), hint(":8080"));
    assert_eq!(hint("0.0.0.0"), "with a port: \"0.0.0.0:8080\"");
    assert_eq!(hint("localhost"), "with a port: \"localhost:8080\"");
    assert_eq!(hint("::1"), "with a port: \"[::1]:8080\"");
    assert_eq!(hint("fe80::a:b:c:d:e:f:8080"), "in brackets: \"[fe80::a:b:c:d:e:f]:8080\"");
    assert_eq!(hint("example.com:80"), "names other than localhost are not resolved: write the address");
    assert_eq!(hint("127.0.0.1:99999"), "write for example \"127.0.0.1:8080\"");
}

#[test]
fn unknown_names_get_the_nearest_valid_one() {
    let table = [
        ("lisen = []", "did you mean listen?"),
        ("message_bytes = 1", "did you mean message_bytes under [limits]?"),
        ("[limits]\nmesage_bytes = 1", "did you mean message_bytes?"),
        ("[limits]\nlisten = []", "did you mean listen at the top of the file, before the first section?"),
        ("[orgins]\n", "did you mean [origins]?"),
        ("limits = 5", "[limits], and its keys below it"),
        ("[[namespaces]]\nname = \"a\"", "did you mean [[namespace]]?"),
        ("[log]\nlevel = \"Info\"", "did you mean \"info\"?"),
        ("[[namespace]]\npublish = \"sever\"", "did you mean \"server\"?"),
    ];
    for (file, hint) in table {
        let mistakes = load_file(file).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.hint.as_deref() == Some(hint)), "{file}: {mistakes}");
    }
    let stranger = load_file("xyzzy = 1").unwrap_err();
    assert_eq!(stranger.iter().map(|mistake| mistake.hint.clone()).collect::<Vec<_>>(), [None]);
}

#[test]
fn an_error_of_syntax_hides_nothing_but_its_own_line() {
    for broken in
        ["handshake 5s", "handshake = 5s", "hand shake = \"5s\"", "= 5", "handshake = \"5s", "handshake"]
    {
        let file =
            format!("[limits]\n{broken}\ngoodbye = 5\n[log]\nlevel = \"x\"\n[[namespace]]\necho = 5\n");
        let places = places(load_file(&file));
        let rest = places.strip_prefix([places[0].clone()].as_slice()).unwrap();
        assert!(places[0].starts_with("2 ") && places[0].contains("no TOML"), "{broken}: {places:?}");
        assert_eq!(rest, ["3 limits.goodbye", "5 log.level", "7 namespace.echo"], "{broken}");
    }
}

#[test]
fn a_key_given_twice_is_a_mistake() {
    let places = places(load_file("dev = true\nopen maybe\ndev = false\n"));
    assert_eq!(places, ["2 open: no TOML at column 6", "3 dev: no TOML at column 1"]);
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
fn a_namespace_is_given_once_and_its_name_is_no_channel() {
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
fn trusted_proxies_and_how_they_speak_are_said_together() {
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
fn what_config_prints_is_a_file_of_the_same_configuration() {
    let file = "listen = [\"0.0.0.0:80\", \"localhost:81\"]\nopen = true\nbroker = \"redis://r:6379/2\"\n\
                [origins]\nallow = [\"https://*.example.com\", \"https://a.example\"]\n\
                [proxies]\ntrusted = [\"10.0.0.0/8\", \"::1\"]\nprotocol = \"proxy\"\n\
                [auth]\naudience = \"chat\"\nleeway = \"2s\"\ncookie = \"session\"\npublic_keys = [\"@KEY@\"]\n\
                [limits]\nmessage_bytes = 100000\nhandshake = \"1m 30s 5ms\"\n[log]\nlevel = \"warn\"\n\
                [[namespace]]\nname = \"räume\"\npublish = \"server\"\n[[namespace]]\necho = false\n"
        .replace("@KEY@", &super::auth::tests::key_file("test-ed25519"));
    let loaded = load_file(&file).unwrap();
    for explain in [false, true] {
        let again = load_file(&loaded.show(explain).to_string()).unwrap();
        let same = format!("{:?}", again.config) == format!("{:?}", loaded.config);
        assert!(same, "{:#?}\n{:#?}", loaded.config, again.config);
    }
}

#[test]
fn a_mask_read_back_is_no_secret() {
    let file = "broker = \"redis://user:secret@r\"\n[api]\nkeys = [\"0123456789abcdef\"]\n\
                [auth]\nhmac_secrets = [\"0123456789abcdef0123456789abcdef\"]";
    let printed = load_file(file).unwrap().show(false).to_string();
    let mistakes = load_file(&printed).unwrap_err();
    assert_eq!(
        mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(),
        ["broker", "api.keys", "auth.hmac_secrets"]
    );
}

#[test]
fn the_effective_configuration_reads_well() {
    let file = "broker = \"redis://user:planted@redis.example/2\"\n[api]\nkeys = [\"planted-0123456789\"]\n\
                [[namespace]]\nname = \"news\"\npublish = \"server\"\n";
    let flags = NodeArgs { dev: true, ..NodeArgs::default() };
    let environment: &[(&str, &str)] = &[("FANFARE_LOG__LEVEL", "warn")];
    let loaded = Given { file, environment, flags }.load().unwrap();
    insta::assert_snapshot!("effective", readable(&loaded.show(false).to_string()));
    insta::assert_snapshot!("explained", readable(&loaded.show(true).to_string()));
}

#[test]
fn no_secret_is_ever_printed() {
    const SECRET: &str = "pl4nted";
    let valid = "broker = \"redis://user:pl4nted@redis.example\"\n[api]\nkeys = [\"pl4nted-0123456789\"]\n\
                 [auth]\nhmac_secrets = [\"pl4nted-0123456789-0123456789-012\"]\n";
    let loaded = load_file(valid).unwrap();
    let shown = format!("{} {} {loaded:?}", loaded.show(false), loaded.show(true));
    assert!(!shown.contains(SECRET), "{shown}");

    let broken = [
        "broker = \"redist://user:pl4nted@redis.example\"",
        "broker = \"redis://:pl4nted@\"",
        "broker = \"redis:/user:pl4nted@redis.example\"",
        "broker = \"http://pl4nted@redis.example\"",
        "broker = \"pl4nted\"",
        "broker = \"pl4nted:6379\"",
        "broker = \"me:pl4nted@redis.example:6379\"",
        "broker = \"p@pl4nted\"",
        "broker = \"redis://:pl4nted\"",
        "broker = \"redis://me:pl4nted\"",
        "broker = \"redis://:p#pl4nted@redis.example\"",
        "broker = \"redis://:pl4nted/ss@redis.example\"",
        "broker = \"pl4nted:x://redis.example\"",
        "broker = [\"redis://:pl4nted@x\"]",
        "brokr = \"redis://:pl4nted@x\"",
        "broker = redis://:pl4nted@x",
        "broker \"redis://:pl4nted@x\"",
        "broker \"redis://:pl4nted=@x\"",
        "broker = redis://:pl4nted=@x",
        "[auth]\nhmac_secrets = [pl4nted-0123456789-0123456789-012]",
        "[api]\nkeys = \"pl4nted-0123456789\"",
        "[api]\nkeys = [\"pl4nted\", 5]",
        "[api]\nkeys = [\"pl4nted 0123456789\"]",
        "[api]\nkeys = [pl4nted]",
        "[api]\nkeys = [\n  \"a\"\n  \"pl4nted=\"\n]",
        "[api]\nkeys = [\n  pl4nted,\n]",
        "[api]\nkeys = \"pl4nted",
        "[api]\nkyes = [\"pl4nted-0123456789\"]",
        "[api]\nkeys = { pl4nted = 1 }",
        "api = [\"pl4nted-0123456789\"]",
        "[auth]\nhmac_secrets = \"pl4nted-0123456789-0123456789-012\"",
        "[auth]\nhmac_secrets = [\"pl4nted\", 5]",
        "[auth]\nhmac_secrets = [\"pl4nted-0123456789-0123456789-012 \"]",
        "[auth]\nhmac_secrets = [\"pl4nted-0123456789-0123456789-012\"]\nhmac_algorithm = \"HS512\"",
        "[auth]\nhmac_secret = \"pl4nted-0123456789-0123456789-012\"",
        "[auth]\npublic_keys = [\"-----BEGIN PRIVATE KEY----- pl4nted\"]",
        "[tls]\ncert = \"-----BEGIN PRIVATE KEY----- pl4nted\"",
        "[redis]\nclient_key = \"-----BEGIN PRIVATE KEY----- pl4nted\"",
    ];
    for file in broken {
        let mistakes = load_file(file).unwrap_err();
        let shown = format!("{mistakes} {mistakes:?}");
        assert!(!shown.contains(SECRET), "{file}: {shown}");
    }
    let environment: &[(&str, &str)] = &[
        ("FANFARE_API__KEYS", "pl4nted"),
        ("FANFARE_API__KEY", "pl4nted"),
        ("FANFARE_AUTH__HMAC_SECRETS", "pl4nted"),
    ];
    let mistakes = Given { environment, ..Given::default() }.load().unwrap_err();
    assert_eq!(mistakes.iter().count(), 3);
    assert!(!mistakes.to_string().contains(SECRET), "{mistakes}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_of_who_named_it() {
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

proptest! {
    #[test]
    fn no_file_panics(text in "(\\PC|[\\[\\]=\"'\\n.#{},\\\\0-9])*") {
        let _ = load_file(&text).map_err(|mistakes| mistakes.to_string());
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0..MANY_MISTAKES.len(), byte in "\\PC|\n|\"|\\[") {
        let mut text = MANY_MISTAKES.to_owned();
        text.insert_str(at, &byte);
        prop_assert!(load_file(&text).is_err());
    }
}

#[test]
fn where_metrics_are_is_a_host_and_a_port_or_a_url_and_shows_no_password() {
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
