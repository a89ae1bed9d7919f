#!/usr/bin/env bash
# Checks the promises of the units, inside the systemd that runs them: tests/systemd/run.sh starts it there.
set -Eeuo pipefail

fail() {
    printf 'FAILED: %s\n' "$*"
    journalctl --no-pager --lines=40 --output=cat --unit="fanfare*" || true
    exit 1
}

trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

holds() { printf 'ok  %s\n' "$*"; }

property() { systemctl show --property="$2" --value "$1"; } # UNIT PROPERTY

await() { # WHAT CHECK...
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "not within 30 s: $what"
        sleep 0.1
    done
}

# request HEADERS: the status of GET /chat.
request() (
    exec 2>/dev/null 3<>/dev/tcp/127.0.0.1/8080 || exit 1
    printf 'GET /chat HTTP/1.1\r\nHost: localhost:8080\r\n%s\r\n' "$1" >&3
    read -r -t 10 _ status _ <&3
    printf '%s\n' "$status"
)

UPGRADE=$'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

configure() { # LINES...; without any, a node ends as soon as it is told to
    (($#)) || set -- 'drain.grace = "0s"'
    printf '%s\n' 'listen = ["0.0.0.0:8080"]' 'open = true' 'broker = "memory"' "$@" >/etc/fanfare/fanfare.toml
    chown root:fanfare /etc/fanfare/fanfare.toml
    chmod 640 /etc/fanfare/fanfare.toml
}

# For what would take its time.
drop_in() { # UNIT LINES
    mkdir -p "/run/systemd/system/$1.d"
    printf '[Service]\n%b\n' "$2" >"/run/systemd/system/$1.d/test.conf"
    systemctl daemon-reload
}

ip link set lo up 2>/dev/null || true
mkdir -p /etc/sysusers.d /etc/fanfare
cp /mnt/sysusers.conf /etc/sysusers.d/fanfare.conf
systemd-sysusers 2>/dev/null
configure

systemctl start fanfare.service
pid=$(property fanfare.service MainPID)
[[ $(property fanfare.service StatusText) == ready ]] || fail "its status is not that it is ready"
[[ $(request "") == 200 ]] || fail "it does not answer"
most=$(ulimit -Hn) # where this machine has fewer, systemd gives all of them
descriptors=$((most < 1048576 ? most : 1048576))
grep -q "^Max open files  *$descriptors  *$descriptors" "/proc/$pid/limits" ||
    fail "not $descriptors descriptors: $(cat "/proc/$pid/limits")"
[[ $(stat -c %U "/proc/$pid") == fanfare ]] || fail "it runs as $(stat -c %U "/proc/$pid")"
for line in NoNewPrivs:.1 Seccomp:.2 CapBnd:.0000000000000000; do
    grep -q "^$line\$" "/proc/$pid/status" || fail "it is not confined ($line): $(cat "/proc/$pid/status")"
done
holds "started: ready, confined, as its own user, with $descriptors descriptors"

configure 'drain.grace = "0s"' 'log.level = "debug"'
systemctl reload fanfare.service
[[ $(property fanfare.service ActiveState) == active ]] || fail "after a reload"
configure 'no.such.key = 1'
! systemctl reload fanfare.service 2>/dev/null || fail "a configuration with mistakes was reloaded"
[[ $(property fanfare.service MainPID) == "$pid" && $(request "") == 200 ]] || fail "a failed reload changed something"
configure
holds "reload: refused where the configuration has mistakes"

drop_in fanfare.service 'WatchdogSec=2s'
systemctl restart fanfare.service
sleep 4
[[ $(property fanfare.service NRestarts) == 0 ]] || fail "the watchdog took a living node for dead"
kill -STOP "$(property fanfare.service MainPID)"
restarted() { [[ $(property fanfare.service NRestarts) == 1 && $(request "") == 200 ]]; }
await "the watchdog restarts a node that stands still" restarted
holds "watchdog: a node that stands still is started again"

drop_in fanfare.service 'TimeoutStopSec=1s'
systemctl stop fanfare.service
configure 'drain.timeout = "20s"' 'drain.grace = "3s"'
systemctl start fanfare.service
systemctl stop fanfare.service
[[ $(property fanfare.service Result) == success ]] || fail "it was not left the time that its drain takes"
holds "stop: as long as drain.timeout allows, whatever the unit says"

# Two nodes, one socket. Clients come all the time.
configure 'drain.timeout = "10s"' 'drain.grace = "3s"'
systemctl start fanfare.socket
systemctl start fanfare@a.service
touch /run/come
: >/run/answers
come() { while [[ -e /run/come ]]; do request "$UPGRADE" >>/run/answers || echo refused >>/run/answers; done; }
come &
come &
come_in() { (($(wc -l </run/answers) >= $1)); }
for turn in "a b" "b a" "a b"; do
    read -r from to <<<"$turn"
    await "clients come" come_in $(($(wc -l </run/answers) + 50))
    systemctl start "fanfare@$to.service"
    systemctl stop "fanfare@$from.service" 2>/dev/null # it warns that the socket is still there
    await "clients come" come_in $(($(wc -l </run/answers) + 50))
    [[ $(property "fanfare@$from.service" ActiveState) == inactive ]] || fail "$from is started again"
    [[ $(property "fanfare@$to.service" NRestarts) == 0 ]] || fail "$to was restarted"
done
rm /run/come
wait
others=$(grep -vc '^101$' /run/answers || true)
((others == 0)) || fail "turned away: $(sort /run/answers | uniq -c)"
holds "hand-over: three restarts, $(wc -l </run/answers) clients let in, none turned away"
