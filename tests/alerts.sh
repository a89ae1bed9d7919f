#!/usr/bin/env bash
# Every alert of deploy/prometheus, provoked: nodes, a Redis and a Prometheus as real processes, of which one is stopped,
# slowed, filled or cut off. Then a table of how long each took to fire, and to be over. The alerts fire at once here
# (without `for`) and look back ten seconds. Arguments choose tests by name.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

fanfare_bin
export BIN
log=$WORK/alerts.log
status=0
cargo test -p fanfare-testkit --test alerts --no-fail-fast \
    -- --include-ignored --test-threads=1 --nocapture "$@" 2>&1 | tee "$log" || status=$?

printf '\n=== What each alert took\n'
{
    printf 'alert | provoked by | fired after | over after\n'
    sed -n 's/^.*ALERT //p' "$log"
} | awk -F ' [|] ' '{ printf "%-30s %-64s %12s %12s\n", $1, $2, $3, $4 }'
if ((status)); then fail "make alerts: FAILED (the log: $log)"; fi

# Without arguments every alert was provoked.
if (($# == 0)); then
    while read -r alert; do
        grep -q "ALERT $alert " "$log" || fail "make alerts: nothing provokes $alert"
    done < <(sed -n 's/^ *- alert: //p' deploy/prometheus/alerts.yml)
fi
