//! Which nodes there are, from any one of them.
//!
//! A node that is asked lists all. Where it does not answer, another that was listed is asked the next time: who was
//! named first may be the one that is away.

use fanfare_gateway::NodeView;
use hyper::StatusCode;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    advertise::METRICS,
    ask::{Asker, NoAnswer, Target},
};

const CLUSTER: &str = "/api/cluster";

/// Why nobody said which nodes there are.
#[derive(Debug, thiserror::Error)]
pub enum Undiscovered {
    /// It cannot be reached.
    #[error("{0}: {1}")]
    NoAnswer(Target, NoAnswer),
    /// It is no node, or its listener does not serve the list.
    #[error("{0}: {1}: no list of nodes is there")]
    Status(Target, StatusCode),
    /// It is no node.
    #[error("{0}: the answer is no list of nodes: {1}")]
    NoList(Target, serde_json::Error),
    /// It does not say where metrics are.
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
    /// Where its metrics are, if it says.
    pub metrics: Option<Target>,
}

#[derive(Deserialize)]
struct View {
    nodes: Vec<NodeView>,
    /// There where metrics are served.
    figures: Option<IgnoredAny>,
}

/// Asks for the list.
pub struct Discover {
    asker: Asker,
    /// Those that were named, then those that were listed.
    sources: Vec<Target>,
    named: usize,
    /// The one that is asked next.
    next: usize,
}

impl Discover {
    /// Asks these, of which there is at least one.
    #[must_use]
    pub fn new(sources: Vec<Target>, asker: Asker) -> Self {
        let named = sources.len();
        let sources = sources.into_iter().map(|target| target.at(CLUSTER)).collect();
        Self { asker, sources, named, next: 0 }
    }

    /// The list from the first of the named ones that gives it.
    ///
    /// # Errors
    /// None of them does: what the first one said.
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

    /// The list from the one whose turn it is. Where it fails it is another's turn.
    ///
    /// # Errors
    /// It does not give it.
    pub async fn look(&mut self) -> Result<Vec<Listed>, Undiscovered> {
        let Some(source) = self.sources.get(self.next).cloned() else { return Ok(Vec::new()) };
        let found = self.ask(&source).await;
        match &found {
            Ok(nodes) => self.learn(nodes),
            Err(_) => self.next = (self.next + 1) % self.sources.len(),
        }
        found
    }

    /// Who was asked last with success, or is asked next.
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

    /// Who is asked stays the one whose turn it is.
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

/// One for each place where there are metrics: a node that was killed is listed beside its successor for a while.
fn listed(nodes: Vec<NodeView>, source: &Target) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let told = node.metrics.and_then(|text| Target::parse(&text, METRICS).ok());
        // Of one that does not say, this is where it is.
        let metrics = told.or_else(|| node.is_self.then(|| source.at(METRICS)));
        if metrics.is_none() || !all.iter().any(|other| other.metrics == metrics) {
            all.push(Listed { name: printable(&node.name), version: printable(&node.version), metrics });
        }
    }
    all
}

/// What other processes say of themselves reaches a terminal: nothing in it may steer that.
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
        Target::parse(text, METRICS).unwrap()
    }

    #[test]
    fn each_place_is_one_node_and_a_node_that_does_not_say_is_where_it_answered() {
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
    fn whoever_was_listed_is_asked_when_the_one_before_does_not_answer() {
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
