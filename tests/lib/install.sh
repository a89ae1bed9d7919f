#!/usr/bin/env bash
# Installs the tools of the tests: tests/lib/install.sh [system|python|npm|cargo|go|dist]... (all but dist).
#
# system  Debian packages, when root on Debian; elsewhere it names the missing packages and the command for them
# python  tests/requirements.txt into .work/venv
# npm     the packages of each tests/*/package-lock.json into the node_modules beside it
# cargo   cargo-deny and, with valgrind, gungraun-runner, into .work/cargo
# go      actionlint into .work/go, with a Go
# dist    the tools that only `make dist` needs: Zig into .work/dist, cargo-deb and cargo-cyclonedx
#
# Rust and Node must be installed. A tool that only some tests need (a browser, Ruby, PHP) is named, and those tests are
# skipped.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CARGO_DENY=0.20.2
CARGO_DEB=3.8.0
CARGO_CYCLONEDX=0.5.9
ACTIONLINT=1.7.12

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has_ruby() { ruby -e 'require "faye/websocket"; require "eventmachine"' 2>/dev/null; }
has_node() { have npm && node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; }

# want LIST CHECK... -- PACKAGE...: adds the packages to LIST if CHECK fails.
want() {
    local -n list=$1
    shift
    local check=()
    while [[ $1 != -- ]]; do
        check+=("$1")
        shift
    done
    shift
    "${check[@]}" || list+=("$@")
}

# Debian starts an installed service; the tests start their own.
stop_services() { # PACKAGE...
    local package
    [[ -d /run/systemd/system ]] || return 0 # without systemd Debian does not start it
    for package in "$@"; do
        case $package in
            redis-server | haproxy | prometheus) systemctl disable --quiet --now "$package" ;;
            nginx-light) systemctl disable --quiet --now nginx ;;
        esac
    done
}

install_system() {
    local needed=() optional=()
    have cargo || fail "missing: Rust, from https://rustup.rs"
    has_node || fail "missing: Node.js 20 or newer with npm"
    want needed have cc -- build-essential
    want needed have redis-server -- redis-server
    want needed have haproxy -- haproxy
    want needed have nginx -- nginx-light
    want needed have promtool -- prometheus
    want needed has_venv -- python3-venv
    want optional have openssl -- openssl
    want optional have curl -- curl ca-certificates
    want optional have_browser -- chromium
    want optional have valgrind -- valgrind
    want optional have systemd-nspawn -- systemd-container
    want optional have php -- php-cli
    want optional has_ruby -- ruby ruby-faye-websocket ruby-websocket ruby-eventmachine
    if ((${#needed[@]} + ${#optional[@]} == 0)); then return; fi

    if have apt-get && [[ $(id -u) == 0 ]]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${needed[@]}" "${optional[@]}"
        stop_services "${needed[@]}"
        return
    fi
    say "missing: ${needed[*]} ${optional[*]}"
    say "on Debian: sudo apt-get install --no-install-recommends ${needed[*]} ${optional[*]}"
    if ((${#needed[@]})); then fail "the tests cannot run without: ${needed[*]}"; fi
}

# python_into DIRECTORY FILE: the packages that FILE lists, into a virtual environment.
python_into() {
    if cmp -s "$2" "$1/installed"; then return; fi
    python3 -m venv --clear "$1"
    "$1/bin/pip" --quiet --disable-pip-version-check install -r "$2"
    cp "$2" "$1/installed"
}

install_python() { python_into "$WORK/venv" "$ROOT/tests/requirements.txt"; }

install_npm() {
    local dir lock manifest
    for manifest in "$ROOT"/tests/*/package.json; do
        dir=$(dirname "$manifest")
        lock=$dir/package-lock.json
        if cmp -s "$lock" "$dir/node_modules/.installed"; then continue; fi
        npm ci --prefix "$dir" --no-audit --no-fund --loglevel=error
        cp "$lock" "$dir/node_modules/.installed"
    done
}

# cargo_tool NAME VERSION: a cargo package with a program of its name. The tools run for a short time, so they are not
# optimized: that halves the build.
cargo_tool() {
    if grep -qs "^\"$1 $2 " "$WORK/cargo/.crates.toml"; then return; fi
    say "installing $1 $2"
    (
        unset CARGO_TARGET_DIR # its dependencies are not ours
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
            cargo install --quiet --debug --locked --root "$WORK/cargo" --version "$2" "$1"
    )
}

# The version of the library in the lock file.
install_gungraun() {
    local version
    have valgrind || return 0
    version=$(cd "$ROOT" && cargo pkgid gungraun)
    version=${version##*[#@]}
    cargo_tool gungraun-runner "$version" ||
        say "gungraun-runner $version could not be installed: instructions will not be counted"
}

install_cargo() {
    have cargo-deny || cargo_tool cargo-deny "$CARGO_DENY" ||
        say "cargo-deny $CARGO_DENY could not be installed: licences will not be checked"
    install_gungraun
}

install_go() {
    if ! have go || [[ $(actionlint --version 2>/dev/null) == *"$ACTIONLINT"* ]]; then return; fi
    GOBIN=$WORK/go/bin go install "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT" ||
        say "actionlint $ACTIONLINT could not be installed: workflows will not be checked"
}

install_dist() {
    python_into "$WORK/dist" "$ROOT/deploy/dist/requirements.txt"
    cargo_tool cargo-deb "$CARGO_DEB"
    cargo_tool cargo-cyclonedx "$CARGO_CYCLONEDX"
}

main() {
    local part
    for part in "$@"; do
        case $part in
            system | python | npm | cargo | go | dist) "install_$part" ;;
            *) fail "usage: tests/lib/install.sh [system|python|npm|cargo|go|dist]..." ;;
        esac
    done
}

if (($#)); then main "$@"; else main system python npm cargo go; fi
