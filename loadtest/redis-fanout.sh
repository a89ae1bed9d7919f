#!/usr/bin/env bash
# The cost of a publish on a busy Redis, by the number of subscribers of its channel: each node is one subscriber.
# A Redis of its own; publishes come in pipelines of 64, 190 B each (an envelope with 128 B); subscribers only read.
# CPU of the Redis process, so other work on this machine matters little. A minute.
#
#   loadtest/redis-fanout.sh [SUBSCRIBERS...]     (1 2 4 8 16 32 64)
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/common.sh"

DELIVERIES=2000000 # of each run, about
ROUNDS=3

for program in redis-server redis-cli redis-benchmark; do
    have "$program" || fail "redis-fanout needs $program (Debian: apt-get install redis-server redis-tools)"
done

[[ $# -gt 0 ]] || set -- 1 2 4 8 16 32 64
for n in "$@"; do [[ $n =~ ^[1-9][0-9]*$ ]] || fail "usage: loadtest/redis-fanout.sh [SUBSCRIBERS...], fewest first"; done

port=$(free_ports 1)
dir=$WORK/redis-fanout
mkdir -p "$dir"
background "$dir/redis.log" redis-server --port "$port" --save '' --dir "$dir" --client-output-buffer-limit 'pubsub 0 0 0'
redis=${BACKGROUND[0]}
await "$dir/redis.log" listening "$port"

# The process' user and system time, in milliseconds.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz }' "/proc/$redis/stat"; }

subscriber() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'SUBSCRIBE fanfare:channel\r\n' >&3
    exec cat <&3
}

subscribers() { redis-cli -p "$port" pubsub numsub fanfare:channel | tail -n 1; }

reached() { (($(subscribers) >= $1)); }

envelope=$(printf '%190s' '' | tr ' ' x)
printf 'subscribers  µs of Redis per publish\n'
for n in "$@"; do
    while (($(subscribers) < n)); do
        before=$(subscribers)
        subscriber >/dev/null & # ends with Redis
        await "$dir/redis.log" reached $((before + 1))
    done
    publishes=$((DELIVERIES / (n + 4)))
    for ((round = 0; round < ROUNDS; round++)); do
        from=$(cpu)
        redis-benchmark -p "$port" -c 8 -P 64 -n "$publishes" -q publish fanfare:channel "$envelope" >/dev/null
        printf '%s %s %s\n' "$from" "$(cpu)" "$publishes"
    done | awk '{ print ($2 - $1) * 1000 / $3 }' | sort -g |
        awk -v n="$n" '{ all[NR] = $1 } END { printf "%11d  %.2f\n", n, all[int((NR + 1) / 2)] }'
done
