#!/usr/bin/env bash
# Faults that a seed decides, on three nodes behind HAProxy and one Redis or several, judged by the checker of `swarm verify
# --history`: every acknowledged message reaches every subscriber exactly once, in order. Some of them are clients of npm's
# centrifuge. `make chaos`, about 80 s a seed.
#
#   SEEDS=20 tests/chaos.sh     the seeds 1 to 20; four seeds in which Redis also loses its memory, and clients are told; a
#                               fifth as many seeds each on three servers, on Sentinels and on a Cluster
#   tests/chaos.sh FLAGS...     as the flags say (--help); a seed again: --seed 7, or --redis sentinel --seed 7
#   tests/chaos.sh --mutants    builds with one deliberate fault each (fanfare-hub: delivery/tails/mutant.rs), which the
#                               checker must notice
#
# The nodes are the binary that BIN names, else a debug build. The logs of a run that goes wrong are in .work/chaos.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
LINES=$WORK/chaos.txt
LOGS=$WORK/chaos
MUTANTS=(skips-while-healing delivers-duplicates)
MUTANT_SEEDS=3
HEALED=kill-pubsub,cut,stall # faults after which nodes heal most

build() {
    cmp -s tests/centrifugo/package-lock.json tests/centrifugo/node_modules/.installed || tests/lib/install.sh npm
    cargo build --workspace --all-features --bin chaos
    fanfare_bin
    export BIN
}

# chaos FLAGS...: runs it; its lines are added to LINES.
chaos() {
    local status=0
    "$TARGET/debug/chaos" --logs "$LOGS" "$@" | tee -a "$LINES" || status=$?
    return "$status"
}

# A mutant is noticed at one of a few seeds, by exit code 1: another code is a crash.
notices() { # MUTANT
    local mutant=$1 seed status
    FANFARE_MUTANT=$mutant cargo build -p fanfare --target-dir "$TARGET/mutants"
    for ((seed = 1; seed <= MUTANT_SEEDS; seed++)); do
        status=0
        BIN=$TARGET/mutants/debug/fanfare LOGS=$WORK/chaos/$mutant chaos --seed "$seed" --seconds 20 --faults "$HEALED" ||
            status=$?
        if ((status == 1)); then
            say "noticed: $mutant, at seed $seed"
            return
        fi
        ((status == 0)) || fail "chaos: exit code $status with $mutant"
    done
    fail "chaos: $mutant is not noticed in $MUTANT_SEEDS seeds"
}

: >"$LINES"
build
status=0
case ${1:-} in
    --mutants) for mutant in "${MUTANTS[@]}"; do notices "$mutant"; done ;;
    "")
        chaos --seeds "${SEEDS:-20}" || status=$?
        chaos --seed 101 --seed 102 --seed 103 --seed 104 --with-wipe || status=$?
        for redis in three sentinel cluster; do
            chaos --redis "$redis" --seeds $(((${SEEDS:-20} + 4) / 5)) || status=$?
        done
        ;;
    *) chaos "$@" || status=$? ;;
esac
printf '\n=== What came of each seed\n'
grep -a '^CHAOS ' "$LINES" | table CHAOS || true
((status == 0)) || fail "make chaos: FAILED (exit code $status)"
