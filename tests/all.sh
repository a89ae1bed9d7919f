#!/usr/bin/env bash
# Every check, in order, up to the first that fails: `make test`, and CI. The last lines say how each step went
# and what was skipped, and why. Nothing is left running, and nothing is written outside .work, target and the
# tests' node_modules.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

export SKIPS=$WORK/skipped
: >"$SKIPS"
SUMMARY=()
RUNNING=()

# Builds all that `cargo test` needs, the binary too, so that nothing is built twice.
build() {
    cargo build --workspace --all-features --bins --tests
}

# begin NAME COMMAND...: in a process group of its own, so that it ends whole when this script does.
begin() {
    NAME=$1 START=$SECONDS
    shift
    set -m
    "$@" </dev/null &
    RUNNING+=($!)
    set +m
}

# end NAME START PROCESS
end() {
    local status=0 result=passed
    wait "$3" || status=$?
    if ((status)); then result=FAILED; fi
    SUMMARY+=("$(printf '%-32s %s  %4d s' "$1" "$result" $((SECONDS - $2)))")
    if ((status)); then
        finish 1
        fail "make test: FAILED at: $1"
    fi
}

step() { # NAME COMMAND...
    printf '\n=== %s\n' "$1"
    begin "$@"
    end "$NAME" "$START" "${RUNNING[-1]}"
    unset 'RUNNING[-1]'
}

# beside NAME COMMAND...: a step that runs beside the next ones until `join`: either it or they wait more than they compute.
beside() {
    BESIDE_LOG=$WORK/beside.log
    begin "$@" >"$BESIDE_LOG" 2>&1
    BESIDE=("$NAME" "$START" "${RUNNING[-1]}")
}

join() {
    local status=0
    wait "${BESIDE[2]}" || status=$?
    printf '\n=== %s\n' "${BESIDE[0]}"
    cat "$BESIDE_LOG"
    end "${BESIDE[@]}"
    RUNNING=()
}

finish() { # FAILED
    printf '\n=== Summary, %d s\n' "$SECONDS"
    printf '%s\n' "${SUMMARY[@]}"
    sed 's/^/skipped  /' "$SKIPS"
    printf 'steps: %d passed, %d failed, %d skipped\n' $((${#SUMMARY[@]} - $1)) "$1" "$(wc -l <"$SKIPS")"
}

end_running() {
    local process
    trap '' INT TERM HUP
    for process in "${RUNNING[@]}"; do kill -TERM -- "-$process" 2>/dev/null || true; done
    for process in "${RUNNING[@]}"; do
        wait "$process" 2>/dev/null || true
        kill -KILL -- "-$process" 2>/dev/null || true
    done
}
trap end_running EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "system packages" tests/lib/install.sh system
beside "tools" tests/lib/install.sh python npm cargo go
step "build" build
join
export BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug/fanfare SWARM=${CARGO_TARGET_DIR:-$ROOT/target}/debug/swarm
beside "Centrifugo clients" tests/centrifugo/run.sh
step "format, lints, docs, licences" tests/check.sh
join
step "cargo test" tests/lib/cargo-test.py
beside "instruction budgets" tests/instructions/run.sh
step "API" tests/api/run.sh
step "clients" tests/clients/run.sh
step "Plain HTTP" tests/plain/run.sh
step "TLS" tests/tls/run.sh
step "systemd" tests/systemd/run.sh
step "Kubernetes" tests/k8s/run.sh
step "browser" tests/browser.sh
step "Autobahn, core" tests/autobahn/run.sh core
step "traces" tests/traces/run.sh
step "containers" tests/containers.sh
join
step "rolling restart and drain" loadtest/rolling.sh --small
step "k6" tests/k6.sh
finish 0
