//! The most lines that each place in the program logs in a second.
//!
//! Clients cause log lines at will, and could fill a disk. So every place is bounded, whatever causes its lines.
//!
//! Invariants
//! - Each place (a callsite) logs at most this many lines in a second. Further lines are counted, and reported within
//!   about a second in one line.
//! - A line is either logged, or counted in `fanfare_log_lines_suppressed_total`.
//! - The number of places is that of the program's lines that log: nothing here grows.

use std::{
    collections::HashMap,
    fmt,
    mem::take,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use prometheus::{IntCounter, Registry};
use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::layer::{Context, Filter};

use super::counter::counter;

const SECOND: Duration = Duration::from_secs(1);

/// The target of the reports, which are not bounded.
const TARGET: &str = "fanfare::log";

static SUPPRESSED: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "fanfare_log_lines_suppressed_total",
        "Lines that were not logged, since their place in the program had logged log.lines_per_second already",
    )
});

/// Registers the counter of suppressed lines.
///
/// # Errors
/// The name is registered already.
pub fn register(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(SUPPRESSED.clone()))
}

/// The places that logged, and how much.
#[derive(Debug)]
pub struct Rates {
    per_second: AtomicUsize,
    places: Mutex<HashMap<Identifier, Place>>,
}

/// One place in the program.
#[derive(Debug)]
struct Place {
    /// The start of the second that is counted.
    began: Instant,
    lines: usize,
    missing: Missing,
}

/// Lines of one place that were not logged.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Missing {
    lines: u64,
    /// The message of the first.
    message: String,
}

impl Rates {
    /// At most this many lines in a second from each place; 0 is any number.
    #[must_use]
    pub fn new(per_second: usize) -> Arc<Self> {
        Arc::new(Self { per_second: AtomicUsize::new(per_second), places: Mutex::default() })
    }

    /// Changes the number.
    pub fn set(&self, per_second: usize) {
        self.per_second.store(per_second, Ordering::Relaxed);
    }

    /// Whether a place may log now.
    fn admits(&self, place: Identifier, now: Instant, message: impl FnOnce() -> String) -> bool {
        let per_second = self.per_second.load(Ordering::Relaxed);
        if per_second == 0 {
            return true;
        }
        let mut places = self.places.lock();
        let place = places.entry(place).or_insert_with(|| Place {
            began: now,
            lines: 0,
            missing: Missing::default(),
        });
        if now.saturating_duration_since(place.began) >= SECOND {
            (place.began, place.lines) = (now, 0);
        }
        place.lines += 1;
        if place.lines <= per_second {
            return true;
        }
        if place.missing.lines == 0 {
            place.missing.message = message();
        }
        place.missing.lines += 1;
        SUPPRESSED.inc();
        false
    }

    /// The lines that were not logged since the last call.
    fn missing(&self) -> Vec<Missing> {
        let mut places = self.places.lock();
        places
            .values_mut()
            .map(|place| take(&mut place.missing))
            .filter(|missing| missing.lines > 0)
            .collect()
    }

    /// Logs how many lines were not logged since the last call.
    pub fn say(&self) {
        for Missing { lines, message } in self.missing() {
            tracing::warn!(
                target: TARGET,
                lines,
                like = message,
                "more lines like this were not logged (log.lines_per_second)"
            );
        }
    }
}

/// The rates as a filter.
#[derive(Debug, Clone)]
pub struct Bounded(pub Arc<Rates>);

impl<S: Subscriber> Filter<S> for Bounded {
    fn enabled(&self, _place: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(Level::TRACE))
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        let place = event.metadata();
        place.target() == TARGET || self.0.admits(place.callsite(), Instant::now(), || message(event))
    }
}

fn message(event: &Event<'_>) -> String {
    let mut message = Message(String::new());
    event.record(&mut message);
    message.0
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Callsite, subscriber::Interest};
    use tracing_subscriber::{Layer, layer::SubscriberExt};

    use super::*;

    struct Somewhere;

    impl Callsite for Somewhere {
        fn set_interest(&self, _interest: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }

    static HERE: Somewhere = Somewhere;
    static THERE: (u8, Somewhere) = (0, Somewhere);

    fn admitted(rates: &Rates, place: &'static dyn Callsite, now: Instant, lines: usize) -> usize {
        (0..lines).filter(|number| rates.admits(Identifier(place), now, || number.to_string())).count()
    }

    #[test]
    fn each_place_has_its_own_rate() {
        let (rates, now) = (Rates::new(5), Instant::now());
        assert_eq!(admitted(&rates, &HERE, now, 5), 5);
        assert_eq!(rates.missing(), []);
        assert_eq!(admitted(&rates, &HERE, now + SECOND / 2, 7), 0);
        assert_eq!(admitted(&rates, &THERE.1, now + SECOND / 2, 3), 3, "another place has its own");
        assert_eq!(rates.missing(), [Missing { lines: 7, message: "0".into() }]);
        assert_eq!(rates.missing(), []);
        assert_eq!(admitted(&rates, &HERE, now + SECOND, 6), 5, "the next second");
        assert_eq!(rates.missing(), [Missing { lines: 1, message: "5".into() }]);
        assert_eq!(admitted(&Rates::new(0), &HERE, now, 1000), 1000, "no bound");
    }

    /// Keeps the logged lines.
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            self.0.lock().push(message(event));
        }
    }

    #[test]
    fn a_line_is_logged_or_counted_as_missing() {
        let (rates, kept) = (Rates::new(3), Arc::new(Mutex::default()));
        let log =
            tracing_subscriber::registry().with(Kept(Arc::clone(&kept)).with_filter(Bounded(rates.clone())));
        tracing::subscriber::with_default(log, || {
            for number in 0..100 {
                tracing::info!(number, "it happened");
            }
            let missing: u64 = rates.missing().iter().map(|missing| missing.lines).sum();
            assert_eq!(kept.lock().len() as u64 + missing, 100);
            // Some of these places have no missing line, and are not reported.
            for number in 0..100 {
                tracing::info!(number, "it happened again");
            }
            rates.say();
            rates.say();
        });
        let kept = kept.lock();
        let said = kept.iter().filter(|line| line.contains("were not logged")).count();
        assert_eq!(said, 1, "{kept:?}");
    }
}
