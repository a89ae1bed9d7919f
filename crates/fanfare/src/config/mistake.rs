//! Mistakes in a configuration, with what is needed to mend them.
//!
//! Invariant: a mistake has no secret. Values of secret keys are masked before they come here; values of unknown keys
//! are left out.

use std::fmt;

use super::place::Place;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Its place.
    pub place: Place,
    /// The key, with its section.
    pub key: String,
    /// The value that was found.
    pub found: String,
    /// The values that are allowed.
    pub allowed: String,
    /// How to mend it, if that can be guessed.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.key)?;
        let hint = self.hint.as_deref().map(|hint| ("hint", hint));
        for (name, text) in
            [("found", cut(&self.found).as_str()), ("allowed", &self.allowed)].into_iter().chain(hint)
        {
            write!(f, "\n  {name:7}")?;
            indented(f, text)?;
        }
        Ok(())
    }
}

/// Every mistake of a configuration, at least one: in the order of the file, then those of the environment, then of the
/// flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// `Err` if there is a mistake.
    pub(super) fn none_in(mut mistakes: Vec<Mistake>) -> Result<(), Self> {
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort_by(|a, b| a.place.cmp(&b.place));
        Err(Self(mistakes))
    }

    /// The mistakes.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}\n")?;
        }
        match self.0.len() {
            1 => f.write_str("1 mistake in the configuration"),
            several => write!(f, "{several} mistakes in the configuration"),
        }?;
        f.write_str("; `fanfare config --markdown` explains every key")
    }
}

impl std::error::Error for Mistakes {}

/// The name that was probably meant.
pub(super) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// Below it, unrelated names match: `port` and `prefix` have 0.78.
    const ALIKE: f64 = 0.85;
    names
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Breaks long texts, and indents the further lines as the first.
fn indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    const WIDTH: usize = 100;
    const BEGIN: usize = "  allowed".len();
    let mut column = BEGIN;
    for word in text.split(' ') {
        if column + 1 + word.chars().count() > WIDTH {
            write!(f, "\n{:BEGIN$}", "")?;
            column = BEGIN;
        }
        let space = if column == BEGIN { "  " } else { " " };
        write!(f, "{space}{word}")?;
        column += space.len() + word.chars().count();
    }
    Ok(())
}

fn cut(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
