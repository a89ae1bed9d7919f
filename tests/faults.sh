#!/usr/bin/env bash
# Every fault, the long ones too, one at a time, with real processes and 200 clients that keep publishing; then a
# table of the outcomes, whose columns docs/guarantees.md explains. Arguments choose tests by name.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

fanfare_bin
export BIN
log=$WORK/faults.log
status=0
cargo test -p fanfare-testkit --test faults --no-fail-fast -- \
    --include-ignored --test-threads=1 --nocapture "$@" 2>&1 | tee "$log" || status=$?

printf '\n=== What came of each fault\n'
grep -a 'FAULT ' "$log" | table FAULT
printf '\n=== The same with history, where every acknowledged message must reach everybody\n'
grep -a 'CHAOS ' "$log" | table CHAOS
if ((status)); then fail "make faults: FAILED (the log: $log)"; fi
