#!/usr/bin/env bash
# Checks that need no running server: format, lints, documentation, licences, scripts. `make check`.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

run() {
    say "\$ $*"
    "$@"
}

check_dependencies() {
    run cargo fetch --quiet --locked --manifest-path fuzz/Cargo.toml # a lock file of its own, which is easily forgotten
    if ! have cargo-deny; then
        skip "licences and bans: cargo-deny is missing (tests/lib/install.sh cargo)"
        return
    fi
    run cargo fetch --quiet # all of the lock file: it reads manifests of all systems
    # Advisories need a database from the network: that check is not a part of this one.
    run cargo deny --offline check licenses bans sources
}

check_dockerfile() {
    local hadolint version
    hadolint=$(command -v hadolint || command -v "$WORK/venv/bin/hadolint") || {
        skip "Dockerfile: hadolint is missing (tests/lib/install.sh python)"
        return
    }
    run "$hadolint" deploy/Dockerfile
    version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
    grep -qx "ARG VERSION=$version" deploy/Dockerfile || fail "deploy/Dockerfile: want ARG VERSION=$version, as in Cargo.toml"
}

check_scripts() {
    local shellcheck scripts
    shellcheck=$(command -v shellcheck || command -v "$WORK/venv/bin/shellcheck") || {
        skip "shell scripts: shellcheck is missing (tests/lib/install.sh python)"
        return
    }
    mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run deploy/debian)
    run "$shellcheck" --external-sources "${scripts[@]}"
}

check_workflows() {
    if have actionlint; then
        run actionlint # and the shell in them, by shellcheck
    else
        skip "workflows: actionlint is missing (tests/lib/install.sh go)"
    fi
}

check_haproxy() {
    if have haproxy; then
        run haproxy -c -f deploy/haproxy/haproxy.cfg
    else
        skip "HAProxy's configuration: haproxy is missing"
    fi
}

check_nginx() {
    if ! have nginx; then
        skip "nginx's configuration: nginx is missing (Debian: apt-get install nginx-light)"
        return
    fi
    run nginx -t -q -e stderr -c "$ROOT/deploy/nginx/nginx.conf" -g "pid $WORK/nginx.pid;"
}

# The exposure that `systemd-analyze security` may find, in tenths: the rest is that the node has a network.
EXPOSURE=15

check_systemd() {
    local units=$WORK/units binary
    if ! have systemd-analyze; then
        skip "systemd's units: systemd-analyze is missing (Debian: apt-get install systemd)"
        return
    fi
    rm -rf "$units"
    mkdir -p "$units/fanfare@.service.d"
    binary=$(type -P true) # the one that they name need not be installed here
    sed "s#/usr/bin/fanfare#$binary#" deploy/systemd/fanfare.service >"$units/fanfare.service"
    cp "$units/fanfare.service" "$units/fanfare@.service"
    cp deploy/systemd/fanfare.socket "$units/"
    cp deploy/systemd/hand-over.conf "$units/fanfare@.service.d/"
    run systemd-analyze verify --man=no "$units/fanfare.service" "$units/fanfare@a.service" "$units/fanfare.socket"
    run systemd-analyze security --offline=true --no-pager --threshold=$EXPOSURE "$units/fanfare.service" \
        >"$units/security" || {
        cat "$units/security"
        fail "fanfare.service is more exposed than $EXPOSURE tenths"
    }
}

check_prometheus() {
    if have promtool; then
        run promtool check config deploy/prometheus/prometheus.yml # and the rules that it names
        run promtool check rules --lint=all --lint-fatal deploy/prometheus/recording.yml deploy/prometheus/alerts.yml
        run promtool test rules deploy/prometheus/tests/*.yml
    else
        skip "Prometheus' configuration: promtool is missing (Debian: apt-get install prometheus)"
    fi
    run tests/alerts-covered.sh
}

check_dashboards() {
    if [[ -d tests/grafana/node_modules ]]; then
        run tests/grafana/types.sh
    else
        skip "dashboards: their schema is not installed (tests/lib/install.sh npm)"
    fi
}

run cargo fmt --all --check
run tests/lib/import-cycles.py
run cargo clippy --workspace --all-targets --all-features -- -D warnings
run cargo clippy -p fanfare --no-default-features -- -D warnings # as `make run` builds it
RUSTDOCFLAGS="-D warnings" run cargo doc --workspace --all-features --no-deps
run python3 tests/lib/language.py
run python3 tests/lib/api-reference.py --check
run tests/lib/named-tests.py
check_dependencies
check_dockerfile
check_scripts
check_workflows
check_haproxy
check_nginx
check_systemd
check_prometheus
check_dashboards
