//! Lines of the file that are not TOML: the mistake, and the text without them.
//!
//! Invariant: a mistake shows the words of the configuration alone. All other text of a broken line may be a secret.

use std::sync::Arc;

use toml::de::{DeTable, Error};

use super::{
    declare::Key,
    mistake::Mistake,
    place::Place,
    raw::{Raw, RawNamespace},
};

/// The mistake that the parser found in the text of the file at `path`.
pub(super) fn mistake(path: &Arc<str>, text: &str, error: &Error) -> Mistake {
    let at = error.span().unwrap_or_default().start;
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let (above, line) = text.split_at_checked(start).unwrap_or_default();
    let line = line.lines().next().unwrap_or_default();
    let place = Place::in_file(path, text, at);
    let first = |line| Place::File { path: Arc::clone(path), line };
    let twice = (error.message() == "duplicate key").then(|| once_more(&place, above, line, first)).flatten();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    twice.unwrap_or_else(|| not_toml(place, column, above, line, error))
}

/// The mistake of a section or key that comes twice, if its name is known and the first one is found.
fn once_more(place: &Place, above: &str, line: &str, at: impl Fn(usize) -> Place) -> Option<Mistake> {
    let name = beginning(line);
    let (key, named, each) = match name.strip_prefix('[') {
        Some(section) => {
            (Raw::sections().find(|known| *known == section)?, format!("[{section}]"), "section")
        }
        None => (key_of(above, line)?.path, name.to_owned(), "key"),
    };
    let first = above.lines().count() - above.lines().rev().position(|line| beginning(line) == name)?;
    Some(Mistake {
        place: place.clone(),
        key: key.into(),
        found: format!("{named} once more"),
        allowed: format!("each {each} once"),
        hint: Some(format!("the first is at {}", at(first))),
    })
}

fn not_toml(place: Place, column: usize, above: &str, line: &str, error: &Error) -> Mistake {
    let key = key_of(above, line);
    let not_toml = format!("not TOML at column {column}");
    Mistake {
        place,
        key: key.map_or(not_toml.clone(), |key| format!("{}: {not_toml}", key.path)),
        found: key.and_then(|key| value_of(key, line)).unwrap_or_else(|| begin_of(line)),
        allowed: key.map_or_else(
            || "key = value, [section], [[namespace]] or # a comment; texts in quotes".into(),
            |key| format!("{} = {}", key.section_and_name().1, (key.allowed)()),
        ),
        hint: advice_on(key, line, error),
    }
}

/// The key that a broken line sets, if its section and its first word are known.
fn key_of(above: &str, line: &str) -> Option<&'static Key> {
    let section = above.lines().rev().find_map(|line| line.trim().strip_prefix('['));
    let section =
        section.map_or("", |rest| rest.trim_start_matches('[').split(']').next().unwrap_or_default());
    let word = first_word(line.trim());
    let path = if section.is_empty() { word.to_owned() } else { format!("{}.{word}", section.trim()) };
    Raw::KEYS.iter().chain(RawNamespace::KEYS).find(|key| key.path == path)
}

/// The part of a broken line's value which may be shown.
fn value_of(key: &Key, line: &str) -> Option<String> {
    let (name, value) = halves(key, line)?;
    Some(format!("{name} = {}", (key.found)(value)))
}

/// The parser's own words, or the key's if the value is broken.
fn advice_on(key: Option<&Key>, line: &str, error: &Error) -> Option<String> {
    let said = || Some(error.message().to_owned());
    let Some((key, value)) = key.and_then(|key| Some((key, halves(key, line)?.1))) else { return said() };
    let goes_on = value.starts_with(['[', '{']) || DeTable::parse(&format!("value = {value}")).is_ok();
    if goes_on { said() } else { (key.advice)(value.split('#').next().unwrap_or_default().trim()) }
}

/// A broken line's key and value.
fn halves<'l>(key: &Key, line: &'l str) -> Option<(&'l str, &'l str)> {
    let (name, value) = line.split_once('=')?;
    // Else the sign is part of the value.
    let is_name = [key.path, key.section_and_name().1].contains(&name.trim());
    is_name.then(|| (name.trim(), value.trim()))
}

/// The text without lines that are a key without `=`, since the parser drops all that follows them, and without sections
/// whose name cannot be read or comes twice, since their keys would count as those of another; `None` where it has none of
/// these. Blanks stand in their place, so that positions stay the same.
pub(super) fn without_stray_lines(text: &str, errors: &[Error]) -> Option<String> {
    let spans: Vec<usize> = errors.iter().filter_map(|error| error.span().map(|span| span.start)).collect();
    let mut mended = String::with_capacity(text.len());
    let mut in_broken_section = false;
    for line in text.split_inclusive('\n') {
        let here = mended.len()..mended.len() + line.len();
        let at_end = text.len() == here.end;
        let broken = spans.iter().any(|at| here.contains(at) || (at_end && *at >= here.end));
        let key = line.split_once('=').map(|(key, _)| key.trim());
        if beginning(line).starts_with('[') {
            in_broken_section = broken;
        }
        if in_broken_section || (broken && key.is_none_or(|key| key.contains(char::is_whitespace))) {
            mended.extend(line.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
        } else {
            mended.push_str(line);
        }
    }
    (mended != text).then_some(mended)
}

/// The first word of a broken line, if it is a key. Any other word may be a secret, and so may the rest.
fn begin_of(line: &str) -> String {
    let line = line.trim();
    let word = first_word(line.trim_start_matches('['));
    let names = Raw::KEYS.iter().chain(RawNamespace::KEYS).flat_map(|key| {
        let (section, name) = key.section_and_name();
        [key.path, section, name]
    });
    if names.into_iter().any(|name| !name.is_empty() && name == word) {
        let bracket = if line.starts_with('[') { "[" } else { "" };
        format!("{bracket}{word} …")
    } else {
        "a line that cannot be read".into()
    }
}

/// The name of a line's section behind a bracket, or its first word. The line of a `[[namespace]]` begins as no other.
fn beginning(line: &str) -> &str {
    let line = line.trim();
    let name = first_word(line.strip_prefix('[').unwrap_or(line));
    line.get(..line.len().min(name.len() + usize::from(line.starts_with('[')))).unwrap_or_default()
}

fn first_word(text: &str) -> &str {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    text.split(|c: char| !is_word(c)).next().unwrap_or_default()
}
