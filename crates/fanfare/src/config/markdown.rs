//! The reference of all keys, as `fanfare config --markdown` prints it: `docs/configuration.md` is this text.
//!
//! Invariant: it is the same on every machine. If a default depends on the machine, the key's text gives it in words.

use std::fmt;

use super::{
    Facts,
    declare::{Applies, Key, Line, Reader},
    raw::{Raw, RawNamespace},
};

/// The reference.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

const HEAD: &str = "\
# Configuration

Every key, its meaning and its values. `fanfare config --markdown` prints this page for the version that you run.
`fanfare config` prints the values that your node would run with, and their sources. `fanfare config --explain` prints a
file to begin with. `fanfare config --schema` prints a JSON Schema: an editor that knows TOML (Taplo, Even Better TOML)
completes and checks a file whose first line is `#:schema ./fanfare.json`.

## Where values come from

The strongest first:

1. a flag: `--listen`, `--dev`, `--broker`, `--node`;
2. the environment: `FANFARE_` and the key in capitals, with two underscores after its section, as in
   `FANFARE_LIMITS__MESSAGE_BYTES=1MiB`. A key that has a flag has a short name: `FANFARE_NODE`. An empty variable
   counts as unset;
3. one file in TOML, named by `--config FILE` or `FANFARE_CONFIG`. Namespaces are in the file only;
4. the default.

An unknown key is a mistake, and so is a wrong value, even if a stronger one covers it. `fanfare check --config
fanfare.toml` reports every mistake at once, each with its line. A node starts without mistakes, or not at all.

## How values are written

| what | in the file | in the environment |
|---|---|---|
| a text | `\"in quotes\"` | `without quotes` |
| a number, true or false | `64`, `true` | `64`, `true` |
| a size | `\"64KiB\"` (1024), `\"64KB\"` (1000), `\"1MiB\"`, or a number of bytes | `64KiB` |
| a duration | `\"5s\"`, `\"250ms\"`, `\"1m 30s\"` | `5s` |
| a list | `[\"one\", \"two\"]` | `one,two`, or as in the file where an item has a comma |

```toml
listen = [\"127.0.0.1:8080\"]      # keys without a section come first

[limits]
message_bytes = \"128KiB\"         # the key limits.message_bytes

[[namespace]]                    # once for each namespace
name = \"news\"
publish = \"server\"
```

## Changing values while a node runs

On SIGHUP (`kill -HUP`) a node reads the file again, and the key files that it names. Flags and the environment still
beat the file. If there is a mistake, nothing changes, and each mistake is logged with its line. Otherwise the values that
may change while a node runs are used from then on, and the log names their keys, never a secret. One warning names the
changed keys that need a restart. `fanfare_config_reloads_total` counts both outcomes.
`fanfare_config_last_reload_successful` is 0 while a mistake keeps the file from being used.

A reload itself closes no connection. A client that is connected stays and keeps its channels, even past a lowered limit,
or with a token or from a page that would be refused now. Its later actions go by the new values:

";

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (applies, what) in [
            (Applies::AtOnce, "used at once, for everybody"),
            (Applies::ToNew, "used for connections and calls that begin from then on"),
            (Applies::AtRestart, "used after a restart only"),
        ] {
            let keys: Vec<_> = all().filter(|key| key.applies == applies).map(link).collect();
            writeln!(f, "- {what}: {}", keys.join(", "))?;
        }
        let mut section = None;
        for entry in entries() {
            let (of, _) = entry.key.section_and_name();
            if section != Some(of) {
                section = Some(of);
                writeln!(f, "\n## {}", heading(of))?;
            }
            entry.write(f)?;
        }
        Ok(())
    }
}

/// A key and its default; `None` if it depends on the machine.
struct Entry {
    key: Key,
    default: Option<String>,
}

impl Entry {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        writeln!(f, "\n### `{}`\n", key.path)?;
        for about in key.about.lines() {
            writeln!(f, "{}", plain(about.trim()))?;
        }
        writeln!(f, "\n- Allowed: {}", plain(&(key.allowed)()))?;
        match &self.default {
            Some(default) => writeln!(f, "- Default: `{default}`")?,
            None => writeln!(f, "- Default: depends on the machine, see above")?,
        }
        if key.is_of_namespace() {
            f.write_str("- In the file only")?;
        } else {
            write!(f, "- Environment: `{}`", key.variable())?;
        }
        if let Some(flag) = key.flag {
            write!(f, "; flag: `{flag}`")?;
        }
        writeln!(f, "\n- A changed value is used {}", key.applies.when())
    }
}

fn all() -> impl Iterator<Item = &'static Key> {
    Raw::KEYS.iter().chain(RawNamespace::KEYS)
}

fn heading(section: &str) -> String {
    match section {
        "" => "Keys without a section".into(),
        "namespace" => "`[[namespace]]`".into(),
        section => format!("`[{section}]`"),
    }
}

/// A link to the key's heading. Anchors are as on GitHub: headings without punctuation, except `_` and `-`.
fn link(key: &Key) -> String {
    format!("[`{}`](#{})", key.path, key.path.replace('.', ""))
}

/// The text with Markdown's signs escaped, except between backticks.
fn plain(text: &str) -> String {
    let escaped = |(at, part): (usize, &str)| match at % 2 {
        0 => part.replace('*', "\\*").replace('<', "\\<"),
        _ => part.to_owned(),
    };
    text.split('`').enumerate().map(escaped).collect::<Vec<_>>().join("`")
}

/// Every key with its default.
fn entries() -> Vec<Entry> {
    let [here, there] = [
        Facts { cores: 1, descriptors: 1_000, memory: 1 << 30, hostname: "here".into() },
        Facts { cores: 64, descriptors: 64_000, memory: 64 << 30, hostname: "there".into() },
    ]
    .map(|facts| defaults(&facts));
    let pairs = here.into_iter().zip(there);
    let entry = |(here, there): (Line, Line)| {
        let is_same = here.value == there.value;
        Entry { key: here.key, default: is_same.then_some(here.value) }
    };
    pairs.map(entry).collect()
}

fn defaults(facts: &Facts) -> Vec<Line> {
    let mut reader = Reader { layers: &[], mistakes: &mut Vec::new() };
    let (raw, namespace) =
        (Raw::read(&mut reader, facts, None), RawNamespace::read(&mut reader, facts, None));
    raw.lines().into_iter().chain(namespace.lines()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_machine_are_given_in_words() {
        let in_words: Vec<_> = entries().into_iter().filter(|entry| entry.default.is_none()).collect();
        let about = |entry: &Entry| entry.key.about.contains("The default is");
        assert!(
            in_words.iter().all(about),
            "{:?}",
            in_words.iter().map(|entry| entry.key).collect::<Vec<_>>()
        );
        assert!(in_words.iter().any(|entry| entry.key.path == "runtime.workers"));
    }

    #[test]
    fn the_example_is_a_valid_file() {
        let example = HEAD.split("```").find_map(|part| part.strip_prefix("toml\n")).unwrap();
        crate::config::tests::load_file(example).unwrap();
    }

    #[test]
    fn the_page_in_docs_is_up_to_date() {
        const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let page = std::fs::read_to_string(PAGE).unwrap_or_default();
        let differs = page.lines().zip(Reference.to_string().lines()).position(|(page, code)| page != code);
        assert!(
            page == Reference.to_string(),
            "docs/configuration.md is out of date (line {:?}): renew it with\n  \
             cargo run -q -p fanfare -- config --markdown > docs/configuration.md",
            differs.map(|line| line + 1)
        );
    }
}
