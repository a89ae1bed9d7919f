//! Sets the compiler's version, for `fanfare_build_info`.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=FANFARE_RUSTC={}", rustc().unwrap_or_else(|| "unknown".into()));
}

/// The version in `rustc 1.95.0 (…)`.
fn rustc() -> Option<String> {
    let said = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    String::from_utf8(said.stdout).ok()?.split_whitespace().nth(1).map(str::to_owned)
}
