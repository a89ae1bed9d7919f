#!/usr/bin/env bash
# Faults that a seed decides, on three nodes behind HAProxy and one Redis, judged by the checker of `swarm verify --history`:
# every acknowledged message reaches every subscriber exactly once, in order. `make chaos`, about 80 s a seed.
#
#   SEEDS=20 tests/chaos.sh     the seeds 1 to 20, then four seeds in which Redis also loses its memory: clients are told
#   tests/chaos.sh FLAGS...     as the flags say (--help); a seed again: --seed 7
#   tests/chaos.sh --mutants    builds with one deliberate fault each, which the checker must notice
#
# The nodes are the binary that BIN names, else a debug build. The logs of a run that goes wrong are in .work/chaos.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
LINES=$WORK/chaos.txt
MUTANT_SEEDS=3

build() {
    cargo build --workspace --all-features --bin chaos
    fanfare_bin
    export BIN
}

# chaos FLAGS...: runs it; its lines are added to LINES.
chaos() {
    local status=0
    "$TARGET/debug/chaos" --logs "$WORK/chaos" "$@" | tee -a "$LINES" || status=$?
    return "$status"
}

# The features of fanfare-hub that plant a fault.
mutants() {
    sed -n 's/^\(mutant-[a-z0-9-]*\) *=.*/\1/p' crates/fanfare-hub/Cargo.toml
}

# A mutant is noticed at one of a few seeds, by exit code 1: another code is a crash.
notices() { # MUTANT
    local mutant=$1 seed status
    cargo build -p fanfare --features "fanfare-hub/$mutant" --target-dir "$TARGET/mutants"
    for ((seed = 1; seed <= MUTANT_SEEDS; seed++)); do
        status=0
        BIN=$TARGET/mutants/debug/fanfare chaos --seed "$seed" --seconds 20 --logs "$WORK/chaos/$mutant" || status=$?
        if ((status == 1)); then
            say "noticed: $mutant, at seed $seed"
            return
        fi
        ((status == 0)) || fail "chaos: exit code $status with $mutant"
    done
    fail "chaos: $mutant is not noticed in $MUTANT_SEEDS seeds"
}

check_mutants() {
    local all mutant
    mapfile -t all < <(mutants)
    ((${#all[@]})) || fail "chaos: fanfare-hub has no feature mutant-…"
    for mutant in "${all[@]}"; do notices "$mutant"; done
}

: >"$LINES"
build
status=0
case ${1:-} in
    --mutants) check_mutants ;;
    "")
        chaos --seeds "${SEEDS:-20}" || status=$?
        chaos --seed 101 --seed 102 --seed 103 --seed 104 --with-wipe || status=$?
        ;;
    *) chaos "$@" || status=$? ;;
esac
printf '\n=== What came of each seed\n'
grep -a '^CHAOS ' "$LINES" | table CHAOS || true
((status == 0)) || fail "make chaos: FAILED (exit code $status)"
