//! The rows as a table, for a screen of any size.
//!
//! Invariant: the lines fit the screen, in width and in number. Without enough room, columns of less interest are left
//! out first, then rows; the total stays.

use std::time::{Instant, SystemTime};

use fanfare_core::broker::BrokerState;
use fanfare_metrics::prometheus_text::{Quantiles, Rates, Sample};

use super::{
    board::{Board, Reading, Row, State},
    numbers,
};

/// The size of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// The look of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Plain.
    Plain,
    /// Less interesting.
    Dim,
    /// More interesting.
    Bold,
    /// Something will pass.
    Notice,
    /// Something is wrong.
    Alarm,
}

/// A line: pieces of text, each with its look.
pub type Line = Vec<(Look, String)>;

/// The text of an unknown value.
const NOTHING: &str = "–";

const GAP: usize = 2;

/// The least width of the names.
const NAME: usize = 8;

/// A column beside the names.
struct Column {
    head: &'static str,
    /// Columns with higher numbers are left out first; 0 is never left out.
    spare: u8,
    /// Whether it is aligned left, as words are; numbers are aligned right.
    left: bool,
}

const fn column(head: &'static str, spare: u8) -> Column {
    Column { head, spare, left: false }
}

const COLUMNS: [Column; 9] = [
    column("CONNECTIONS", 0),
    column("DELIVERIES/S", 1),
    column("MESSAGES IN/S", 5),
    column("RELAY P50", 4),
    column("RELAY P99", 2),
    column("QUEUED", 3),
    Column { head: "BROKER", spare: 0, left: true },
    column("UP", 6),
    Column { head: "VERSION", spare: 7, left: true },
];

/// A row, before its width is known.
enum Cells {
    Figures {
        name: String,
        cells: Vec<(Look, String)>,
    },
    /// Words in place of figures.
    Words {
        name: String,
        look: Look,
        words: String,
    },
}

/// The lines of a screen.
#[must_use]
pub fn screen(board: &Board, size: Size) -> Vec<Line> {
    let mut lines = vec![head(board), Vec::new()];
    if let Some(trouble) = &board.trouble {
        lines.insert(1, vec![(Look::Notice, format!("The list of nodes may be old: {trouble}"))]);
    }
    let room = size.height.saturating_sub(lines.len());
    lines.extend(table(board, size.width, room));
    lines.truncate(size.height);
    lines.into_iter().map(|line| cut(line, size.width)).collect()
}

/// The table alone, without looks, for output that is not a screen.
#[must_use]
pub fn plain(board: &Board, width: usize) -> String {
    let mut text = String::new();
    for line in table(board, width, usize::MAX) {
        let line: String = cut(line, width).into_iter().map(|(_, piece)| piece).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn head(board: &Board) -> Line {
    let total = board.total();
    let nodes = board.rows.len();
    let mut line = vec![
        (Look::Bold, "fanfare top".to_owned()),
        (Look::Plain, format!("  {nodes} node{}", if nodes == 1 { "" } else { "s" })),
    ];
    if total.away > 0 {
        line.push((Look::Alarm, format!(", {} away", total.away)));
    }
    line.push((Look::Dim, format!("  listed by {}  q quits", board.source)));
    line
}

fn table(board: &Board, width: usize, room: usize) -> Vec<Line> {
    let now = (Instant::now(), SystemTime::now());
    let mut rows: Vec<Cells> = board.rows.iter().map(|row| cells(row, now)).collect();
    let total = total(board);
    // The head, the total, and the line about hidden rows.
    let shown = if rows.len() + 2 > room { room.saturating_sub(3) } else { rows.len() };
    let hidden = rows.len() - shown;
    rows.truncate(shown);
    let layout = Layout::of(rows.iter().chain([&total]), width);
    let mut lines = vec![layout.head()];
    lines.extend(rows.iter().map(|row| layout.row(row)));
    if hidden > 0 {
        lines.push(vec![(Look::Dim, format!("… {hidden} more, which do not fit"))]);
    }
    let total = layout.row(&total).into_iter().map(|(look, text)| match look {
        Look::Plain => (Look::Bold, text),
        look => (look, text),
    });
    lines.push(total.collect());
    lines
}

fn cells(row: &Row, (now, clock): (Instant, SystemTime)) -> Cells {
    let name = row.node.name.clone();
    let left = if row.unlisted.is_some() { " (left)" } else { "" };
    let ago = |since: Instant| numbers::duration(now.saturating_duration_since(since));
    match &row.state {
        State::Away(_, since) if row.has_left() => {
            Cells::Words { name, look: Look::Dim, words: format!("left {} ago", ago(*since)) }
        }
        State::New => Cells::Words { name, look: Look::Dim, words: "asking".into() },
        State::Away(why, since) => {
            let words = format!("away for {}{left}: {why}", ago(*since));
            Cells::Words { name, look: Look::Alarm, words }
        }
        State::Here(reading) => {
            let Reading { sample, rates, .. } = reading.as_ref();
            let up = reading.uptime(clock).map_or(NOTHING.into(), numbers::duration);
            let version = (Look::Plain, row.node.version.clone());
            Cells::Figures { name, cells: figures(sample, rates.as_ref(), broker(sample, left), up, version) }
        }
    }
}

fn total(board: &Board) -> Cells {
    let total = board.total();
    let nothing = (Look::Plain, String::new());
    let mut cells =
        figures(&total.sample, total.rates.as_ref(), nothing.clone(), String::new(), nothing.clone());
    if total.here == 0 {
        cells.fill(nothing);
    }
    Cells::Figures { name: "TOTAL".into(), cells }
}

fn figures(
    sample: &Sample,
    rates: Option<&Rates>,
    broker: (Look, String),
    up: String,
    version: (Look, String),
) -> Vec<(Look, String)> {
    let rate = |of: fn(&Rates) -> f64| rates.map_or(NOTHING.into(), |rates| numbers::number(of(rates)));
    let quantiles = rates.and_then(Rates::quantiles);
    let latency =
        |of: fn(Quantiles) -> f64| quantiles.map_or(NOTHING.into(), |all| numbers::latency(of(all)));
    let plain = |text| (Look::Plain, text);
    vec![
        plain(numbers::number(sample.connections)),
        plain(rate(|rates| rates.deliveries)),
        plain(rate(|rates| rates.received)),
        plain(latency(|all| all.p50)),
        plain(latency(|all| all.p99)),
        plain(numbers::bytes(sample.queued_bytes)),
        broker,
        plain(up),
        version,
    ]
}

fn broker(sample: &Sample, left: &str) -> (Look, String) {
    let state = sample.broker.map_or(NOTHING, BrokerState::name);
    let state = match sample.partitions.saturating_sub(sample.partitions_up) {
        troubled if troubled > 0 && sample.partitions > 1 => {
            format!("{state} {troubled}/{}", sample.partitions)
        }
        _ => state.to_owned(),
    };
    match (sample.broker, sample.is_draining) {
        (Some(BrokerState::Up), false) => (Look::Plain, format!("{state}{left}")),
        (Some(BrokerState::Up), true) => (Look::Notice, format!("{state}, draining{left}")),
        (_, true) => (Look::Alarm, format!("{state}, draining{left}")),
        (_, false) => (Look::Alarm, format!("{state}{left}")),
    }
}

/// The width of each column; `None` if it is left out.
struct Layout {
    name: usize,
    widths: [Option<usize>; COLUMNS.len()],
    width: usize,
}

impl Layout {
    fn of<'a>(rows: impl Iterator<Item = &'a Cells> + Clone, width: usize) -> Self {
        let names = rows.clone().map(|row| match row {
            Cells::Figures { name, .. } | Cells::Words { name, .. } => name.len(),
        });
        let name = names.max().unwrap_or(0).max(NAME);
        let mut widths = COLUMNS.map(|column| Some(column.head.len()));
        for row in rows {
            let Cells::Figures { cells, .. } = row else { continue };
            for (width, (_, text)) in widths.iter_mut().zip(cells) {
                *width = width.map(|width| width.max(chars(text)));
            }
        }
        let mut layout = Self { name, widths, width };
        layout.fit();
        layout
    }

    fn used(&self) -> usize {
        self.name + self.widths.iter().flatten().map(|width| width + GAP).sum::<usize>()
    }

    fn fit(&mut self) {
        let mut turns: Vec<(u8, usize)> = COLUMNS.iter().map(|column| column.spare).zip(0..).collect();
        turns.sort_unstable();
        while self.used() > self.width
            && let Some((1.., at)) = turns.pop()
        {
            if let Some(width) = self.widths.get_mut(at) {
                *width = None;
            }
        }
        let excess = self.used().saturating_sub(self.width);
        self.name = self.name.saturating_sub(excess).max(NAME.min(self.name));
    }

    fn head(&self) -> Line {
        let cells = COLUMNS.map(|column| (Look::Dim, column.head.to_owned()));
        self.figures("NODE", Look::Dim, &cells)
    }

    fn row(&self, row: &Cells) -> Line {
        match row {
            Cells::Figures { name, cells } => self.figures(name, Look::Plain, cells),
            Cells::Words { name, look, words } => {
                vec![(Look::Plain, self.named(name)), (*look, format!("{:GAP$}{words}", ""))]
            }
        }
    }

    fn figures(&self, name: &str, look: Look, cells: &[(Look, String)]) -> Line {
        let mut line = vec![(look, self.named(name))];
        for ((column, width), (look, text)) in COLUMNS.iter().zip(self.widths).zip(cells) {
            let Some(width) = width else { continue };
            let cell = if column.left { format!("{text:<width$}") } else { format!("{text:>width$}") };
            line.push((*look, format!("{:GAP$}{cell}", "")));
        }
        line
    }

    /// A name in its column, cut if it is too long.
    fn named(&self, name: &str) -> String {
        let width = self.name;
        let kept: String = match name.len() > width {
            true => name.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
            false => name.to_owned(),
        };
        format!("{kept:<width$}")
    }
}

/// The line, cut to this width.
fn cut(line: Line, width: usize) -> Line {
    let mut room = width;
    let mut kept = Line::new();
    for (look, text) in line {
        let length = chars(&text);
        kept.push((look, text.chars().take(room).collect()));
        room = room.saturating_sub(length);
    }
    kept
}

/// The width of a text: each character has one column, because names are ASCII, and other texts are English.
fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
