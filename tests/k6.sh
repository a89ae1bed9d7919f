#!/usr/bin/env bash
# The journeys of loadtest/k6 through HAProxy, on a cluster of three nodes.
#
#   tests/k6.sh           a short run of each, and a run against each lie of tests/k6/liar.py, which it must notice:
#                         a part of `make test`. Thresholds about time are left out
#   tests/k6.sh NAME...   each in full, with the settings of the environment: `make k6`. The nodes are restarted under
#                         `restart`, at FANFARE_DRAIN__RATE clients a second
#
# Each run's summary is in .work/k6, as NAME.txt and NAME.json.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

STATE=$WORK/k6
CLUSTER=$STATE/cluster
THRESHOLDS_FAILED=99 # k6's exit code
NO_TIMES='"delivery_ms":[],"join_ms":[],"away_ms":[],"delivery_ms{quarter:1}":[],"delivery_ms{quarter:4}":[]'

find_k6() {
    cmp -s "$ROOT/tests/requirements.txt" "$WORK/venv/installed" || "$ROOT/tests/lib/install.sh" python
    K6=$WORK/venv/bin/k6
    [[ -x $K6 ]]
}

# journey NAME [-e SETTING]...: runs it; what it says is in NAME.txt.
journey() {
    local name=$1
    shift
    "$K6" run --no-usage-report --address= --quiet -e SUMMARY="$STATE/$name.json" "$@" "$ROOT/loadtest/k6/${name%%.*}.js" \
        >"$STATE/$name.txt" 2>&1
}

# run NAME [-e SETTING]...
run() {
    local status=0
    journey "$@" || status=$?
    cat "$STATE/$1.txt"
    ((status == 0)) || fail "k6: $1 failed (exit code $status)"
}

# Under the journey each node is told to end and, once it has, started again as it was, one after the other.
run_restart() {
    local status=0 i running start
    set -m
    journey restart "$@" &
    set +m
    running=$!
    BACKGROUND+=("$running")
    await "$STATE/restart.txt" talking
    start=$SECONDS
    for i in 1 2 3; do restart_node "node$i" "$(sed -n "$((i + 1))p" "$CLUSTER/urls")"; done
    say "k6: three nodes restarted in $((SECONDS - start)) s"
    kill -0 "$running" 2>/dev/null || say "k6: the clients had left by then; a longer DURATION shows more"
    wait "$running" || status=$?
    cat "$STATE/restart.txt"
    ((status == 0)) || fail "k6: restart failed (exit code $status)"
}

# All clients are there once they talk.
talking() {
    "$BIN" top --json --url "$(tail -n 1 "$CLUSTER/urls")" |
        grep -q '"total":.*"deliveries_per_second":\([1-9]\|0\.0*[1-9]\)'
}

restart_node() { # NAME URL
    local pid log=$CLUSTER/$1-again.log variables command
    pid=$(cat "$CLUSTER/$1.pid")
    mapfile -d '' -t variables <"/proc/$pid/environ"
    mapfile -d '' -t command <"/proc/$pid/cmdline"
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    background "$log" env -i "${variables[@]}" "${command[@]}"
    await "$log" ready "$2"
    sleep 1 # HAProxy looks twice in that time
}

ready() { "$BIN" health "$1/readyz" >/dev/null 2>&1; }

# lie NAME METRIC...: a short run against that lie, which fails at thresholds of these metrics and no others.
lie() {
    local name=$1 status=0 found
    shift
    journey "fanout.$name" -e URL="ws://127.0.0.1:$LIAR" -e CHANNEL="$name" -e VUS=4 -e RATE=20 -e RAMP=1s \
        -e DURATION=5s -e SETTLE=1s -e BACKOFF=100ms -e THRESHOLDS="$([[ $name == late ]] || say "{$NO_TIMES}")" ||
        status=$?
    found=$(failed_metrics "$STATE/fanout.$name.json")
    if ((status != THRESHOLDS_FAILED)) || [[ $found != "$*" ]]; then
        cat "$STATE/fanout.$name.txt"
        fail "k6: the lie \"$name\" fails at: ${found:-nothing} (exit code $status); wanted: $*"
    fi
    say "k6: noticed: $name (${found})"
}

failed_metrics() { # SUMMARY
    "$WORK/venv/bin/python" -c 'if True:
        import json, sys
        print(*sorted({one["metric"] for one in json.load(open(sys.argv[1]))["thresholds"] if not one["ok"]}))' "$1"
}

# All at once: they wait more than they work.
lies() {
    LIAR=$(free_ports 1)
    background "$STATE/liar.log" "$WORK/venv/bin/python" -B "$ROOT/tests/k6/liar.py" "$LIAR"
    await "$STATE/liar.log" listening "$LIAR"
    together lie lose lost
    together lie double doubled
    together lie swap disordered
    together lie astray astray
    together lie silence delivered lost
    together lie late delivery_ms
    together lie refuse closes 'closes{code:1013}'
    together lie cut closes
    together lie full delivered there_at_end upgrade_failed
    all_of_them "k6: a threshold does not see what it is there for"
}

# Those that leave the nodes alone all at once, each in channels of its own: they too wait more than they work.
short() {
    local common=(-e RAMP=1s -e SETTLE=3s -e BACKOFF=200ms -e THRESHOLDS="{$NO_TIMES}")
    together run fanout "${common[@]}" -e CHANNEL=fanout -e VUS=40 -e PUBLISHERS=4 -e RATE=20 -e DURATION=4s
    together run rooms "${common[@]}" -e CHANNEL=rooms -e VUS=30 -e CHANNELS=5 -e TALK=500ms -e SETTLE=2s -e STAY=5s \
        -e DURATION=9s
    together run storm "${common[@]}" -e CHANNEL=storm -e VUS=200 -e DURATION=3s
    together run soak "${common[@]}" -e CHANNEL=soak -e VUS=30 -e CHANNELS=5 -e TALK=500ms -e DURATION=5s
    all_of_them "k6: a journey failed"
    run_restart "${common[@]}" -e VUS=60 -e CHANNELS=6 -e RATE=60 -e DURATION=10s
    lies
}

# together COMMAND...: begins it. all_of_them FAILURE: waits for all that were begun.
TOGETHER=()
together() {
    "$@" &
    TOGETHER+=($!)
}

all_of_them() {
    local one status=0
    for one in "${TOGETHER[@]}"; do wait "$one" || status=1; done
    TOGETHER=()
    ((status == 0)) || fail "$1"
}

main() {
    local name
    find_k6 || {
        skip "k6: it is not made for this system"
        return
    }
    fanfare_bin
    rm -rf "$STATE"
    mkdir -p "$STATE"
    export FANFARE_DRAIN__RATE=${FANFARE_DRAIN__RATE:-50}
    start_cluster "$CLUSTER" 3
    URL=$(sed -n '1s/^http/ws/p' "$CLUSTER/urls")
    export URL
    if (($# == 0)); then
        short
        say "k6: five journeys passed, nine lies noticed"
    fi
    for name in "$@"; do
        if [[ $name == restart ]]; then run_restart; else run "$name"; fi
    done
}

main "$@"
