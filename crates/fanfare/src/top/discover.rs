//! The list of nodes, from any one of them.
//!
//! Each node lists all nodes. If a node does not answer, another listed node is asked the next time.

use fanfare_gateway::NodeView;
use hyper::StatusCode;
use serde::{Deserialize, de::IgnoredAny};

use crate::ask::{Asker, METRICS_PATH, NoAnswer, Target};

const CLUSTER: &str = "/api/cluster";

/// Why no list was found.
#[derive(Debug, thiserror::Error)]
pub enum Undiscovered {
    /// The node cannot be reached.
    #[error("{0}: {1}")]
    NoAnswer(Target, NoAnswer),
    /// It is another server, or its listener does not serve the list.
    #[error("{0}: {1}: it does not serve the list of nodes")]
    Status(Target, StatusCode),
    /// It is another server.
    #[error("{0}: the answer is not a list of nodes: {1}")]
    NoList(Target, serde_json::Error),
    /// The listener does not tell where metrics are.
    #[error("{0}: this listener does not tell where metrics are: ask one of `metrics.listen`")]
    NoMetrics(Target),
}

/// A node of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its release.
    pub version: String,
    /// The URL of its metrics, if it says.
    pub metrics: Option<Target>,
}

#[derive(Deserialize)]
struct View {
    nodes: Vec<NodeView>,
    /// Present at a listener that serves metrics.
    figures: Option<IgnoredAny>,
}

/// Asks for the list.
pub struct Discover {
    asker: Asker,
    /// The named nodes, then the listed ones.
    sources: Vec<Target>,
    named: usize,
    /// The index of the node that is asked next.
    next: usize,
}

impl Discover {
    /// A search that asks these nodes first; there is at least one.
    #[must_use]
    pub fn new(sources: Vec<Target>, asker: Asker) -> Self {
        let named = sources.len();
        let sources = sources.into_iter().map(|target| target.at(CLUSTER)).collect();
        Self { asker, sources, named, next: 0 }
    }

    /// The list from the first named node that gives it.
    ///
    /// # Errors
    /// All of them fail: the error of the first one.
    pub async fn begin(&mut self) -> Result<Vec<Listed>, Undiscovered> {
        let first = self.look().await;
        let mut found = first;
        for _ in 1..self.named {
            match found {
                Err(error) => found = self.look().await.map_err(|_| error),
                Ok(_) => break,
            }
        }
        found
    }

    /// The list from the node whose turn it is. If it fails, it is another node's turn.
    ///
    /// # Errors
    /// The node does not give the list.
    pub async fn look(&mut self) -> Result<Vec<Listed>, Undiscovered> {
        let Some(source) = self.sources.get(self.next).cloned() else { return Ok(Vec::new()) };
        let found = self.ask(&source).await;
        match &found {
            Ok(nodes) => self.learn(nodes),
            Err(_) => self.next = (self.next + 1) % self.sources.len(),
        }
        found
    }

    /// The node that answered last, or is asked next.
    #[must_use]
    pub fn source(&self) -> Option<&Target> {
        self.sources.get(self.next)
    }

    async fn ask(&self, source: &Target) -> Result<Vec<Listed>, Undiscovered> {
        let answer = self.asker.get(source).await;
        let answer = answer.map_err(|error| Undiscovered::NoAnswer(source.clone(), error))?;
        if answer.status != StatusCode::OK {
            return Err(Undiscovered::Status(source.clone(), answer.status));
        }
        let view: View = serde_json::from_str(&answer.body)
            .map_err(|error| Undiscovered::NoList(source.clone(), error))?;
        if view.figures.is_none() {
            return Err(Undiscovered::NoMetrics(source.clone()));
        }
        Ok(listed(view.nodes, source))
    }

    /// Adds the listed nodes. The turn stays with the same node.
    fn learn(&mut self, nodes: &[Listed]) {
        let Some(current) = self.sources.get(self.next).cloned() else { return };
        self.sources.truncate(self.named);
        for target in nodes.iter().filter_map(|node| node.metrics.as_ref()).map(|target| target.at(CLUSTER)) {
            if !self.sources.contains(&target) {
                self.sources.push(target);
            }
        }
        match self.sources.iter().position(|source| *source == current) {
            Some(at) => self.next = at,
            None => self.sources.insert(self.next.min(self.sources.len()), current),
        }
    }
}

/// One entry for each address of metrics: a killed node is listed beside its successor for a while.
fn listed(nodes: Vec<NodeView>, source: &Target) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let told = node.metrics.and_then(|text| Target::parse(&text, METRICS_PATH).ok());
        // A node that does not say is asked where it answered.
        let metrics = told.or_else(|| node.is_self.then(|| source.at(METRICS_PATH)));
        if metrics.is_none() || !all.iter().any(|other| other.metrics == metrics) {
            all.push(Listed { name: printable(&node.name), version: printable(&node.version), metrics });
        }
    }
    all
}

/// The text without characters that steer a terminal: it comes from another process.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn view(name: &str, metrics: Option<&str>, is_self: bool) -> NodeView {
        let metrics = metrics.map(Into::into);
        NodeView { name: name.into(), version: "1".into(), connections: 0, metrics, is_self }
    }

    fn target(text: &str) -> Target {
        Target::parse(text, METRICS_PATH).unwrap()
    }

    #[test]
    fn each_address_is_listed_as_one_node() {
        let all = vec![
            view("a", Some("http://h:1/metrics"), false),
            view("a-restarted", Some("http://h:1/metrics"), false),
            view("b\u{1b}[2J", None, true),
            view("c", None, false),
            view("d", Some("nonsense://"), false),
        ];
        let found = listed(all, &target("http://h:9/api/cluster"));
        let found: Vec<_> = found.iter().map(|node| (node.name.as_str(), node.metrics.clone())).collect();
        let expected = [("a", Some(target("h:1"))), ("b?[2J", Some(target("h:9"))), ("c", None), ("d", None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn listed_nodes_are_asked_in_turn() {
        let mut discover = Discover::new(vec![target("h:9")], Asker::new(Duration::ZERO));
        let nodes: Vec<_> = [1, 2]
            .map(|port| Listed {
                name: String::new(),
                version: String::new(),
                metrics: Some(target(&format!("h:{port}"))),
            })
            .into();
        discover.learn(&nodes);
        let sources: Vec<_> = discover.sources.iter().map(ToString::to_string).collect();
        assert_eq!(sources, ["http://h:9/api/cluster", "http://h:1/api/cluster", "http://h:2/api/cluster"]);
        discover.next = 2;
        discover.learn(&nodes[..1]);
        assert_eq!(discover.source().unwrap().to_string(), "http://h:2/api/cluster", "it answered: it stays");
        assert_eq!(discover.sources.len(), 3);
    }
}
