//! `fanfare health`: asks a node that runs whether it is ready, or alive. For containers without curl.

use std::{collections::BTreeMap, time::Duration};

use fanfare_gateway::{Check, Health, Role};
use hyper::StatusCode;

use crate::{
    ask::{Asker, NoAnswer, Target, local_targets},
    cli::HealthArgs,
    config::{self, Config, Mistakes},
};

/// The most time that the node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most characters of another server's answer that are shown.
const SHOWN: usize = 200;

/// Why a node counts as unhealthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// The configuration, which says where to ask, has mistakes.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// The text is not `http://host:port/path`.
    #[error("{url:?} cannot be asked: {hint}")]
    Url {
        /// The text.
        url: String,
        /// The remedy.
        hint: String,
    },
    /// Only the node itself knows which port it got.
    #[error(
        "the configuration listens on port 0 only: name the URL, as in `fanfare health http://127.0.0.1:8080`"
    )]
    NoPort,
    /// It cannot be reached, or does not answer in time.
    #[error("{}", .0.iter().map(|(target, error)| format!("{target}: {error}")).collect::<Vec<_>>().join("; "))]
    Unreachable(Vec<(Target, NoAnswer)>),
    /// It answered with another status than 200.
    #[error("{target}: {reason}")]
    Not {
        /// The URL that was asked.
        target: Target,
        /// The checks that failed; for another server, the status and the beginning of its answer.
        reason: String,
    },
}

/// Asks as the command line says. Returns the node's answer, in lines.
///
/// # Errors
/// The node is not ready (or not alive), or cannot be asked.
pub async fn ask(args: &HealthArgs) -> Result<String, Unhealthy> {
    let (path, word) = if args.live { ("/healthz", "alive") } else { ("/readyz", "ready") };
    let config = config::load(args.node.sources()).map(|loaded| loaded.config);
    let (targets, config) = match &args.url {
        Some(url) => {
            let target =
                Target::parse(url, path).map_err(|hint| Unhealthy::Url { url: url.clone(), hint })?;
            // The configuration may be another node's, so its mistakes do not matter here.
            (vec![target], config.ok())
        }
        None => {
            let config = config?;
            (own_targets(&config, path), Some(config))
        }
    };
    let asker = Asker::of(config.as_ref(), TIMEOUT).trusting(args.trust.clone());
    let mut silent = Vec::new();
    for target in targets {
        match asker.get(&target).await {
            Ok(answer) => return judge(target, answer.status, &answer.body, word),
            Err(error) => silent.push((target, error)),
        }
    }
    Err(if silent.is_empty() { Unhealthy::NoPort } else { Unhealthy::Unreachable(silent) })
}

fn own_targets(config: &Config, path: &str) -> Vec<Target> {
    local_targets(&[Role::Clients, Role::Metrics, Role::Api].map(|role| config.addresses(role)), path)
}

fn judge(target: Target, status: StatusCode, body: &str, word: &str) -> Result<String, Unhealthy> {
    let health = serde_json::from_str::<Health>(body);
    match (status, health) {
        (StatusCode::OK, Ok(health)) => Ok(lines(&health, word)),
        (StatusCode::OK, Err(_)) => Ok(format!("{target}: {status}\n")),
        (_, Ok(health)) => {
            let failed: Vec<_> = health.checks.iter().filter(|check| !check.ok).map(failure).collect();
            let reason = format!("{} is not {word}: {}", health.node, failed.join(", "));
            Err(Unhealthy::Not { target, reason })
        }
        (_, Err(_)) => {
            let shown: String = body.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
            Err(Unhealthy::Not { target, reason: format!("{status} {shown}").trim_end().to_owned() })
        }
    }
}

fn failure(check: &Check) -> String {
    format!("{} {} since {} ({}){}", check.name, check.state, check.since, time(check), place(check))
}

/// The server of a check, where its name does not say it.
fn place(check: &Check) -> String {
    let server = check.server.as_ref().filter(|server| **server != check.name);
    server.map_or_else(String::new, |server| format!(" on {server}"))
}

/// The number of partitions on each server, where a name does not say the server.
fn places(partitions: &[Check]) -> String {
    let mut places = BTreeMap::new();
    let hidden = partitions.iter().filter(|each| !place(each).is_empty());
    for server in hidden.filter_map(|each| each.server.as_ref()) {
        *places.entry(server).or_insert(0) += 1;
    }
    let places: Vec<_> = places.iter().map(|(server, number)| format!("{server} ({number})")).collect();
    if places.is_empty() { String::new() } else { format!("  servers {}\n", places.join(", ")) }
}

fn time(check: &Check) -> impl std::fmt::Display {
    humantime::format_duration(Duration::from_secs(check.seconds))
}

fn lines(health: &Health, word: &str) -> String {
    let check = |check: &Check| {
        format!("  {:<7} {:<8} for {}{}\n", check.name, check.state, time(check), place(check))
    };
    let checks: String = health.checks.iter().map(check).collect();
    let troubled = health.partitions.iter().filter(|partition| !partition.ok);
    let troubled: String = troubled.map(|partition| format!("  {}\n", failure(partition))).collect();
    format!("{} is {word}\n{checks}{}{troubled}", health.node, places(&health.partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<String, String> {
        let target = Target::parse("http://h:1/readyz", "/").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        judge(target, status, body, "ready").map_err(|error| error.to_string())
    }

    #[test]
    fn failed_checks_are_named() {
        let body = r#"{"ok":false,"node":"a","checks":[
            {"name":"broker","ok":false,"state":"away","since":"2026-01-01T00:00:00.000Z","seconds":75},
            {"name":"node","ok":true,"state":"serving","since":"2026-01-01T00:00:00.000Z","seconds":75}]}"#;
        let expected =
            "http://h:1/readyz: a is not ready: broker away since 2026-01-01T00:00:00.000Z (1m 15s)";
        assert_eq!(judged(503, body).unwrap_err(), expected);
        let well = body.replace("false", "true").replace("away", "up");
        let expected = "a is ready\n  broker  up       for 1m 15s\n  node    serving  for 1m 15s\n";
        assert_eq!(judged(200, &well).unwrap(), expected);
        let partly = well.replace(
            "]}",
            r#"],"partitions":[{"name":"b:1","ok":false,"state":"away","since":"x","seconds":5},
               {"name":"c:1","ok":true,"state":"up","since":"x","seconds":5}]}"#,
        );
        assert_eq!(judged(200, &partly).unwrap(), format!("{expected}  b:1 away since x (5s)\n"));
    }

    #[test]
    fn servers_are_told_where_names_hide_them() {
        let check = |name: &str, ok: bool| {
            let state = if ok { "up" } else { "away" };
            format!(
                r#"{{"name":"{name}","ok":{ok},"state":"{state}","since":"x","seconds":5,"server":"h:1"}}"#
            )
        };
        let answer = |checks: &str, partitions: &str| {
            judged(
                200,
                &format!(r#"{{"ok":true,"node":"a","checks":[{checks}],"partitions":[{partitions}]}}"#),
            )
        };
        let expected = "a is ready\n  broker  up       for 5s on h:1\n";
        assert_eq!(answer(&check("broker", true), "").unwrap(), expected);
        let slots = ["slot-0", "slot-1", "slot-2"].map(|slot| check(slot, slot != "slot-1"));
        let expected = "a is ready\n  servers h:1 (3)\n  slot-1 away since x (5s) on h:1\n";
        assert_eq!(answer("", &slots.join(",")).unwrap(), expected);
        assert_eq!(answer("", &check("h:1", false)).unwrap(), "a is ready\n  h:1 away since x (5s)\n");
    }

    #[test]
    fn another_server_is_judged_by_its_status() {
        assert_eq!(judged(200, "fine").unwrap(), "http://h:1/readyz: 200 OK\n");
        let expected = "http://h:1/readyz: 503 Service Unavailable no server\u{2026}";
        assert_eq!(judged(503, "no server\u{2026}\u{7}\n").unwrap_err(), expected);
        assert_eq!(judged(404, "").unwrap_err(), "http://h:1/readyz: 404 Not Found");
    }
}
