#!/usr/bin/env bash
# A minute of fuzzing for each target in fuzz/: tests/fuzz.sh [SECONDS]. A crash stops it and names its input.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

have cargo-fuzz || fail "cargo-fuzz is missing (cargo install cargo-fuzz --locked)"
# Lets a stable compiler instrument the code; cargo-fuzz needs it at every call.
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list); do
    say "== $target"
    cargo fuzz run "$target" -- -max_total_time="${1:-60}"
done
