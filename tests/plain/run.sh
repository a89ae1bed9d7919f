#!/usr/bin/env bash
# Plain HTTP without a library, on two nodes with one real Redis: clients of every dialect hear each other in one channel,
# and the programs of docs/streams.md run as they stand there. A part of `make test`.
#
#   tests/plain/run.sh [everyone|docs]
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

HERE=$ROOT/tests/plain
STATE=$WORK/plain
KEY=key-of-the-plain-tests-0123456789

install() {
    cmp -s "$ROOT/tests/requirements.txt" "$WORK/venv/installed" || "$ROOT/tests/lib/install.sh" python
    cmp -s "$HERE/package-lock.json" "$HERE/node_modules/.installed" || "$ROOT/tests/lib/install.sh" npm
}

main() {
    local part parts=(everyone docs)
    if (($#)); then parts=("$1"); fi
    install
    fanfare_bin
    export FANFARE_CONFIG=$HERE/node.toml FANFARE_API__KEYS=$KEY
    start_cluster "$STATE" 2
    mapfile -t NODES < <(tail -n +2 "$STATE/urls")
    for part in "${parts[@]}"; do
        say "== $part"
        case $part in
            everyone) timeout --foreground 300 node "$HERE/everyone.mjs" "${NODES[@]}" "$(cat "$STATE/redis.url")" "$KEY" ;;
            docs) PYTHON=$WORK/venv/bin/python timeout --foreground 300 node "$HERE/blocks.mjs" "$STATE/docs" "${NODES[0]}" ;;
            *) fail "usage: tests/plain/run.sh [everyone|docs]" ;;
        esac
    done
}

main "$@"
