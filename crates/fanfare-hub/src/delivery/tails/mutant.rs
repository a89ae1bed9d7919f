//! Deliberate faults for tests of the checker: `FANFARE_MUTANT=NAME cargo build`, by `tests/chaos.sh --mutants`. Not
//! features of cargo, because `--all-features` is how everything else is built and tested.

/// Whether this build has the fault of this name. Known when it is compiled.
#[inline]
pub(super) fn is(name: &str) -> bool {
    option_env!("FANFARE_MUTANT").is_some_and(|mutant| mutant == name)
}
