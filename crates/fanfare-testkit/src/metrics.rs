//! What a node counts, read by a look that does not mind where there is no node.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Endpoint;

/// A node's metrics, at one moment.
#[derive(Debug, Clone)]
pub struct Metrics(String);

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
