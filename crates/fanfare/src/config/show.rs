//! The effective configuration, as `fanfare config` prints it: a TOML file with the source of each value.
//!
//! Invariant: the file, read back, gives the same configuration, except for the masked secrets.

use std::fmt;

use super::{Loaded, declare::Line, place::Place};

/// Shows the values that a node would run with.
#[derive(Debug, Clone, Copy)]
pub struct Show<'a> {
    loaded: &'a Loaded,
    /// Whether each key is explained, and defaults are comments: a file to begin with.
    explain: bool,
}

/// The column of the comments, if the values leave room.
const COMMENTS: usize = 40;

impl Loaded {
    /// Shows each value with its source; with `explain`, each key's meaning too.
    #[must_use]
    pub fn show(&self, explain: bool) -> Show<'_> {
        Show { loaded: self, explain }
    }
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for line in self.loaded.raw.lines() {
            let (of, _) = line.key.section_and_name();
            if of != section {
                section = of;
                writeln!(f, "\n[{section}]")?;
            }
            self.line(f, &line)?;
        }
        for namespace in &self.loaded.namespaces {
            writeln!(f, "\n[[namespace]]")?;
            for line in namespace.lines() {
                self.line(f, &line)?;
            }
        }
        Ok(())
    }
}

impl Show<'_> {
    fn line(&self, f: &mut fmt::Formatter<'_>, line: &Line) -> fmt::Result {
        if self.explain {
            explanation(f, line)?;
        }
        // A file to begin with should leave the defaults to each machine and each version.
        let comment = if self.explain && line.place == Place::Default { "#" } else { "" };
        let text = format!("{comment}{} = {}", line.key.section_and_name().1, line.value);
        writeln!(f, "{text:COMMENTS$}  # {}", line.place)
    }
}

fn explanation(f: &mut fmt::Formatter<'_>, line: &Line) -> fmt::Result {
    writeln!(f)?;
    for about in line.key.about.lines() {
        writeln!(f, "# {}", about.trim())?;
    }
    writeln!(f, "# Allowed: {}", (line.key.allowed)())?;
    writeln!(f, "# A changed value is used {}", line.key.applies.when())?;
    match line.key.flag {
        _ if line.key.is_of_namespace() => Ok(()),
        Some(flag) => writeln!(f, "# Also: {flag}, or {} in the environment", line.key.variable()),
        None => writeln!(f, "# Also: {} in the environment", line.key.variable()),
    }
}
