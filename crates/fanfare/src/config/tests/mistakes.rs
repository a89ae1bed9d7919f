//! Mistakes: each is found, at its line, with a hint.

use proptest::prelude::*;

use super::{Given, load_file, places, readable};

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
fn every_mistake_is_reported_at_its_line() {
    let expected = [
        "1 listen",
        "2 brocker",
        "3 dev",
        "4 open: not TOML at column 8",
        "6 limit",
        "7 limits.handshake",
        "11 limits.outbound_bytes",
        "12 limits.goodbye",
        "13 limits.level",
        "16 log.level",
        "17 log.format: not TOML at column 8",
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
fn a_wrong_address_gets_a_hint() {
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
fn a_cluster_decides_by_its_own_tags() {
    let file = |broker: &str| format!("broker = \"{broker}\"\n[redis]\nprefix = \"a{{b}}\"\n");
    assert_eq!(places(load_file(&file("redis+cluster://a,b"))), ["3 redis.prefix"]);
    assert!(load_file(&file("redis://a")).is_ok());
}

#[test]
fn unknown_names_get_the_nearest_valid_name() {
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
    let unrelated = load_file("xyzzy = 1").unwrap_err();
    assert_eq!(unrelated.iter().map(|mistake| mistake.hint.clone()).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_syntax_error_hides_only_its_line() {
    for broken in
        ["handshake 5s", "handshake = 5s", "hand shake = \"5s\"", "= 5", "handshake = \"5s", "handshake"]
    {
        let file =
            format!("[limits]\n{broken}\ngoodbye = 5\n[log]\nlevel = \"x\"\n[[namespace]]\necho = 5\n");
        let places = places(load_file(&file));
        let rest = places.strip_prefix([places[0].clone()].as_slice()).unwrap();
        assert!(places[0].starts_with("2 ") && places[0].contains("not TOML"), "{broken}: {places:?}");
        assert_eq!(rest, ["3 limits.goodbye", "5 log.level", "7 namespace.echo"], "{broken}");
    }
}

#[test]
fn a_key_given_twice_is_a_mistake() {
    let places = places(load_file("dev = true\nopen maybe\ndev = false\n"));
    assert_eq!(places, ["2 open: not TOML at column 6", "3 dev"]);
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
fn a_hint_fits_its_mistake() {
    let hint = |file: &str| load_file(file).unwrap_err().iter().next().unwrap().hint.clone();
    assert_eq!(hint("[listen]\nx = 3"), None, "no brackets around a section");
    assert!(hint("[proxies]\ntrusted = [\"10.0.0.0/33\"]").unwrap().contains("a number of bits"));
    assert!(hint("[proxies]\ntrusted = [\"proxy.example\"]").unwrap().contains("names are not resolved"));
}

#[test]
fn a_section_that_comes_twice_hides_nothing_else() {
    let twice =
        "[api]\nkeys = []\n[log]\nlevel = \"info\"\nlevel = \"warn\"\n[api]\nlisten = []\n[drain]\nrate = 0";
    assert_eq!(places(load_file(twice)), ["5 log.level", "6 api", "9 drain.rate"]);
    let told = readable(&load_file(twice).unwrap_err().to_string());
    for (found, first) in [("level once more", 4), ("[api] once more", 1)] {
        let behind = told.split_once(found).unwrap().1;
        assert!(
            behind.split("found").next().unwrap().contains(&format!("the first is at fanfare.toml:{first}"))
        );
    }
    assert_eq!(places(load_file("[log\nlevel = \"info\"")), ["1 not TOML at column 5"]);
}
