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
    /// From Prometheus' text format.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

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

    /// Those series together that have this name, or `name{label="value",other="value"}`: this name and these labels,
    /// whatever else they have. 0 where there are none.
    #[must_use]
    pub fn sum(&self, series: &str) -> f64 {
        let (name, wanted) = series.split_once('{').unwrap_or((series, "}"));
        let wanted: Vec<_> = wanted.trim_end_matches('}').split(',').collect();
        let value = |line: &str| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            let is_meant = labels.is_empty() || labels.starts_with('{');
            let has = |label: &&str| labels.contains(*label);
            (is_meant && wanted.iter().all(has)).then(|| value.parse::<f64>().ok())?
        };
        self.0.lines().filter_map(value).sum()
    }

    /// What the node said, in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or(&*self.0, |(_, body)| body)
    }

    /// All series: names with their labels, as they stand there.
    #[must_use]
    pub fn series(&self) -> BTreeSet<String> {
        let samples = self.text().lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(|sample| Some(sample.rsplit_once(' ')?.0.to_owned())).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart_by_their_names_and_labels() {
        let text =
            "# HELP a_total 7\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"1\",y=\"3\"} 4\na 10\na_total_b 100\n";
        let metrics = Metrics::new(text.into());
        let sums = ["a_total", "a_total{x=\"1\"}", "a_total{x=\"1\",y=\"3\"}", "a_total{y=\"4\"}", "a", "b"]
            .map(|series| metrics.sum(series));
        assert_eq!(sums, [7.0, 7.0, 4.0, 0.0, 10.0, 0.0]);
    }
}
