//! The TOML file as a source.
//!
//! Invariant: a syntax error hides only its own line; in the line of a section's name, it hides the section. All other
//! lines are read and judged.

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
    syntax,
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
        let mended = syntax::without_stray_lines(text, &errors);
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
                let section = Raw::sections().find(|section| *section == name);
                if let Some(section) = section {
                    let layer = self.section(section, table);
                    self.file.layer.extend(layer);
                    return;
                }
                let meant = nearest(name, Raw::sections());
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
            _ if Raw::sections().any(|section| section == name) => {
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
        Place::in_file(&self.path, self.text, at.start)
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
        let mistake = syntax::mistake(&self.path, self.text, error);
        // Several errors in one line are mostly one mistake.
        if self.file.syntax.iter().all(|earlier| earlier.place != mistake.place) {
            self.file.syntax.push(mistake);
        }
    }
}

fn known(keys: &'static [Key], path: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.path == path)
}

/// The keys of a section.
fn names(keys: &'static [Key], section: &str) -> impl Iterator<Item = &'static str> {
    keys.iter().map(Key::section_and_name).filter(move |(of, _)| *of == section).map(|(_, name)| name)
}

/// The names that may stand at the top of the file.
fn top_names() -> String {
    let mut all: Vec<String> = names(Raw::KEYS, "").map(str::to_owned).collect();
    all.extend(Raw::sections().map(|section| format!("[{section}]")));
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
