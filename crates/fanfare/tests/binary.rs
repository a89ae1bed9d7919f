//! The installed binary: its version, its completions and its manual pages.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::process::Command;

/// `fanfare WORDS` with these variables and no others.
fn fanfare(words: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    let output = command.args(words).env_clear().envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn freed_memory_goes_back_soon() {
    let said = fanfare(&["version", "--verbose"], &[]);
    let wanted = if cfg!(feature = "jemalloc") {
        "allocator: jemalloc; freed memory is kept for 500 ms (later arenas: 500 ms), then returned by a thread of its own"
    } else {
        "allocator: the system's"
    };
    assert!(said.lines().any(|line| line == wanted), "{said}");
}

#[test]
#[cfg(feature = "jemalloc")]
fn jemalloc_settings_of_the_environment_win() {
    let said = fanfare(&["version", "--verbose"], &[("_RJEM_MALLOC_CONF", "dirty_decay_ms:2000")]);
    assert!(said.contains("kept for 2000 ms (later arenas: 2000 ms)"), "{said}");
}

#[test]
fn the_version_names_the_features() {
    let said = fanfare(&["version", "--verbose"], &[]);
    let has = |feature| said.lines().any(|line| line.starts_with("features: ") && line.contains(feature));
    assert_eq!(
        (has("jemalloc"), has("traces")),
        (cfg!(feature = "jemalloc"), cfg!(feature = "traces")),
        "{said}"
    );
    assert_eq!(fanfare(&["version"], &[]), concat!("fanfare ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn completions_and_manual_pages_are_written() {
    assert!(fanfare(&["completions", "bash"], &[]).contains("complete -F _fanfare"));
    let pages = tempfile::tempdir().unwrap();
    let directory = pages.path().join("man1");
    fanfare(&["man", directory.to_str().unwrap()], &[]);
    assert!(directory.join("fanfare-serve.1").is_file());
}

#[test]
fn only_a_build_with_traces_takes_an_endpoint() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.arg("check").env_clear().env("FANFARE_TRACING__ENDPOINT", "http://127.0.0.1:4317");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), cfg!(feature = "traces"), "{said}");
    assert_eq!(said.contains("built without traces"), cfg!(not(feature = "traces")), "{said}");
}
