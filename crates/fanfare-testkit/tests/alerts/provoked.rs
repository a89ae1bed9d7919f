//! What provokes alerts, and waits for them.

pub(crate) mod group;

use std::time::{Duration, Instant};

use fanfare_testkit::{Endpoint, Prometheus, assert_eventually};

/// Alerts that are about to be provoked. How long one takes to be noticed is told, and not asserted.
pub(crate) struct Provoked {
    pub(crate) prometheus: Prometheus,
    began: Instant,
}

impl Provoked {
    /// Watches these nodes; returns once it knows all of them, and none of these alerts fires.
    pub(crate) async fn watch(nodes: &[Endpoint], alerts: &[&str]) -> Self {
        let prometheus = Prometheus::start_impatient(nodes).await;
        let count = nodes.len() as f64;
        prometheus.comes_to("count(up{job='fanfare'} == 1)", |up| up >= count).await;
        for alert in alerts {
            // Before the first scrape no node was there, which is one of the faults.
            let mut firing;
            assert_eventually!(
                {
                    firing = prometheus.firing(alert).await;
                    firing.is_empty()
                },
                "{alert} fires before anything is wrong: {firing:?}"
            );
        }
        Self { prometheus, began: Instant::now() }
    }

    /// What is wrong begins now.
    pub(crate) fn begins(&mut self) {
        self.began = Instant::now();
    }

    /// Returns once an alert fires, for these nodes and no others.
    pub(crate) async fn fires(&self, alert: &str, nodes: &[Endpoint]) {
        let nodes: Vec<_> = nodes.iter().map(|node| node.address().to_string()).collect();
        let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
        self.fires_for(alert, "instance", &nodes).await;
    }

    /// Returns once an alert fires for these values of a label, and no others.
    pub(crate) async fn fires_for(&self, alert: &str, label: &str, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let mut found: Vec<String>;
        assert_eventually!(
            {
                let firing = self.prometheus.firing(alert).await;
                found = firing
                    .iter()
                    .filter_map(|labels| Some(labels.get(label)?.as_str()?.to_owned()))
                    .collect();
                found.sort_unstable();
                found.dedup();
                found == expected
            },
            "{alert} fires for {expected:?}, not {found:?}"
        );
    }

    /// Returns once it fires no more; tells how long both took.
    pub(crate) async fn is_over(&self, alert: &str, by: &str, fired: Duration) {
        let mended = Instant::now();
        assert_eventually!(self.prometheus.firing(alert).await.is_empty(), "{alert} is over");
        tell(alert, by, Some(fired), Some(mended.elapsed()));
    }

    /// How long ago it began.
    pub(crate) fn lasts(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Writes a row of the table that `make alerts` makes.
#[expect(clippy::print_stdout, reason = "it is what the test is run for")]
pub(crate) fn tell(alert: &str, by: &str, fired: Option<Duration>, over: Option<Duration>) {
    let seconds =
        |time: Option<Duration>| time.map_or("-".into(), |time| format!("{:.1} s", time.as_secs_f64()));
    println!("ALERT {alert} | {by} | {} | {}", seconds(fired), seconds(over));
}
