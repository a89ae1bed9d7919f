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
RUNNING=

# Builds all that `cargo test` needs, the binary too, so that nothing is built twice.
build() {
    cargo build --workspace --all-features --bins --tests
}

# step NAME COMMAND...: in a process group of its own, so that it ends whole when this script does.
step() {
    local name=$1 start=$SECONDS status=0 result
    shift
    printf '\n=== %s\n' "$name"
    set -m
    "$@" </dev/null &
    RUNNING=$!
    set +m
    wait "$RUNNING" || status=$?
    RUNNING=
    if ((status == 0)); then result=passed; else result=FAILED; fi
    SUMMARY+=("$(printf '%-32s %s  %4d s' "$name" "$result" $((SECONDS - start)))")
    if ((status)); then
        finish 1
        fail "make test: FAILED at: $name"
    fi
}

finish() { # FAILED
    printf '\n=== Summary, %d s\n' "$SECONDS"
    printf '%s\n' "${SUMMARY[@]}"
    sed 's/^/skipped  /' "$SKIPS"
    printf 'steps: %d passed, %d failed, %d skipped\n' $((${#SUMMARY[@]} - $1)) "$1" "$(wc -l <"$SKIPS")"
}

end_running() {
    trap '' INT TERM HUP
    if [[ -n $RUNNING ]]; then
        kill -TERM -- "-$RUNNING" 2>/dev/null || true
        wait "$RUNNING" 2>/dev/null || true
        kill -KILL -- "-$RUNNING" 2>/dev/null || true
    fi
}
trap end_running EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "prerequisites" tests/lib/install.sh
step "format, lints, docs, licences" tests/check.sh
step "build" build
step "cargo test" tests/cargo-test.py
step "instruction budgets" tests/instructions/run.sh
export BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug/fanfare SWARM=${CARGO_TARGET_DIR:-$ROOT/target}/debug/swarm
step "containers" tests/containers.sh
step "Autobahn, core" tests/autobahn/run.sh core
step "API" tests/api/run.sh
step "clients" tests/clients/run.sh
step "Centrifugo clients" tests/centrifugo/run.sh
step "Plain HTTP" tests/plain/run.sh
step "TLS" tests/tls/run.sh
step "rolling restart and drain" loadtest/rolling.sh --small
step "traces" tests/traces/run.sh
step "systemd" tests/systemd/run.sh
step "browser" tests/browser.sh
step "k6" tests/k6.sh
step "Kubernetes" tests/k8s/run.sh
finish 0
