//! Files of packages besides the binary: completions for shells, and manual pages.

use std::{io, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

/// Completions for `shell`, as its own tools load them.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fanfare", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes `fanfare.1` and a page for each command into `directory`, and makes the directory if it is missing.
///
/// # Errors
/// A page cannot be written.
pub fn write(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
                assert!(script.contains(command.get_name()), "{} for {shell}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_has_a_manual_page() {
        let directory = tempfile::tempdir().unwrap();
        let pages = directory.path().join("new/man1");
        write(&pages).unwrap();
        let main = std::fs::read_to_string(pages.join("fanfare.1")).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = format!("fanfare-{}", command.get_name());
            assert!(pages.join(format!("{page}.1")).is_file(), "{page}");
            assert!(main.contains(&page.replace('-', "\\-")), "{page} in {main}");
        }
    }
}
