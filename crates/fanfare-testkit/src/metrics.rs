//! What a node counts, read by a look that does not mind where there is no node.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Endpoint;

/// A node's metrics, at one moment.
#[derive(Debug, Clone)]
pub struct Metrics(String);

/// What a node says of all series of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it is, in a sentence.
    pub help: String,
    /// The names of its labels, but for a histogram's `le`.
    pub labels: BTreeSet<String>,
}

impl Metrics {
    /// Asks a node.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn of(node: Endpoint) -> io::Result<Self> {
        let mut stream = TcpStream::connect(node.address()).await?;
        let host = node.address();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(Self(answer))
    }

    /// All series of this name together.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        self.0.lines().filter_map(value).sum()
    }

    /// What the node said, in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or(&*self.0, |(_, body)| body)
    }

    /// All metrics that have series, by name.
    #[must_use]
    pub fn families(&self) -> BTreeMap<String, Family> {
        let mut families = BTreeMap::<String, Family>::new();
        let mut name = String::new();
        for line in self.text().lines() {
            if let Some((of, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                families.entry(of.to_owned()).or_default().help = help.to_owned();
            } else if let Some((of, kind)) =
                line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
            {
                families.entry(of.to_owned()).or_default().kind = kind.to_owned();
                // Its series follow.
                name = of.to_owned();
            } else if let (Some(family), Some((_, labels))) = (families.get_mut(&name), line.split_once('{'))
            {
                // No value of a label of ours has a quote in it.
                let names = labels.split('"').step_by(2).filter_map(|part| part.strip_suffix('='));
                family.labels.extend(names.map(|name| name.trim_start_matches(',').to_owned()));
            }
        }
        families.values_mut().for_each(|family| family.labels.retain(|label| label != "le"));
        families
    }
}
