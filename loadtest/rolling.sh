#!/usr/bin/env bash
# A rolling restart of three nodes behind HAProxy under load: `swarm rolling` holds clients and publishes, while each
# node is told to end, is started again, and is seen by HAProxy, before the next one is. About a minute. In channels with
# history, clients come back with the position of their last message, and must miss nothing.
#
#   loadtest/rolling.sh            release builds (or BIN and SWARM), without history and with; the times are judged too
#   loadtest/rolling.sh --small    what `make test` runs: debug builds, few clients; the times are only told
#
#   CLIENTS  clients (2000), in 50s to a channel    RATE  publishes a second (200)
#   PACE     how many clients a node sends away in a second, drain.rate (100)
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/common.sh"
cd "$ROOT"

START_SECONDS=60 # for a node to end, to be started again, and to be seen

# until_so WHAT CHECK...
until_so() {
    local what=$1 deadline=$((SECONDS + START_SECONDS))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "not within $START_SECONDS s: $what"
        sleep 0.1
    done
}

is_another() { [[ $(cat "$1") != "$2" ]]; }

# takes_new PORT NODE: whether HAProxy sends new clients to a node. One with the cookie of a node that is down is given
# another cookie.
takes_new() (
    exec 2>/dev/null 3<>"/dev/tcp/localhost/$1" || exit 1
    printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: FANFARE=%s\r\nConnection: close\r\n\r\n' "$2" >&3
    head=$(timeout 5 sed '/^\r$/q' <&3)
    [[ $head == "HTTP/1.1 200"* && ${head,,} != *$'\n'set-cookie:* ]]
)

restart_all() { # DIR
    local dir=$1 balancer node pid
    read -r balancer <"$dir/urls"
    for node in node1 node2 node3; do
        pid=$(cat "$dir/$node.pid")
        say "$node: SIGTERM"
        kill -TERM "$pid"
        until_so "$node is started again" is_another "$dir/$node.pid" "$pid"
        until_so "HAProxy sees $node" takes_new "${balancer##*:}" "$node"
        say "$node: is back"
    done
}

# One namespace with history, whose clients may read it.
HISTORY='[[namespace]]
name = "kept"
history_size = 10000
history_ttl = "10m"
history = "anonymous"'

# rolling SWARM CLIENTS RATE PACE FLAGS...
rolling() {
    local swarm=$1 clients=$2 rate=$3 pace=$4 dir=$WORK/rolling url path=
    shift 4
    export RESTART=1
    # HAProxy needs a second to notice; the pace counts, not the timeout.
    export FANFARE_DRAIN__GRACE=2s FANFARE_DRAIN__RATE=$pace FANFARE_DRAIN__TIMEOUT=$((20 + 2 * clients / pace))s
    say "$HISTORY" >"$WORK/history.toml"
    export FANFARE_CONFIG=$WORK/history.toml
    start_cluster "$dir" 3
    read -r url <"$dir/urls"
    # A channel without a namespace has no history.
    [[ " $* " != *" --history "* ]] || path=/ws/kept:rolling
    "$swarm" rolling --url "ws://${url#http://}$path" --clients "$clients" --channels $(((clients + 49) / 50)) \
        --rate "$rate" --json "$dir/rolling.json" "$@" -- "$ROOT/loadtest/rolling.sh" --restart-all "$dir"
    local node
    for node in node1 node2 node3; do
        grep -q 'drained: every client has gone' "$dir/$node.log" || fail "$node did not drain: $dir/$node.log"
    done
    end_background
}

case ${1:-} in
    --restart-all) restart_all "$2" ;;
    --small)
        fanfare_bin
        swarm_bin
        rolling "$SWARM" 150 40 25
        rolling "$SWARM" 150 40 25 --history
        "$SWARM" drain --server "$BIN" --connections 1500 --nodes 3 --hold 1 --pace 200
        ;;
    "")
        release=${CARGO_TARGET_DIR:-$ROOT/target}/release
        [[ -n ${BIN:-} && -n ${SWARM:-} ]] || cargo build --release -p fanfare -p fanfare-swarm
        BIN=${BIN:-$release/fanfare}
        SWARM=${SWARM:-$release/swarm}
        pace=${PACE:-100}
        rolling "$SWARM" "${CLIENTS:-2000}" "${RATE:-200}" "$pace" --pace "$pace" --away 5
        rolling "$SWARM" "${CLIENTS:-2000}" "${RATE:-200}" "$pace" --pace "$pace" --away 5 --history
        ;;
    *) fail "usage: loadtest/rolling.sh [--small]" ;;
esac
