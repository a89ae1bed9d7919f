//! Loads configurations, and makes mistakes comparable.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::{
    cli::NodeArgs,
    config::{Facts, Loaded, Mistake, Mistakes, Sources, load, place::Place},
};

/// The sources of a test.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) file: &'a str,
    pub(super) environment: &'a [(&'a str, &'a str)],
    pub(super) flags: NodeArgs,
}

impl Given<'_> {
    pub(super) fn load(self) -> Result<Loaded, Mistakes> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(self.file.as_bytes()).unwrap();
        load(Sources {
            flags: self.flags.layer(),
            file: Some(file.path().to_owned()),
            environment: self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            facts: Facts { cores: 4, descriptors: 20_000, memory: 2 << 30, hostname: "host-1".into() },
        })
    }
}

pub(crate) fn load_file(file: &str) -> Result<Loaded, Mistakes> {
    Given { file, ..Given::default() }.load()
}

/// `line key` of each mistake.
pub(in crate::config) fn places(result: Result<Loaded, Mistakes>) -> Vec<String> {
    let place = |mistake: &Mistake| match &mistake.place {
        Place::File { line, .. } => format!("{line} {}", mistake.key),
        other => format!("{other} {}", mistake.key),
    };
    result.unwrap_err().iter().map(place).collect()
}

/// The text for people, with a name for the file that is the same in each run.
pub(in crate::config) fn readable(text: &str) -> String {
    let temporary = |word: &str| word.split(':').next().is_some_and(|path| path.starts_with('/'));
    let line = |line: &str| {
        let words = line.split(' ').map(|word| match word.split_once(':') {
            Some((_, rest)) if temporary(word) => format!("fanfare.toml:{rest}"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
