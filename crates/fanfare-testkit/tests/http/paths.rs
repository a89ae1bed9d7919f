//! Each path that a document names is answered by a node: no reader is sent to a 404, or to the page instead of the API.

use std::{collections::BTreeMap, fs, path::PathBuf};

use fanfare_testkit::{Answer, Endpoint, KEY, Setup};

const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "k8s/README.md", "loadtest/README.md"];

/// The hosts of nodes and balancers in the documents.
const HOSTS: [&str; 6] = ["localhost", "127.0.0.1", "[::1]", "10.0.0.5", "NODE", "host"];

/// Paths of files, and of programs other than Fanfare.
const ELSEWHERE: [&str; 12] = [
    "/dev/",
    "/etc/",
    "/proc/",
    "/run/",
    "/sys/",
    "/tmp/",
    "/usr/",
    "/var/",
    "/loadtest/",
    "/v1/traces",
    "/PATH",
    "/apis/",
];

#[tokio::test]
async fn documented_paths_are_answered() {
    let node = Setup::memory().start().await;
    let named = named();
    for path in ["/api/publish", "/api/cluster", "/healthz", "/readyz", "/metrics", "/chat", "/ws/channel"] {
        assert!(named.contains_key(path), "{path} is found: {named:?}");
    }
    let mut wrong = Vec::new();
    for (path, file) in &named {
        if !is_answered(*node, path).await {
            wrong.push(format!("{file}: {path}"));
        }
    }
    assert!(wrong.is_empty(), "a node does not answer these: {wrong:?}");
    for wrong in ["/api/publis", "/api/chanels", "/healthz/x"] {
        assert!(!is_answered(*node, wrong).await, "{wrong} is not a path");
    }
}

/// Whether the path is a channel, or another path that is not the page.
async fn is_answered(node: Endpoint, path: &str) -> bool {
    if node.upgrade(path, &[]).await.status == 101 {
        return true;
    }
    let body = br#"{"channel":"chat","data":"hello"}"#;
    for (method, body) in [("GET", &b""[..]), ("POST", body)] {
        let answer = head(node, method, path, body).await;
        let is_page =
            answer.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if !is_page && ![404, 405].contains(&answer.status) {
            return true;
        }
    }
    false
}

/// The answer without its body, which may go on for ever.
async fn head(node: Endpoint, method: &str, path: &str, body: &[u8]) -> Answer {
    let mut client = node.raw().await;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(&[head.as_bytes(), body].concat()).await;
    client.head().await
}

/// The paths, each with a document that names it.
fn named() -> BTreeMap<String, String> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut documents: Vec<_> = DOCUMENTS.map(|file| root.join(file)).into();
    let folder = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(folder.filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    let mut named = BTreeMap::new();
    for file in documents {
        for code in code(&fs::read_to_string(&file).unwrap()) {
            let words = code.split(|c: char| c.is_whitespace() || "'\"(),;<>|".contains(c));
            for path in words.filter_map(path) {
                named.insert(path, file.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    named
}

/// The text between backticks, and the lines of code blocks.
fn code(text: &str) -> Vec<String> {
    let (mut code, mut prose, mut is_block) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            code.push(line.to_owned());
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    for paragraph in prose.split("\n\n") {
        code.extend(paragraph.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    code
}

/// The path of a node in a word: the word itself, or the path of a URL. Placeholders lose their braces.
fn path(word: &str) -> Option<String> {
    let path = match word.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/')?);
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            (HOSTS.contains(&host) || host.ends_with("example.com")).then_some(path)?
        }
        None => word,
    };
    let path = path.split(['?', '#']).next()?.trim_end_matches(['.', ':', '\\']);
    let is_path = path.strip_prefix('/')?.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_elsewhere = ELSEWHERE.iter().any(|prefix| path.starts_with(prefix));
    (is_path && !is_elsewhere).then(|| path.replace(['{', '}'], ""))
}
