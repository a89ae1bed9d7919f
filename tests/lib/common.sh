#!/usr/bin/env bash
# Sourced by the test scripts. ROOT is the checkout, WORK (git-ignored) the folder for tools and results.
# SKIPS, set by tests/all.sh, is a file that collects the skipped checks with their reasons.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$ROOT/.work
PATH=$WORK/cargo/bin:$WORK/go/bin:$PATH:/usr/sbin # tools of tests/lib/install.sh; Debian's haproxy
mkdir -p "$WORK"

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

skip() { # WHAT: WHY
    say "SKIPPED $*"
    if [[ -n ${SKIPS:-} ]]; then say "$*" >>"$SKIPS"; fi
}

have() { command -v "$1" >/dev/null; }

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports N: the first of N free ports in a row, below the range the kernel hands out by itself.
free_ports() {
    local base port
    while :; do
        base=$((20000 + RANDOM % 10000))
        for ((port = base; port < base + $1; port++)); do
            if listening "$port"; then continue 2; fi
        done
        say "$base"
        return
    done
}

# fanfare_bin: sets BIN to a fanfare binary, built here unless the caller gave one. It has the features of `cargo test` for
# the whole workspace, so that nothing is built twice.
fanfare_bin() {
    [[ -z ${BIN:-} ]] || return 0
    (cd "$ROOT" && cargo build --workspace --all-features --bin fanfare)
    BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug/fanfare
}

# swarm_bin: the same for SWARM, the load generator.
swarm_bin() {
    [[ -z ${SWARM:-} ]] || return 0
    (cd "$ROOT" && cargo build --workspace --all-features --bin swarm)
    SWARM=${CARGO_TARGET_DIR:-$ROOT/target}/debug/swarm
}

# Background processes of a script, each in a group of its own. All end with the script; on Linux, even if the script
# is killed.
BACKGROUND=()
GUARD=()
! have setpriv || GUARD=(setpriv --pdeathsig TERM)
background() { # LOG COMMAND...
    local log=$1
    shift
    trap end_background EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    set -m
    ${GUARD[@]+"${GUARD[@]}"} "$@" </dev/null >"$log" 2>&1 &
    set +m
    BACKGROUND+=($!)
    disown
}

end_background() {
    local pid deadline=$((SECONDS + 20))
    for pid in ${BACKGROUND[@]+"${BACKGROUND[@]}"}; do kill -TERM -- "-$pid" 2>/dev/null || true; done
    for pid in ${BACKGROUND[@]+"${BACKGROUND[@]}"}; do
        while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    BACKGROUND=()
}

# await LOG CHECK...: waits until CHECK succeeds. Fails with the log when the last background process ends, or after 60 s.
await() {
    local log=$1 deadline=$((SECONDS + 60))
    shift
    until "$@"; do
        if ! kill -0 "${BACKGROUND[-1]}" 2>/dev/null || ((SECONDS >= deadline)); then
            cat "$log" >&2
            fail "did not start (above: $log)"
        fi
        sleep 0.05
    done
}

# start_cluster DIR NODES: runs deploy/local/cluster.sh on free ports, and waits until it is ready. DIR/urls lists the
# balancer and the nodes, one per line.
start_cluster() {
    local dir=$1 nodes=$2
    rm -rf "$dir"
    mkdir -p "$dir"
    background "$dir/cluster.log" env BIN="$BIN" NODES="$nodes" PORT="$(free_ports $((nodes + 1)))" \
        "$ROOT/deploy/local/cluster.sh" --state-dir "$dir"
    await "$dir/cluster.log" test -e "$dir/ready"
}

# have_browser: whether tests/browser/browser.mjs will find a browser.
have_browser() {
    local candidate
    for candidate in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
        if [[ -n $candidate && -e $candidate ]]; then return; fi
    done
    return 1
}

# table MARK: makes a table of lines behind that mark. Fields are between bars; a field is a word and a number, but for the
# first, which is the fault.
table() { # MARK
    awk -F ' [|] ' -v mark="^.*$1 " '
        { sub(mark, "") }
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
