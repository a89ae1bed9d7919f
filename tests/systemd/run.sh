#!/usr/bin/env bash
# The units of deploy/systemd under a real systemd: one boots in a container of its own (systemd-nspawn) that has this
# machine's /usr and nothing else of it, and tests/systemd/inside.sh is its first and only service.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

state=$WORK/systemd
units=$ROOT/deploy/systemd
keep=()
[[ -d /run/systemd/system ]] || keep=(--keep-unit) # nobody here makes a unit for it

container() { # ARGUMENTS OF systemd-nspawn
    timeout --foreground --kill-after=5 120 systemd-nspawn --quiet --directory=/ --volatile=yes --register=no "${keep[@]}" \
        --private-network --console=pipe --machine="fanfare-test-$$" --bind="$state:/mnt" "$@" </dev/null
}

# Its control groups, where nobody else removes them.
remove_groups() {
    ((${#keep[@]})) || return 0
    find /sys/fs/cgroup{,/systemd,/unified}/{payload,supervisor} -depth -type d -exec rmdir {} \; 2>/dev/null || true
}

# The units as they are shipped, but for where the binary is.
lay_out() {
    rm -rf "$state"
    mkdir -p "$state/system/fanfare@.service.d"
    cp "$BIN" "$state/fanfare"
    cp "$ROOT/tests/systemd/inside.sh" "$state/inside.sh"
    cp "$units/sysusers.conf" "$state/sysusers.conf"
    sed 's#/usr/bin/fanfare#/mnt/fanfare#' "$units/fanfare.service" >"$state/system/fanfare.service"
    cp "$state/system/fanfare.service" "$state/system/fanfare@.service"
    cp "$units/fanfare.socket" "$state/system/"
    cp "$units/hand-over.conf" "$state/system/fanfare@.service.d/"
    cat >"$state/system/test.service" <<UNIT
[Unit]
DefaultDependencies=no
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=1
[Service]
Type=oneshot
ExecStart=/bin/bash /mnt/inside.sh
StandardOutput=file:/mnt/log
StandardError=inherit
UNIT
}

skip_all() { # WHY
    skip "the units under a real systemd: $1"
    exit 0
}

[[ $(id -u) == 0 ]] || skip_all "it takes root"
have systemd-nspawn || skip_all "systemd-nspawn is missing (Debian: apt-get install systemd-container)"
fanfare_bin
lay_out
# Two at once would share their control groups.
exec 9>"${TMPDIR:-/tmp}/fanfare-systemd-test.lock"
flock 9
trap remove_groups EXIT
trap 'exit 143' INT TERM HUP
status=0
container --bind-ro="$state/system:/etc/systemd/system" --boot -- systemd.unit=test.service systemd.firstboot=off \
    >"$state/boot.log" 2>&1 9>&- || status=$?
[[ -s $state/log ]] || skip_all "it does not boot in a container here (status $status; $state/boot.log)"
cat "$state/log"
((status == 0)) || fail "the units do not work under systemd ($status; how it booted: $state/boot.log)"
rm "$state/fanfare" # large
