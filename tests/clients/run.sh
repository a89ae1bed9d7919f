#!/usr/bin/env bash
# The client matrix: an everyday WebSocket client of each ecosystem joins one channel on two nodes, sends text
# and binary from 0 bytes to 1 MiB both ways, and finds every message at both ends as it was sent. Then the tests of
# clients/js, and the blocks of docs/clients.md as they stand there.
# A client whose toolchain is missing is skipped. Needs what tests/lib/install.sh installs.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

HERE=$ROOT/tests/clients
STATE=$WORK/clients
PASSED=0
FAILED=()
LANGUAGES=() # whose blocks of docs/clients.md can run

# client NAME COMMAND...: a channel of its own on each of the two nodes.
client() {
    local name=$1 node urls=()
    shift
    for node in "${NODE_URLS[@]}"; do urls+=("ws${node#http}/ws/clients-$name"); done
    if timeout --foreground 60 "$@" "${urls[@]}"; then
        PASSED=$((PASSED + 1))
    else
        FAILED+=("$name")
    fi
}

node_clients() {
    if ! have node; then
        skip "Node client: node is missing"
        return
    fi
    [[ -d $HERE/node_modules ]] || "$ROOT/tests/lib/install.sh" npm
    client node-ws node "$HERE/node-ws.mjs"
    LANGUAGES+=(node)
}

python_clients() {
    [[ -x $WORK/venv/bin/python ]] || "$ROOT/tests/lib/install.sh" python
    client python-websockets "$WORK/venv/bin/python" -B "$HERE/python_websockets.py"
    client python-autobahn "$WORK/venv/bin/python" -B "$HERE/python_autobahn.py"
    LANGUAGES+=(python)
}

java_clients() {
    if java --list-modules 2>/dev/null | grep -q '^jdk.compiler@\(1[7-9]\|[2-9]\)'; then
        client java java "$HERE/JavaClient.java"
        LANGUAGES+=(java)
    else
        skip "Java client: a JDK of 17 or newer is missing"
    fi
}

go_clients() {
    local name
    if ! (cd "$HERE/go" && GOTOOLCHAIN=local go list -m) >/dev/null 2>&1; then
        skip "Go clients: Go of the version in tests/clients/go/go.mod is missing"
        return
    fi
    (cd "$HERE/go" && GOTOOLCHAIN=local go build -o "$WORK/go-clients/" ./coder ./gorilla)
    for name in coder gorilla; do client "go-$name" "$WORK/go-clients/$name"; done
    LANGUAGES+=(go)
}

ruby_clients() {
    if ruby -e 'require "faye/websocket"; require "eventmachine"' 2>/dev/null; then
        client ruby-faye ruby "$HERE/ruby_faye.rb"
        LANGUAGES+=(ruby)
    else
        skip "Ruby client: Ruby with faye-websocket is missing (Debian: apt-get install ruby ruby-faye-websocket)"
    fi
}

count() { # NAME COMMAND...
    if timeout --foreground 300 "${@:2}"; then
        PASSED=$((PASSED + 1))
    else
        FAILED+=("$1")
    fi
}

# PHP's library is in none of the registries that the tests install from.
php_blocks() {
    if ! have php; then
        skip "PHP's blocks of docs/clients.md: PHP is missing (Debian: apt-get install php-cli)"
        return
    fi
    LANGUAGES+=(php)
    if [[ -f $WORK/php/vendor/autoload.php ]]; then
        export PHP_VENDOR=$WORK/php/vendor
    else
        skip "listen.php of docs/clients.md: not there (composer require --working-dir=.work/php phrity/websocket)"
    fi
}

# The last of all: it drains a node.
documented() {
    if ! have node; then
        skip "docs/clients.md and clients/js: node is missing"
        return
    fi
    php_blocks
    count clients/js node --test "$ROOT/clients/js"
    PYTHON=$WORK/venv/bin/python count docs/clients.md node "$HERE/docs/run.mjs" "$WORK/clients-docs" \
        "$(head -n 1 "$STATE/urls")" "$(cat "$STATE/node1.pid")" "${LANGUAGES[@]}"
}

main() {
    fanfare_bin
    export FANFARE_CONFIG=$HERE/node.toml
    start_cluster "$STATE" 2
    mapfile -t NODE_URLS < <(tail -n +2 "$STATE/urls")
    node_clients
    python_clients
    java_clients
    go_clients
    ruby_clients
    documented
    say "clients: $PASSED passed, ${#FAILED[@]} failed${FAILED[*]+: ${FAILED[*]}}"
    ((PASSED > 0 && ${#FAILED[@]} == 0))
}

main "$@"
