#!/usr/bin/env bash
# A whole Fanfare cluster on this machine: a Redis of its own (or several), NODES nodes, HAProxy in front.
#
#   deploy/local/cluster.sh [--state-dir DIR]
#
#   NODES      how many nodes (3)
#   REDIS      one (the default); three: three servers that share the channels; sentinel: a master, two replicas and
#              three Sentinels; cluster: a Redis Cluster of three masters with a replica each
#   PORT       HAProxy's port on localhost (8080); the nodes take the ports after it
#   BIN        a fanfare binary (default: built here by cargo)
#   RESTART=1  a node that ends is started again, as a service manager does
#
# Ctrl-C or SIGTERM stops all of it. With --state-dir, for tests, DIR gets `urls` (one a line: the balancer,
# then node1, node2, ...), `redis.url`, NAME.pid and NAME.log of each process, and, once all is up, `ready`.
# The nodes take a client's address from the balancer. They inherit the environment: FANFARE_CONFIG gives them a
# configuration file.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NODES=${NODES:-3}
REDIS=${REDIS:-one}
PORT=${PORT:-8080}
START_SECONDS=30 # for each process to become ready
STOP_SECONDS=10  # from SIGTERM to SIGKILL
STATE=
KEEP_STATE=
PATH=$PATH:/usr/sbin # Debian's haproxy is there

fail() {
    printf 'cluster: %s\n' "$*" >&2
    exit 1
}

parse() {
    if [[ $# -eq 2 && $1 == --state-dir ]]; then
        STATE=$2 KEEP_STATE=1
    elif [[ $# -gt 0 ]]; then
        fail "usage: cluster.sh [--state-dir DIR]"
    fi
    [[ $REDIS =~ ^(one|three|sentinel|cluster)$ ]] || fail "REDIS=$REDIS: want one, three, sentinel or cluster"
    [[ $NODES =~ ^[1-9][0-9]?$ ]] || fail "NODES=$NODES: want 1 to 99"
    [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || fail "PORT=$PORT: not a port"
    ((PORT + NODES <= 65535)) || fail "PORT=$PORT: leaves no ports for $NODES nodes after it"
}

# need PROGRAM PACKAGE: notes what is missing, so that all of it is named at once.
MISSING=()
need() {
    command -v "$1" >/dev/null || MISSING+=("$1 (Debian: apt-get install $2)")
}

check_programs() {
    need redis-server redis-server
    [[ $REDIS != cluster ]] || need redis-cli redis-tools
    need haproxy haproxy
    [[ -n ${BIN:-} ]] || command -v cargo >/dev/null || MISSING+=("cargo (https://rustup.rs)")
    if ((${#MISSING[@]})); then
        printf 'cluster: missing: %s\n' "${MISSING[@]}" >&2
        exit 1
    fi
}

listening() { # HOST PORT
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

has_ipv6() {
    [[ ! -e /proc/net ]] || grep -qs '^0\{31\}1 ' /proc/net/if_inet6
}

check_ports() {
    local port
    for ((port = PORT; port <= PORT + NODES; port++)); do
        if listening 127.0.0.1 "$port" || listening ::1 "$port"; then
            fail "port $port is in use (wanted: $PORT to $((PORT + NODES))); free it or set PORT"
        fi
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        if ((port < PORT || port > PORT + NODES)) && ! listening 127.0.0.1 "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
}

build() {
    [[ -z ${BIN:-} ]] || return 0
    (cd "$ROOT" && cargo build -p fanfare --no-default-features) # as `make run`
    BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug/fanfare
}

# Each process gets a group of its own, so that the terminal's Ctrl-C reaches only this script, which then
# stops them in order. Where Linux can, the kernel ends them should this script itself be killed.
NAMES=()
GUARD=()
! command -v setpriv >/dev/null || GUARD=(setpriv --pdeathsig TERM)
start() { # NAME COMMAND...
    local name=$1
    shift
    set -m
    ${GUARD[@]+"${GUARD[@]}"} "$@" </dev/null >>"$STATE/$name.log" 2>&1 &
    set +m
    printf '%s\n' $! >"$STATE/$name.pid"
    disown # watch() tells of its end, not the shell
    NAMES+=("$name")
}

pid_of() { cat "$STATE/$1.pid"; }
alive() { kill -0 "$(pid_of "$1")" 2>/dev/null; }

stop() { # NAME...
    local name deadline=$((SECONDS + STOP_SECONDS))
    for name in "$@"; do kill -TERM "$(pid_of "$name")" 2>/dev/null || true; done
    for name in "$@"; do
        while alive "$name" && ((SECONDS < deadline)); do sleep 0.05; done
        kill -KILL "$(pid_of "$name")" 2>/dev/null || true
    done
}

stop_all() {
    trap '' INT TERM HUP
    local name others=() servers=()
    for name in ${NAMES[@]+"${NAMES[@]}"}; do
        if [[ $name == redis* || $name == sentinel* ]]; then servers+=("$name"); else others+=("$name"); fi
    done
    stop ${others[@]+"${others[@]}"} # Redis goes last: a node leaves the registry through it.
    stop ${servers[@]+"${servers[@]}"}
    if [[ -z $KEEP_STATE && -n $STATE ]]; then rm -rf "$STATE"; else rm -f "$STATE/ready"; fi
}

# ready PORT: whether GET /readyz is answered there with 200.
ready() (
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET /readyz HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$1" >&3
    read -r -t 2 status <&3 && [[ $status == "HTTP/1."?" 200"* ]]
)

fail_with_log() { # NAME WHAT
    tail -n 20 "$STATE/$1.log" >&2
    fail "$1: $2 (above: the end of its log)"
}

await() { # NAME CHECK...
    local name=$1 deadline=$((SECONDS + START_SECONDS))
    shift
    until "$@"; do
        alive "$name" || fail_with_log "$name" "ended while starting"
        ((SECONDS < deadline)) || fail_with_log "$name" "not ready within $START_SECONDS s"
        sleep 0.05
    done
}

port_of() { cat "$STATE/$1.port"; }

start_server() { # NAME [OPTION...]
    local name=$1 port
    port=$(free_port)
    shift
    printf '%s\n' "$port" >"$STATE/$name.port"
    mkdir -p "$STATE/$name"
    start "$name" redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$STATE/$name" "$@"
    await "$name" listening 127.0.0.1 "$port"
}

start_sentinel() { # NAME
    local name=$1 port
    port=$(free_port)
    printf '%s\n' "$port" >"$STATE/$name.port"
    mkdir -p "$STATE/$name"
    printf '%s\n' "port $port" 'bind 127.0.0.1' "dir $STATE/$name" \
        "sentinel monitor main 127.0.0.1 $(port_of redis) 2" 'sentinel down-after-milliseconds main 2000' \
        'sentinel failover-timeout main 10000' >"$STATE/$name/sentinel.conf"
    start "$name" redis-server "$STATE/$name/sentinel.conf" --sentinel
    await "$name" listening 127.0.0.1 "$port"
}

# Six servers. redis-cli makes a Cluster from them. A master that does not answer for two seconds is replaced.
start_redis_cluster() {
    local name addresses=() bus
    for name in redis redis2 redis3 redis4 redis5 redis6; do
        bus=$(free_port)
        start_server "$name" --cluster-enabled yes --cluster-node-timeout 2000 --cluster-port "$bus" \
            --cluster-require-full-coverage no
        addresses+=("127.0.0.1:$(port_of "$name")")
    done
    redis-cli --cluster create "${addresses[@]}" --cluster-replicas 1 --cluster-yes >"$STATE/redis-cluster.log" ||
        fail "redis-cli --cluster create: see $STATE/redis-cluster.log"
    for name in redis redis2 redis3 redis4 redis5 redis6; do await "$name" in_cluster "$name"; done
    printf 'redis+cluster://%s\n' "$(IFS=, && printf '%s' "${addresses[*]}")" >"$STATE/redis.url"
}

# in_cluster NAME: whether a server knows all masters, and has its replica or its master.
in_cluster() {
    local port
    port=$(port_of "$1")
    redis-cli -p "$port" cluster info | grep -q '^cluster_state:ok' &&
        redis-cli -p "$port" info replication | grep -q '^slave0:.*state=online\|^master_link_status:up'
}

start_redis() {
    local name url
    if [[ $REDIS == cluster ]]; then
        start_redis_cluster
        return
    fi
    start_server redis
    url=redis://127.0.0.1:$(port_of redis)
    case $REDIS in
    three)
        for name in redis2 redis3; do
            start_server "$name"
            url+=,redis://127.0.0.1:$(port_of "$name")
        done
        ;;
    sentinel)
        for name in redis2 redis3; do start_server "$name" --replicaof 127.0.0.1 "$(port_of redis)"; done
        for name in sentinel1 sentinel2 sentinel3; do start_sentinel "$name"; done
        url=redis+sentinel://127.0.0.1:$(port_of sentinel1),127.0.0.1:$(port_of sentinel2)
        url+=,127.0.0.1:$(port_of sentinel3)/main
        ;;
    esac
    printf '%s\n' "$url" >"$STATE/redis.url"
}

start_node() { # NUMBER
    start "node$1" env FANFARE_PROXIES__TRUSTED=127.0.0.1 FANFARE_PROXIES__PROTOCOL=x-forwarded-for \
        "$BIN" serve --dev --listen "127.0.0.1:$((PORT + $1))" --broker "$(cat "$STATE/redis.url")" --node "node$1"
}

start_nodes() {
    local i
    for ((i = 1; i <= NODES; i++)); do start_node "$i"; done
    for ((i = 1; i <= NODES; i++)); do await "node$i" ready $((PORT + i)); done
}

render_haproxy() {
    local i metrics=8405 no_ipv6=()
    has_ipv6 || no_ipv6=(-e '/bind \[::1\]/d')
    # Its metrics are where Prometheus' configuration has them, unless another cluster is or will be there.
    if ((PORT != 8080)) || listening 127.0.0.1 "$metrics"; then metrics=$(free_port); fi
    sed -e '/^ *server /d' -e "s/^\( *bind .*\):8080$/\1:$PORT/" -e "s/^\( *bind .*\):8405$/\1:$metrics/" \
        ${no_ipv6[@]+"${no_ipv6[@]}"} "$ROOT/deploy/haproxy/haproxy.cfg"
    for ((i = 1; i <= NODES; i++)); do
        printf '    server node%d 127.0.0.1:%d cookie node%d\n' "$i" $((PORT + i)) "$i"
    done
}

start_haproxy() {
    render_haproxy >"$STATE/haproxy.cfg"
    start haproxy haproxy -db -f "$STATE/haproxy.cfg"
    await haproxy ready "$PORT"
}

announce() {
    local i name broker='one Redis'
    [[ $REDIS != three ]] || broker='three servers of Redis'
    [[ $REDIS != sentinel ]] || broker='a Redis with two replicas and three Sentinels'
    [[ $REDIS != cluster ]] || broker='a Redis Cluster of three masters with a replica each'
    {
        printf 'http://localhost:%d\n' "$PORT"
        for ((i = 1; i <= NODES; i++)); do printf 'http://127.0.0.1:%d\n' $((PORT + i)); done
    } >"$STATE/urls"
    touch "$STATE/ready"

    printf '\nFanfare is up: %d nodes, %s, HAProxy in front.\n\n' "$NODES" "$broker"
    printf '  open       http://localhost:%d   (HAProxy; a cookie keeps a browser on its node)\n' "$PORT"
    for ((i = 1; i <= NODES; i++)); do
        printf '  node%-2d     http://127.0.0.1:%d   (pid %d)\n' "$i" $((PORT + i)) "$(pid_of "node$i")"
    done
    printf '  broadcast  curl --json '\''{"channel":"lobby","data":"hello"}'\'' http://localhost:%d/api/publish\n' "$PORT"
    if [[ $REDIS == one ]]; then
        printf '             redis-cli -p %s publish fanfare:lobby hello\n' "$(port_of redis)"
    else
        for name in "${NAMES[@]}"; do
            [[ $name != redis* && $name != sentinel* ]] ||
                printf '  %-10s redis-cli -p %s   (pid %d)\n' "$name" "$(port_of "$name")" "$(pid_of "$name")"
        done
    fi
    printf '  watch      %s top --url http://localhost:%d\n' "$BIN" "$PORT"
    printf '  logs       %s\n\nCtrl-C stops all of it.\n' "$STATE"
}

# If a node dies (kill one, and see), or one of several servers, a line says so and the rest goes on. Without the only
# Redis, or without HAProxy, all of it ends.
watch() {
    local name running
    while :; do
        running=()
        for name in "${NAMES[@]}"; do
            if alive "$name"; then
                running+=("$name")
            elif [[ $name == node* || $REDIS != one && $name != haproxy ]]; then
                printf 'cluster: %s has ended; its log: %s\n' "$name" "$STATE/$name.log"
                [[ -n ${RESTART:-} && $name == node* ]] || continue
                start_node "${name#node}"
                running+=("$name")
            else
                fail_with_log "$name" "has ended"
            fi
        done
        NAMES=("${running[@]}")
        sleep 0.3
    done
}

main() {
    parse "$@"
    check_programs
    check_ports
    build
    [[ -n $STATE ]] || STATE=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-cluster.XXXXXX")
    mkdir -p "$STATE"
    rm -f "$STATE/ready" "$STATE"/*.log
    trap stop_all EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start_redis
    start_nodes
    start_haproxy
    announce
    watch
}

main "$@"
