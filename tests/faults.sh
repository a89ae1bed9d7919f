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

# A field is a word and a number, but for the first, which is the fault.
table() {
    awk -F ' [|] ' '
        { sub(/^.*FAULT /, "") }
        NR == 1 {
            head = sprintf("%-34s", "fault")
            for (i = 2; i <= NF; i++) { word = $i; sub(/ [0-9.]+( s)?$/, "", word); head = head sprintf(" %s", word); width[i] = length(word) }
            print head
        }
        {
            line = sprintf("%-34s", $1)
            for (i = 2; i <= NF; i++) { match($i, /[0-9.]+( s)?$/); line = line sprintf(" %*s", width[i], substr($i, RSTART)) }
            print line
        }'
}

printf '\n=== What came of each fault\n'
grep -a 'FAULT ' "$log" | table
if ((status)); then fail "make faults: FAILED (the log: $log)"; fi
