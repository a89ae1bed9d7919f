//! `fanfare check`: all mistakes of a configuration at once, as an operator reads them.

use std::process::Output;

use fanfare_testkit::Process;

const TEN_MISTAKES: &str = r#"listen = ["0.0.0.0"]
brokr = "redis://127.0.0.1:6379"

[limits]
message_bytes = "64 Kilo"
handshake = 5
conections = 1000

[origin]
allow = ["https://app.example"]

[api]
keys = ["0123456789abcdef", "hunter2"]

[log]
level = info
format = "jsn"

[[namespace]]
name = "news"
publish = "anonymous"
echo = "no"
"#;

/// Line, key, and words of the found value, of the allowed ones and of the hint.
const ANSWERS: [(usize, &str, &str, &str, &str); 10] = [
    (1, "listen", "\"0.0.0.0\"", "an IP address or localhost, and a port", "with a port: \"0.0.0.0:8080\""),
    (2, "brokr", "a key that is not known", "broker, [node], [redis]", "did you mean broker?"),
    (5, "limits.message_bytes", "\"64 Kilo\"", "a size from 1KiB to 24MiB", "KiB, MiB or GiB"),
    (6, "limits.handshake", "5", "a duration from 100ms to 5m", "with a unit: \"5s\""),
    (7, "limits.conections", "a key that is not known", "message_bytes, ", "did you mean connections?"),
    (9, "origin", "a section that is not known", "[origins]", "did you mean [origins]?"),
    (13, "api.keys", "***", "16 to 256 visible ASCII characters", "this one has 7"),
    (16, "log.level", "level = info", "\"info\", \"debug\" or \"trace\"", "in quotes"),
    (17, "log.format", "\"jsn\"", "\"auto\", \"text\" or \"json\"", "did you mean \"json\"?"),
    (22, "namespace.echo", "\"no\"", "true or false", "without quotes: false"),
];

/// The lines of an answer joined, and the text under a name in it.
fn part<'a>(answer: &'a str, name: &str) -> &'a str {
    let begin = answer.find(&format!("  {name} ")).map_or(0, |at| at + name.len() + 2);
    let rest = answer.get(begin..).unwrap_or_default();
    let end = ["  allowed ", "  hint "].iter().filter_map(|name| rest.find(name)).min();
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().trim()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn ten_mistakes_get_ten_answers() {
    let Output { status, stdout, stderr } = Process::once(&["check"], TEN_MISTAKES, &[]).await;
    let said = text(&stderr);
    assert_eq!((status.code(), text(&stdout).as_str()), (Some(1), ""), "{said}");
    let mut answers: Vec<String> =
        said.split("\n\n").map(|answer| answer.replace("\n           ", " ")).collect();
    let end = answers.pop().unwrap();
    assert!(end.starts_with("10 mistakes in the configuration"), "{said}");
    assert_eq!(answers.len(), ANSWERS.len(), "{said}");
    for (answer, (line, key, found, allowed, hint)) in answers.iter().zip(ANSWERS) {
        let (place, rest) = answer.split_once(": ").unwrap();
        assert!(place.starts_with('/') && place.ends_with(&format!(":{line}")), "{answer}");
        assert!(rest.starts_with(&format!("{key}\n")) || rest.starts_with(&format!("{key}: ")), "{answer}");
        for (name, words) in [("found", found), ("allowed", allowed), ("hint", hint)] {
            assert!(part(rest, name).contains(words), "{name} {words:?}: {answer}");
        }
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn serve_answers_like_check() {
    let [check, serve] =
        [Process::once(&["check"], TEN_MISTAKES, &[]), Process::once(&["serve"], TEN_MISTAKES, &[])];
    let (check, serve) = tokio::join!(check, serve);
    assert_eq!(serve.status.code(), Some(1));
    let answers = |output: &Output| text(&output.stderr).matches("  found ").count();
    assert_eq!((answers(&check), answers(&serve)), (10, 10));
}

#[tokio::test]
async fn a_valid_configuration_is_confirmed() {
    let Output { status, stdout, stderr } =
        Process::once(&["check"], "[log]\nlevel = \"debug\"\n", &[]).await;
    assert_eq!(
        (status.code(), text(&stdout), text(&stderr)),
        (Some(0), "configuration is valid\n".into(), String::new())
    );
    let ended = Process::once(&["check"], "", &[("FANFARE_LISTN", "x")]).await;
    let said = text(&ended.stderr);
    assert!(said.contains("did you mean FANFARE_LISTEN?") && ended.status.code() == Some(1), "{said}");
}
