//! The TOML file as a source.
//!
//! Invariant: a syntax error hides only its own line. All others are read and judged.

use std::{ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use super::{
    declare::{Key, Layer},
    mistake::{Mistake, nearest},
    place::{Given, Place, Value},
    raw::{Raw, RawNamespace},
};

/// The list of tables, which is not a section.
const NAMESPACE: &str = "namespace";

/// The values of a file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) layer: Layer,
    /// The values in sections with a misspelt name: they are never used, but their mistakes show.
    pub(super) misspelt: Layer,
    /// Each `[[namespace]]`, and the place where it begins.
    pub(super) namespaces: Vec<(Place, Layer)>,
    /// Lines that are not TOML.
    pub(super) syntax: Vec<Mistake>,
    /// Unknown keys and sections.
    pub(super) unknown: Vec<Mistake>,
}

impl File {
    /// Reads the text of the file at `path`.
    pub(super) fn read(path: &str, text: &str) -> Self {
        let mut reader = FileReader { path: path.into(), text, file: Self::default() };
        let (mut root, errors) = DeTable::parse_recoverable(text);
        errors.iter().for_each(|error| reader.syntax(error));
        let mended = without_stray_lines(text, &errors);
        if let Some(mended) = &mended {
            let (rest, errors) = DeTable::parse_recoverable(mended);
            errors.iter().for_each(|error| reader.syntax(error));
            root = rest;
        }
        for (key, value) in root.get_ref() {
            reader.top(key.get_ref(), &key.span(), value);
        }
        reader.file
    }
}

struct FileReader<'t> {
    path: Arc<str>,
    text: &'t str,
    file: File,
}

impl FileReader<'_> {
    fn top(&mut self, name: &str, at: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        if name == NAMESPACE {
            return self.namespaces(at, value);
        }
        match value.get_ref() {
            DeValue::Table(table) if known(Raw::KEYS, name).is_none() => {
                let section = sections().find(|section| *section == name);
                if let Some(section) = section {
                    let layer = self.section(section, table);
                    self.file.layer.extend(layer);
                    return;
                }
                let meant = nearest(name, sections());
                let hint = meant.map(|meant| format!("did you mean [{meant}]?"));
                self.unknown(name, at, "a section that is not known", &top_names(), hint);
                if let Some(section) = meant {
                    let layer = self.section(section, table);
                    self.file.misspelt.extend(layer);
                }
            }
            DeValue::Array(items)
                if nearest(name, [NAMESPACE]).is_some() && known(Raw::KEYS, name).is_none() =>
            {
                let hint = Some(format!("did you mean [[{NAMESPACE}]]?"));
                self.unknown(name, at, "a list that is not known", &top_names(), hint);
                self.namespace_items(items.iter());
            }
            _ if sections().any(|section| section == name) => {
                let hint = Some(format!("[{name}], and its keys below it"));
                self.unknown(name, at, "a value", "a section", hint);
            }
            _ => {
                if let Some((key, given)) = self.key(Raw::KEYS, "", name, at, value) {
                    self.file.layer.set(key, given);
                }
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) -> Layer {
        let mut layer = Layer::default();
        for (key, value) in table {
            if let Some((key, given)) = self.key(Raw::KEYS, section, key.get_ref(), &key.span(), value) {
                layer.set(key, given);
            }
        }
        layer
    }

    fn namespaces(&mut self, at: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Array(items) => self.namespace_items(items.iter()),
            DeValue::Table(_) => {
                self.unknown(NAMESPACE, at, "[namespace]", "[[namespace]], once for each", None);
                self.namespace_items([value].into_iter());
            }
            _ => self.unknown(NAMESPACE, at, "a value", "[[namespace]], once for each", None),
        }
    }

    fn namespace_items<'v>(&mut self, items: impl Iterator<Item = &'v Spanned<DeValue<'v>>>) {
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                self.unknown(NAMESPACE, &item.span(), "a value", "[[namespace]], once for each", None);
                continue;
            };
            let mut layer = Layer::default();
            for (key, value) in table {
                let name = key.get_ref();
                if let Some((key, given)) = self.key(RawNamespace::KEYS, NAMESPACE, name, &key.span(), value)
                {
                    layer.set(key, given);
                }
            }
            self.file.namespaces.push((self.place(&item.span()), layer));
        }
    }

    /// A key with its value, if it is known.
    fn key(
        &mut self,
        keys: &'static [Key],
        section: &str,
        name: &str,
        at: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<(&'static Key, Given)> {
        let path = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        if let Some(key) = known(keys, &path) {
            return Some((key, Given { value: self.value(value), place: self.place(at) }));
        }
        let siblings = || names(keys, section);
        let elsewhere = || {
            let all = keys.iter().chain(Raw::KEYS);
            all.map(|key| key.path).find(|path| path.rsplit('.').next() == Some(name))
        };
        let meant = nearest(name, siblings()).map(str::to_owned).or_else(|| elsewhere().map(in_its_section));
        let hint = meant.map(|meant| format!("did you mean {meant}?"));
        let allowed =
            if section.is_empty() { top_names() } else { siblings().collect::<Vec<_>>().join(", ") };
        self.unknown(&path, at, "a key that is not known", &allowed, hint);
        None
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| Value::Other(integer.to_string()), Value::Integer),
            DeValue::Array(items) => {
                let given = |item| Given { value: self.value(item), place: self.place(&item.span()) };
                Value::List(items.iter().map(given).collect())
            }
            DeValue::Table(_) => Value::Other("a section".into()),
            DeValue::Float(float) => Value::Other(float.to_string()),
            DeValue::Datetime(datetime) => Value::Other(datetime.to_string()),
        }
    }

    fn place(&self, at: &Range<usize>) -> Place {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        Place::File { path: Arc::clone(&self.path), line: 1 + before.matches('\n').count() }
    }

    fn unknown(&mut self, key: &str, at: &Range<usize>, found: &str, allowed: &str, hint: Option<String>) {
        let place = self.place(at);
        self.file.unknown.push(Mistake {
            place,
            key: key.into(),
            found: found.into(),
            allowed: allowed.into(),
            hint,
        });
    }

    fn syntax(&mut self, error: &Error) {
        let at = error.span().unwrap_or_default();
        let place = self.place(&at);
        // Several errors in one line are mostly one mistake.
        if self.file.syntax.iter().any(|earlier| earlier.place == place) {
            return;
        }
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let (above, line) = self.text.split_at_checked(start).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let key = key_of(above, line);
        let not_toml = format!("not TOML at column {column}");
        self.file.syntax.push(Mistake {
            place,
            key: key.map_or(not_toml.clone(), |key| format!("{}: {not_toml}", key.path)),
            found: key.and_then(|key| value_of(key, line)).unwrap_or_else(|| begin_of(line)),
            allowed: key.map_or_else(
                || "key = value, [section], [[namespace]] or # a comment; texts in quotes".into(),
                |key| format!("{} = {}", key.section_and_name().1, (key.allowed)()),
            ),
            hint: advice_on(key, line, error),
        });
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

/// The text without lines that are a key without `=`; `None` without such lines. The parser drops all that follows
/// them. Blanks stand in their place, so that positions stay the same.
fn without_stray_lines(text: &str, errors: &[Error]) -> Option<String> {
    let spans: Vec<usize> = errors.iter().filter_map(|error| error.span().map(|span| span.start)).collect();
    let mut mended = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let here = mended.len()..mended.len() + line.len();
        let at_end = text.len() == here.end;
        let broken = spans.iter().any(|at| here.contains(at) || (at_end && *at >= here.end));
        let key = line.split_once('=').map(|(key, _)| key.trim());
        if broken && key.is_none_or(|key| key.contains(char::is_whitespace)) {
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

fn first_word(text: &str) -> &str {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    text.split(|c: char| !is_word(c)).next().unwrap_or_default()
}

fn known(keys: &'static [Key], path: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.path == path)
}

/// The keys of a section.
fn names(keys: &'static [Key], section: &str) -> impl Iterator<Item = &'static str> {
    keys.iter().map(Key::section_and_name).filter(move |(of, _)| *of == section).map(|(_, name)| name)
}

fn sections() -> impl Iterator<Item = &'static str> {
    Raw::KEYS.iter().map(|key| key.section_and_name().0).filter(|section| !section.is_empty())
}

/// The names that may stand at the top of the file.
fn top_names() -> String {
    let mut all: Vec<String> = names(Raw::KEYS, "").map(str::to_owned).collect();
    all.extend(sections().map(|section| format!("[{section}]")));
    all.push(format!("[[{NAMESPACE}]]"));
    all.dedup();
    all.join(", ")
}

fn in_its_section(path: &str) -> String {
    match path.split_once('.') {
        Some((section, name)) => format!("{name} under [{section}]"),
        None => format!("{path} at the top of the file, before the first section"),
    }
}
