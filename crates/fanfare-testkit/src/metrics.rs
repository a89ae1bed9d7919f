//! The metrics of a node in Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

/// The metrics of a node at one moment.
#[derive(Debug, Clone)]
pub struct Metrics(String);

/// The description of all series of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The help sentence.
    pub help: String,
    /// The names of its labels, without a histogram's `le`.
    pub labels: BTreeSet<String>,
}

impl Metrics {
    /// Metrics in Prometheus' text format.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum of the series with this name, or with `name{label="value",other="value"}`: this name and these labels. 0
    /// without such series.
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

    /// The text, in Prometheus' format.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// All series: names with their labels.
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
                // The family's series follow.
                name = of.to_owned();
            } else if let (Some(family), Some((_, labels))) = (families.get_mut(&name), line.split_once('{'))
            {
                // The values of our labels have no quotes.
                let names = labels.split('"').step_by(2).filter_map(|part| part.strip_suffix('='));
                family.labels.extend(names.map(|name| name.trim_start_matches(',').to_owned()));
            }
        }
        families.values_mut().for_each(|family| family.labels.retain(|label| label != "le"));
        families
    }
}

/// `fanfare_connections_closed_total` for a reason.
#[must_use]
pub fn closed(reason: &str) -> String {
    format!("fanfare_connections_closed_total{{reason=\"{reason}\"}}")
}

/// `fanfare_limits_hit_total` for a limit.
#[must_use]
pub fn hit(limit: &str) -> String {
    format!("fanfare_limits_hit_total{{limit=\"{limit}\"}}")
}

/// `fanfare_http_errors_total` for a kind.
#[must_use]
pub fn http_error(kind: &str) -> String {
    format!("fanfare_http_errors_total{{kind=\"{kind}\"}}")
}

/// `fanfare_handshakes_refused_total` for a reason.
#[must_use]
pub fn refused(reason: &str) -> String {
    format!("fanfare_handshakes_refused_total{{reason=\"{reason}\"}}")
}

/// `fanfare_api_errors_total` for a reason.
#[must_use]
pub fn api_error(reason: &str) -> String {
    format!("fanfare_api_errors_total{{reason=\"{reason}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_match_by_name_and_labels() {
        let text =
            "# HELP a_total 7\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"1\",y=\"3\"} 4\na 10\na_total_b 100\n";
        let metrics = Metrics::new(text.into());
        let sums = ["a_total", "a_total{x=\"1\"}", "a_total{x=\"1\",y=\"3\"}", "a_total{y=\"4\"}", "a", "b"]
            .map(|series| metrics.sum(series));
        assert_eq!(sums, [7.0, 7.0, 4.0, 0.0, 10.0, 0.0]);
    }
}
