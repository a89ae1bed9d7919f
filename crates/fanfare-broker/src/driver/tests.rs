//! The words that name a broker.

use super::*;

fn parse(text: &str) -> Result<BrokerConfig, BrokerConfigError> {
    text.parse()
}

#[test]
fn a_word_or_a_url_names_a_broker() {
    assert_eq!(parse("memory"), Ok(BrokerConfig::Memory));
    for url in ["redis://localhost", "rediss://h:7", "REDIS://h"] {
        assert!(matches!(parse(url), Ok(BrokerConfig::Redis(_))), "{url}");
    }
}

#[test]
fn several_urls_name_several_servers() {
    let Ok(BrokerConfig::Several(servers)) = parse("redis://:p,q@b, rediss://a ,redis+sentinel://x,y:1/m")
    else {
        panic!("no list")
    };
    let names: Vec<_> = servers.each().iter().map(RedisConfig::name).collect();
    assert_eq!(names, ["a:6379", "b:6379", "m"], "sorted by name");
    let other = parse("redis+sentinel://x,y:1/m,redis://:p,q@b,rediss://a").unwrap();
    assert_eq!(other, BrokerConfig::Several(servers));
    assert_eq!(other.to_string(), "rediss://a:6379/0,redis://b:6379/0,redis+sentinel://x:26379,y:1/m/0");
    for (text, error) in [
        ("redis://a,redis://a:6379", BrokerConfigError::SameName("a:6379".into())),
        ("redis://a?name=x,redis://a?name=y", BrokerConfigError::SamePlace("a:6379".into())),
        ("redis://a,memory", BrokerConfigError::MemoryInList),
        ("redis://a,nats://b", BrokerConfigError::Scheme("nats".into())),
        ("redis://a,redis+cluster://b,c", BrokerConfigError::ClusterInList),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_text_that_names_no_broker_is_refused() {
    for (text, error) in [
        ("nats://h", BrokerConfigError::Scheme("nats".into())),
        ("redissh://h", BrokerConfigError::Scheme("redissh".into())),
        ("redis://", BrokerConfigError::Redis(RedisUrlError::Host)),
        ("localhost", BrokerConfigError::NoScheme),
        ("localhost:6379", BrokerConfigError::NoScheme),
        (":hunter2@h:6379", BrokerConfigError::NoScheme),
        ("hunter2:x://h", BrokerConfigError::NoScheme),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn no_error_shows_a_password() {
    let mistakes = [
        "redis://me:hunter2@h:1x",
        "redis://me:hunter2@",
        "redissh://me:hunter2@h",
        "redis://me:hunter2#@h",
        "hunter2",
        "hunter2:6379",
        "hunter2@h:1",
        "hunter2:x://h",
        "redis://a,redis://me:hunter2@h:1x",
        "redis+sentinel://me:hunter2@a,b:1x/m",
        "redis+sentinel://me:hunter2@a,b",
    ];
    for error in mistakes.map(|text| parse(text).unwrap_err()) {
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
