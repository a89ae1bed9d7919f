#!/usr/bin/env bash
# In a real Chromium: the built-in page, also in a channel with history, the examples, and the browser's blocks of
# docs/clients.md, through HAProxy on a cluster of two nodes; npm's centrifuge over each of its transports on these nodes; then
# the page while its node's Redis is away, and pages of other origins on nodes of their own. Screenshots: .work/screenshots.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

main() {
    if ! have_browser; then
        skip "browser: Chromium is missing (Debian: apt-get install chromium)"
        return
    fi
    [[ -d $ROOT/tests/browser/node_modules ]] || "$ROOT/tests/lib/install.sh" npm
    fanfare_bin
    # The configuration that the example asks for.
    sed -n '/^  \[\[namespace/,/^$/p' "$ROOT/examples/cursors.html" >"$WORK/examples.toml"
    cat >>"$WORK/examples.toml" <<'END'
[[namespace]]
name = "kept"
history_size = 100
track_presence = true
END
    FANFARE_CONFIG=$WORK/examples.toml start_cluster "$WORK/browser" 2
    BASE_URL=$(head -n 1 "$WORK/browser/urls")
    REDIS_URL=$(cat "$WORK/browser/redis.url")
    NODES=$(tail -n +2 "$WORK/browser/urls" | tr '\n' ' ')
    export BASE_URL REDIS_URL BIN NODES SHOTS=$WORK/screenshots
    for part in chat past states examples copied broker origins centrifugo; do
        node "$ROOT/tests/browser/$part.mjs"
    done
}

main
