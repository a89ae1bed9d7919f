#!/usr/bin/env bash
# The API against its own description: schemathesis (PyPI) makes right and wrong calls from /api/openapi.json of a node
# with the broker in memory, and judges the answers. A part of `make test`.
#
#   tests/api/run.sh [OPTION...]    with further options of `schemathesis run`, such as --max-examples 1000
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

STATE=$WORK/api
KEY=key-of-the-api-tests-0123456789

ready() { "$BIN" health "http://127.0.0.1:$PORT/readyz" >/dev/null 2>&1; }

main() {
    local schemathesis=${SCHEMATHESIS:-$WORK/venv/bin/schemathesis}
    [[ -n ${SCHEMATHESIS:-} ]] || cmp -s "$ROOT/tests/requirements.txt" "$WORK/venv/installed" ||
        "$ROOT/tests/lib/install.sh" python
    fanfare_bin
    rm -rf "$STATE"
    mkdir -p "$STATE"
    PORT=$(free_ports 1)
    background "$STATE/node.log" env FANFARE_API__KEYS="$KEY" FANFARE_DRAIN__GRACE=0s \
        "$BIN" serve --config "$ROOT/tests/api/node.toml" --listen "127.0.0.1:$PORT"
    await "$STATE/node.log" ready
    cd "$STATE"
    "$schemathesis" --config-file "$ROOT/tests/api/schemathesis.toml" run "http://127.0.0.1:$PORT/api/openapi.json" \
        --header "X-API-Key: $KEY" --seed 1 --max-examples 50 --generation-database none \
        --suppress-health-check all --no-color "$@"
}

main "$@"
