//! The declaration of keys: each is declared once, with all that is known about it.

use std::collections::BTreeMap;

use super::{
    mistake::Mistake,
    place::{Given, Place, Sourced},
    shape::Shape,
};

/// When a node that runs uses a changed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// After a restart.
    AtRestart,
    /// For connections that come after the reload.
    ToNew,
    /// At once, for all connections.
    AtOnce,
}

impl Applies {
    /// The end of the sentence "a changed value is used".
    #[must_use]
    pub fn when(self) -> &'static str {
        match self {
            Self::AtRestart => "after a restart",
            Self::ToNew => "for new connections",
            Self::AtOnce => "at once",
        }
    }
}

/// A key, without its value.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file, with its section: `limits.message_bytes`.
    pub path: &'static str,
    /// Its flag, for the few that have one.
    pub flag: Option<&'static str>,
    /// The meaning.
    pub about: &'static str,
    /// The values that are allowed, as the end of a sentence.
    pub allowed: fn() -> String,
    /// The values that are allowed, as JSON Schema.
    pub(super) schema: fn() -> serde_json::Value,
    /// The part of a wrong value which a mistake may show, with secrets masked.
    pub(super) found: fn(&str) -> String,
    /// How to mend a value that is not TOML.
    pub(super) advice: fn(&str) -> Option<String>,
    /// When a changed value is used.
    pub applies: Applies,
    short_variable: Option<&'static str>,
}

impl Key {
    /// A key without flag, which is used after a restart.
    pub(super) const fn new(
        path: &'static str,
        about: &'static str,
        allowed: fn() -> String,
        schema: fn() -> serde_json::Value,
        found: fn(&str) -> String,
        advice: fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            path,
            flag: None,
            about,
            allowed,
            schema,
            found,
            advice,
            applies: Applies::AtRestart,
            short_variable: None,
        }
    }

    /// The same, with a flag and a short name in the environment.
    pub(super) const fn with_flag(self, flag: &'static str, variable: &'static str) -> Self {
        Self { flag: Some(flag), short_variable: Some(variable), ..self }
    }

    /// The same, used at another time.
    pub(super) const fn reloaded(self, applies: Applies) -> Self {
        Self { applies, ..self }
    }

    /// Its name in the environment: `FANFARE_LIMITS__MESSAGE_BYTES`.
    #[must_use]
    pub fn variable(&self) -> String {
        self.short_variable.map_or_else(|| self.long_variable(), str::to_owned)
    }

    /// The name without a short name.
    pub(super) fn long_variable(&self) -> String {
        format!("FANFARE_{}", self.path.replace('.', "__").to_uppercase())
    }

    /// Whether it is a key of `[[namespace]]`, which has no name in the environment.
    #[must_use]
    pub fn is_of_namespace(&self) -> bool {
        self.path.starts_with("namespace.")
    }

    /// Its section, empty for the keys at the top, and its name there.
    #[must_use]
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

/// The values of one source, by the path of their key.
#[derive(Debug, Clone, Default)]
pub struct Layer(BTreeMap<&'static str, Given>);

impl Layer {
    /// Sets the value of a key.
    pub fn set(&mut self, key: &Key, given: Given) {
        self.0.insert(key.path, given);
    }

    /// Adds the values of another layer.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Reads keys from layers, and keeps the mistakes.
pub(super) struct Reader<'a> {
    /// The strongest first.
    pub(super) layers: &'a [Layer],
    /// The mistakes so far.
    pub(super) mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    /// The strongest value of a key. Weaker values are read too, so that their mistakes show before they are used.
    pub(super) fn take<S: Shape>(
        &mut self,
        key: &Key,
        shape: &S,
        default: impl FnOnce() -> S::Value,
    ) -> Sourced<S::Value> {
        let mut strongest = None;
        for given in self.layers.iter().filter_map(|layer| layer.0.get(key.path)) {
            let read = shape.parse(given).map_err(|faults| {
                self.mistakes.extend(faults.into_iter().map(|fault| fault.at(key.path)));
            });
            strongest.get_or_insert((read, given));
        }
        match strongest {
            Some((Ok(value), given)) => Sourced { value, place: given.place.clone(), sound: true },
            Some((Err(()), given)) => Sourced { value: default(), place: given.place.clone(), sound: false },
            None => Sourced { value: default(), place: Place::Default, sound: true },
        }
    }
}

/// A key with its effective value, as people read it.
#[derive(Debug, Clone)]
pub struct Line {
    /// The key.
    pub key: Key,
    /// The value as in the file, with secrets masked.
    pub value: String,
    /// Where the value comes from.
    pub place: Place,
}

/// Declares a struct of keys. Each line gives the key's path (`as` its flag and its short variable), type, shape and
/// default, and when a changed value is used (`reloaded`, one of [`Applies`]; by default after a restart). Names,
/// documentation, reading, comparing and showing are made of it. A default may use `facts` and the keys above it.
macro_rules! keys {
    (
        $(#[$about:meta])*
        pub struct $name:ident($facts:ident: $facts_type:ty) {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $path:literal $(as $flag:literal $variable:literal)?,
                    $shape:expr, or $default:expr $(, reloaded $applies:ident)?;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: Sourced<$type>, )+
        }

        impl $name {
            /// Every key, in the order in which people read them.
            pub const KEYS: &'static [Key] =
                &[ $( keys!(@key $path, [$($doc),+], $shape, [$($flag, $variable)?], [$($applies)?]), )+ ];

            /// Reads every key. A node that runs keeps the values that need a restart.
            pub(super) fn read(reader: &mut Reader<'_>, $facts: $facts_type, running: Option<&Self>) -> Self {
                $(
                    let key = keys!(@key $path, [$($doc),+], $shape, [$($flag, $variable)?], [$($applies)?]);
                    let $field = match running {
                        Some(running) if key.applies == Applies::AtRestart => running.$field.clone(),
                        _ => reader.take(&key, &$shape, || $default),
                    };
                )+
                Self { $( $field ),+ }
            }

            /// Every key with its value.
            #[must_use]
            pub fn lines(&self) -> Vec<Line> {
                vec![ $( Line {
                    key: keys!(@key $path, [$($doc),+], $shape, [$($flag, $variable)?], [$($applies)?]),
                    value: $shape.show(&self.$field.value),
                    place: self.$field.place.clone(),
                }, )+ ]
            }

            /// The keys whose values differ, whatever their sources.
            pub(super) fn changed(&self, other: &Self) -> Vec<Key> {
                let mut changed = Vec::new();
                $( if !$shape.same(&self.$field.value, &other.$field.value) {
                    changed.push(
                        keys!(@key $path, [$($doc),+], $shape, [$($flag, $variable)?], [$($applies)?])
                    );
                } )+
                changed
            }
        }
    };
    (
        @key $path:literal, [$($doc:literal),+], $shape:expr,
        [$($flag:literal, $variable:literal)?], [$($applies:ident)?]
    ) => {
        Key::new(
            $path,
            concat!($($doc, "\n"),+),
            || $shape.allowed(),
            || $shape.schema(),
            |text| $shape.found(&Value::Other(text.to_owned())),
            |text| $shape.advice(text),
        )
            $( .with_flag($flag, $variable) )?
            $( .reloaded(Applies::$applies) )?
    };
}

pub(super) use keys;
