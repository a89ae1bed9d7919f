//! The shown configuration: it reads well, can be read back, and has no secret.

use super::{Given, load_file, readable};
use crate::{cli::NodeArgs, config::auth};

#[test]
fn the_shown_file_gives_the_same_configuration() {
    let file = "listen = [\"0.0.0.0:80\", \"localhost:81\"]\nopen = true\nbroker = \"redis://r:6379/2\"\n\
                [origins]\nallow = [\"https://*.example.com\", \"https://a.example\"]\n\
                [proxies]\ntrusted = [\"10.0.0.0/8\", \"::1\"]\nprotocol = \"proxy\"\n\
                [auth]\naudience = \"chat\"\nleeway = \"2s\"\ncookie = \"session\"\npublic_keys = [\"@KEY@\"]\n\
                [limits]\nmessage_bytes = 100000\nhandshake = \"1m 30s 5ms\"\n[log]\nlevel = \"warn\"\n\
                [[namespace]]\nname = \"räume\"\npublish = \"server\"\n[[namespace]]\necho = false\n"
        .replace("@KEY@", &auth::tests::key_file("test-ed25519"));
    let loaded = load_file(&file).unwrap();
    for explain in [false, true] {
        let again = load_file(&loaded.show(explain).to_string()).unwrap();
        let same = format!("{:?}", again.config) == format!("{:?}", loaded.config);
        assert!(same, "{:#?}\n{:#?}", loaded.config, again.config);
    }
}

#[test]
fn a_mask_is_not_read_as_a_secret() {
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
fn a_list_of_servers_is_shown_without_passwords() {
    let file = "broker = [\"redis://b\", \"redis+sentinel://me:pl4nted@s,t:7/main?name=a\"]\n\
                [redis]\nsentinel_password = \"pl4nted\"\n";
    let loaded = load_file(file).unwrap();
    let shown = loaded.show(false).to_string();
    let broker = "broker = [\"redis+sentinel://me:***@s:26379,t:7/main/0?name=a\", \"redis://b:6379/0\"]";
    assert!(shown.contains(broker) && shown.contains("sentinel_password = \"***\""), "{shown}");
    let mistakes = load_file(&shown).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["broker", "redis.sentinel_password"]);
    let environment: &[(&str, &str)] =
        &[("FANFARE_BROKER", "redis+sentinel://me:pl4nted@s,t:7/main?name=a,redis://b")];
    let given = Given { environment, ..Given::default() };
    assert_eq!(given.load().unwrap().config.broker.to_string(), loaded.config.broker.to_string());
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
        "broker = [[\"redis://:pl4nted@x\"]]",
        "broker = [\"redis://a\", \"redis://:pl4nted@x:1x\"]",
        "broker = [\"redis://:pl4nted@x\", \"redis://me:pl4nted@x\"]",
        "broker = \"redis://a,redis://me:pl4nted@x:1x\"",
        "broker = \"redis://:pl4nted,redis://a\"",
        "broker = \"redis+sentinel://me:pl4nted@a,b\"",
        "broker = \"redis+sentinel://a,me:pl4nted\"",
        "[redis]\nsentinel_password = \"pl4nted\"",
        "broker = \"redis+sentinel://a/m\"\n[redis]\nsentinel_password = [\"pl4nted\"]",
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
