//! The performance figures in the documents are the measured ones: the page follows from its JSON, and other documents
//! quote those figures.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::{fs, path::PathBuf};

use fanfare_swarm::{
    report::{self, ReportArgs},
    suite::Case,
};

/// The relation of a quoted figure to the measured ones.
enum Follows {
    /// The measured figure, as exact as the digits, and at most 3 % off.
    Is,
    /// The measured figure, rounded up.
    RoundedUp,
    /// Two figures, with all measured ones between them.
    Range,
}
use Follows::{Is, Range, RoundedUp};

/// A place in a document, with `{}` for each figure; the measured figures, as `case | row | column`; a factor between the
/// units.
type Quote = (&'static str, &'static str, Follows, f64, &'static [&'static str]);

const PAGE: &str = "docs/performance.md";
const CAPACITY: &str = "docs/capacity.md";
const OPERATIONS: &str = "docs/operations.md";
const KUBERNETES: &str = "k8s/README.md";

const PER_KIB: f64 = 1.0 / 1024.0;
const LARGE: &[&str] = &[
    "fanout | 100, 1 | fanfare",
    "fanout | 1,000, 1 | fanfare",
    "fanout | 9,900, 1 | fanfare",
    "fanout | delivery, 1,000 × 20/s through Redis | measured",
];
const SHARED: &[&str] =
    &["fanout | 100, 16 | fanfare", "fanout | 1,000, 16 | fanfare", "fanout | 9,900, 16 | fanfare"];
const SMALL: &[&str] = &[
    "rooms | 200 × 10 × 5/s, 1 | µs/delivery",
    "rooms | 200 × 10 × 25/s, 1 | µs/delivery",
    "rooms | 200 × 10 × 5/s, 2 | µs/delivery",
    "rooms | 200 × 10 × 50/s, 2 | µs/delivery",
];
const HEARTBEATS: &[&str] = &["idle | heartbeats of 10,000 | measured"];
const UPGRADE: &[&str] = &["storm | accept, upgrade, subscribe | measured"];
const IDLE: &[&str] = &["idle | user memory per idle connection | measured"];
const IDLE_TLS: &[&str] = &["costs | plain, {} B with TLS"];
const STORM: &[&str] = &["storm | user memory right after | fanfare"];
const CARRIED: &[&str] = &["publish | with nothing lost: {} publishes a second"];

#[rustfmt::skip]
const QUOTES: &[Quote] = &[
    (PAGE, "in a channel of 1,000 | {} µs", Is, 1.0, &["fanout | 1,000, 1 | fanfare"]),
    (PAGE, "in a channel of 1,000 | 3.93 µs | {} µs", Is, 1.0, &["fanout | 1,000, 1 | floor"]),
    (PAGE, "where sixteen messages are under way | {} µs", Is, 1.0, &["fanout | 1,000, 16 | fanfare"]),
    (PAGE, "under way | 0.226 µs | {} µs", Is, 1.0, &["fanout | 1,000, 16 | floor"]),
    (PAGE, "through Redis, 20 messages a second | {} µs", Is, 1.0, &["fanout | delivery, 1,000 × 20/s through Redis | measured"]),
    (PAGE, "20 messages a second | 5.60 µs | {} µs", Is, 1.0, &["fanout | delivery, 1,000 × 20/s through Redis | floor"]),
    (PAGE, "5 messages a second in each | {} µs", Is, 1.0, &["rooms | 200 × 10 × 5/s, 1 | µs/delivery"]),
    (PAGE, "in each | 15.6 µs | {} µs, a bare relay", Is, 1.0, &["rooms | 200 × 10 × 5/s, 1 | bare relay µs/delivery"]),
    (PAGE, "deliveries a second from one core, nothing lost | {}", Is, 1.0, &["overload | 4,000 | deliveries/s"]),
    (PAGE, "through Redis from one core, nothing lost | {}", Is, 1.0, CARRIED),
    (PAGE, "memory of an idle connection | {} B", Is, 1.0, IDLE),
    (PAGE, "| the same with TLS | {} B", Is, 1.0, IDLE_TLS),
    (PAGE, "of 10,000 idle connections | {} % of a core", Is, 1.0, HEARTBEATS),
    (PAGE, "idle connections | 0.593 % of a core | {} %", Is, 1.0, &["idle | heartbeats of 10,000 | floor"]),
    (PAGE, "CPU to accept, upgrade and subscribe | {} µs", Is, 1.0, UPGRADE),
    (PAGE, "upgrade and subscribe | 36.0 µs | {} µs", Is, 1.0, &["storm | accept, upgrade, subscribe | floor"]),
    (PAGE, "connect at once: all are in after | {} s", Is, 1.0, &["storm | all connected after | fanfare"]),
    (PAGE, "are in after | 0.559 s | {} s", Is, 1.0, &["storm | all connected after | floor"]),
    (CAPACITY, "| user memory, idle | {} KiB", RoundedUp, PER_KIB, IDLE),
    (CAPACITY, "| the same with TLS | {} KiB", RoundedUp, PER_KIB, IDLE_TLS),
    (CAPACITY, "and a few seconds more | {} KB", Is, 1e-3, STORM),
    (CAPACITY, "CPU of heartbeats, for 10,000 connections | {} %", Is, 1.0, HEARTBEATS),
    (CAPACITY, "| CPU to accept, upgrade, subscribe | {} µs", RoundedUp, 1.0, UPGRADE),
    (CAPACITY, "each a write of its own | {} to {} µs", Range, 1.0, LARGE),
    (CAPACITY, "where sixteen share a write | {} to {} µs", Range, 1.0, SHARED),
    (CAPACITY, "on one node or two | {} to {} µs", Range, 1.0, SMALL),
    (CAPACITY, "the most that was carried was {} a second", Is, 1.0, CARRIED),
    (CAPACITY, "| heartbeats | C / 10,000 × {} % |", Is, 1.0, HEARTBEATS),
    // A million connections: a hundred times 10,000, in cores.
    (CAPACITY, "| heartbeats | C / 10,000 × 0.59 % | {} cores", Is, 1.0, HEARTBEATS),
    (CAPACITY, "30,000 × ({} + 5) KiB + 10 MiB | 297 MiB", RoundedUp, PER_KIB, IDLE_TLS),
    (CAPACITY, "50,000 × ({} KB + 5 KiB)", Is, 1e-3, STORM),
    (CAPACITY, "A million idle connections cost {} cores", Is, 1.0, HEARTBEATS),
    (CAPACITY, "| of it heartbeats | {} |", Is, 1.0, HEARTBEATS),
    (CAPACITY, "come back within 10 s, all nodes | 3,000/s × {} µs", RoundedUp, 1.0, UPGRADE),
    (OPERATIONS, "deliveries/s × {} to {} µs in large channels", Range, 1.0, LARGE),
    (OPERATIONS, "× {} to {} µs in small ones", Range, 1.0, SMALL),
    (OPERATIONS, "small ones, and {} % of a core for the heartbeats of 10,000", Is, 1.0, HEARTBEATS),
    (OPERATIONS, "comes back costs the other nodes {} µs of CPU", RoundedUp, 1.0, UPGRADE),
    (KUBERNETES, "connect at once take {} KB each for some seconds", Is, 1e-3, STORM),
    (KUBERNETES, "for some seconds, {} KB later", Is, 1e-3, &["storm | user memory after 10 s | fanfare"]),
    (KUBERNETES, "(../docs/performance.md#storm)): {} GB", RoundedUp, 50_000.0 / 1e9, STORM),
];

#[test]
fn quoted_figures_are_the_measured_ones() {
    let mut wrong = Vec::new();
    for (file, place, follows, factor, measured) in QUOTES {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let measured: Vec<_> = measured.iter().map(|path| figure(path) * factor).collect();
        match quoted(&text, place) {
            Some(figures) if is_right(follows, &figures, &measured) => {}
            Some(figures) => {
                wrong.push(format!("{file}: {place:?} says {figures:?}; measured: {measured:?}"))
            }
            None => wrong.push(format!("{file} does not say {place:?} once")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_follows_from_its_json() {
    let (shipped, made) = (root().join("docs"), tempfile::tempdir().unwrap());
    let page = made.path().join("performance.md");
    fs::copy(shipped.join("performance.md"), &page).unwrap();
    let files = files("json");
    assert_eq!(files.len(), 9, "{files:?}");
    report::run(&ReportArgs { files, page }).unwrap();
    let advice = "swarm report docs/performance/*.json";
    for file in ["performance.md".into()].into_iter().chain(files_in_docs()) {
        let read = |folder: &std::path::Path| fs::read_to_string(folder.join(&file)).unwrap_or_default();
        assert_eq!(read(made.path()), read(&shipped), "{}: {advice}", file.display());
    }
}

#[test]
fn a_stale_figure_is_found() {
    assert_eq!(quoted("a | 3 to 5 µs, b 1,000", "a | {} to {} µs"), Some(vec!["3".into(), "5".into()]));
    assert_eq!(quoted("b 7 and b 8", "b {}"), None, "which of the two?");
    let is = |follows, quoted: &[&str], measured: &[f64]| {
        is_right(&follows, &quoted.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), measured)
    };
    assert!(is(Is, &["0.62"], &[0.619]) && is(Is, &["190,000"], &[191_036.0]) && is(Is, &["1.0"], &[0.995]));
    assert!(!is(Is, &["0.56"], &[0.619]) && !is(Is, &["200,000"], &[191_036.0]));
    assert!(
        is(RoundedUp, &["40"], &[36.0])
            && !is(RoundedUp, &["35"], &[36.0])
            && !is(RoundedUp, &["60"], &[36.0])
    );
    assert!(is(Range, &["4", "6"], &[3.93, 5.79]) && !is(Range, &["3", "5"], &[3.93, 5.79]));
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Files beside the page, by their extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/performance")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|its| its == extension)).collect()
}

fn files_in_docs() -> Vec<PathBuf> {
    let names = files("json").into_iter().chain(files("svg"));
    names.map(|file| PathBuf::from("performance").join(file.file_name().unwrap())).collect()
}

/// The figures at a place, if the document has the place once.
fn quoted(text: &str, place: &str) -> Option<Vec<String>> {
    let (before, rest) = place.split_once("{}")?;
    let mut found = text.match_indices(before).filter_map(|(at, _)| {
        let (figure, mut text) = leading(text.get(at + before.len()..)?)?;
        let mut figures = vec![figure];
        let mut parts = rest.split("{}");
        text = text.strip_prefix(parts.next()?)?;
        for part in parts {
            let (figure, after) = leading(text)?;
            figures.push(figure);
            text = after.strip_prefix(part)?;
        }
        Some(figures)
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The figure at the beginning of a text, and the rest.
fn leading(text: &str) -> Option<(String, &str)> {
    let end = text.find(|digit: char| !digit.is_ascii_digit() && digit != '.' && digit != ',');
    let figure = text.get(..end.unwrap_or(text.len()))?.trim_end_matches(['.', ',']);
    (!figure.is_empty()).then(|| (figure.to_owned(), text.get(figure.len()..).unwrap_or_default()))
}

fn number(text: &str) -> f64 {
    let first = text.split_whitespace().next().unwrap_or_default().replace(',', "");
    first.parse().unwrap_or_else(|_| panic!("{text:?} is not a figure"))
}

/// A measured figure: `case | row | column`, a row by its first cells; or `case | words with {}` from the case's text.
fn figure(path: &str) -> f64 {
    let mut parts = path.split(" | ");
    let (case, row) = (parts.next().unwrap(), parts.next().unwrap());
    let file = root().join(format!("docs/performance/{case}.json"));
    let case: Case = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let Some(column) = parts.next() else {
        let found =
            quoted(&case.about, row).unwrap_or_else(|| panic!("{path}: the case's text does not have this"));
        return number(&found.concat());
    };
    if let Some(judged) = case.judged.iter().find(|judged| judged.what == row) {
        let floor = (column == "floor").then_some(judged.floor).flatten();
        return floor.unwrap_or(judged.figure);
    }
    let (head, rows) = case.grid.rows.split_first().unwrap();
    let column =
        head.iter().position(|name| name == column).unwrap_or_else(|| panic!("{path}: no such column"));
    let cells = rows.iter().find(|cells| format!("{}, ", cells.join(", ")).starts_with(&format!("{row}, ")));
    number(cells.and_then(|cells| cells.get(column)).unwrap_or_else(|| panic!("{path}: no such row")))
}

fn is_right(follows: &Follows, quoted: &[String], measured: &[f64]) -> bool {
    let figures: Vec<_> = quoted.iter().map(|text| number(text)).collect();
    let (least, most) =
        (measured.iter().copied().fold(f64::MAX, f64::min), measured.iter().copied().fold(0.0, f64::max));
    match (follows, figures.as_slice(), quoted) {
        (Is, [figure], [text]) => (figure - most).abs() <= (0.501 * place_value(text)).min(0.03 * most),
        (RoundedUp, [figure], _) => (most..=1.35 * most).contains(figure),
        // A little outside is right, because digits are few.
        (Range, [low, high], _) => {
            (least / 1.5..=1.05 * least).contains(low) && (0.95 * most..=1.5 * most).contains(high)
        }
        _ => false,
    }
}

/// The value of the last significant digit: 10,000 in 190,000, and 0.01 in 0.62.
fn place_value(text: &str) -> f64 {
    let digits = text.replace(',', "");
    match digits.split_once('.') {
        Some((_, decimals)) => 10_f64.powf(-(decimals.len() as f64)),
        None => 10_f64.powf((digits.len() - digits.trim_end_matches('0').len()) as f64),
    }
}
