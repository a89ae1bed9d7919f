#!/usr/bin/env bash
# Installs what the tests need and the machine lacks: tests/lib/install.sh [system|python|npm|cargo]... (all of them).
#
# system  Debian packages, when root on Debian; elsewhere what is missing is named, with the way to get it
# python  tests/requirements.txt into .work/venv
# npm     what each tests/*/package-lock.json says into the node_modules beside it
# cargo   gungraun-runner, where there is a valgrind for it, into .work/cargo
#
# Rust and Node must be there. What only some tests need (a browser, Ruby, PHP) is named and those tests are skipped.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has_ruby() { ruby -e 'require "faye/websocket"; require "eventmachine"' 2>/dev/null; }
has_node() { have npm && node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; }

# want LIST CHECK... -- PACKAGE...: adds the packages to LIST unless CHECK succeeds.
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

# Debian starts what it installs; the tests start their own.
stop_services() { # PACKAGE...
    local package
    [[ -d /run/systemd/system ]] || return 0 # and where there is no systemd, it does not
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

install_python() {
    local venv=$WORK/venv requirements=$ROOT/tests/requirements.txt
    if cmp -s "$requirements" "$venv/installed"; then return; fi
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install -r "$requirements"
    cp "$requirements" "$venv/installed"
}

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

# The same version as the library, which the lock file has. It only starts valgrind and reads what that wrote, so it
# need not be optimized.
install_cargo() {
    local version
    have valgrind || return 0
    version=$(cd "$ROOT" && cargo pkgid gungraun)
    version=${version##*[#@]}
    if [[ $(gungraun-runner --version 2>/dev/null) == *" $version" ]]; then return; fi
    cargo install --quiet --debug --locked --root "$WORK/cargo" --version "$version" gungraun-runner ||
        say "gungraun-runner $version could not be installed: instructions will not be counted"
}

main() {
    local part
    for part in "$@"; do
        case $part in
            system | python | npm | cargo) "install_$part" ;;
            *) fail "usage: tests/lib/install.sh [system|python|npm|cargo]..." ;;
        esac
    done
}

if (($#)); then main "$@"; else main system python npm cargo; fi
