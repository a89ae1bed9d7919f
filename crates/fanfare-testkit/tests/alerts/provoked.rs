//! The watch on alerts while a test provokes them.

use std::time::{Duration, Instant};

use fanfare_testkit::{Endpoint, Prometheus, assert_eventually};

/// Alerts that a test is about to provoke. The time until they fire is printed, not asserted.
pub(crate) struct Provoked {
    pub(crate) prometheus: Prometheus,
    began: Instant,
}

impl Provoked {
    /// Watches these nodes. Returns once Prometheus knows all of them, and none of these alerts fires.
    pub(crate) async fn watch(nodes: &[Endpoint], alerts: &[&str]) -> Self {
        let prometheus = Prometheus::start_quick(nodes).await;
        let count = nodes.len() as f64;
        prometheus.comes_to("count(up{job='fanfare'} == 1)", |up| up >= count).await;
        for alert in alerts {
            // Before the first scrape no node is known, which is a fault.
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

    /// Begins the fault now.
    pub(crate) fn begins(&mut self) {
        self.began = Instant::now();
    }

    /// Waits until an alert fires, for exactly these nodes.
    pub(crate) async fn fires(&self, alert: &str, nodes: &[Endpoint]) {
        let nodes: Vec<_> = nodes.iter().map(|node| node.address().to_string()).collect();
        let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
        self.fires_for(alert, "instance", &nodes).await;
    }

    /// Waits until an alert fires for exactly these values of a label.
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

    /// Waits until an alert ends, and prints both times.
    pub(crate) async fn is_over(&self, alert: &str, by: &str, fired: Duration) {
        let mended = Instant::now();
        assert_eventually!(self.prometheus.firing(alert).await.is_empty(), "{alert} is over");
        tell(alert, by, Some(fired), Some(mended.elapsed()));
    }

    /// The time since the fault began.
    pub(crate) fn lasts(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Prints a row of the table of `make alerts`.
#[expect(clippy::print_stdout, reason = "the row is the result of the test")]
pub(crate) fn tell(alert: &str, by: &str, fired: Option<Duration>, over: Option<Duration>) {
    let seconds =
        |time: Option<Duration>| time.map_or("-".into(), |time| format!("{:.1} s", time.as_secs_f64()));
    println!("ALERT {alert} | {by} | {} | {}", seconds(fired), seconds(over));
}
