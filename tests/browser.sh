#!/usr/bin/env bash
# The built-in page in a real Chromium, through HAProxy on a cluster of two nodes, and pages of other origins on nodes of
# their own. Screenshots: .work/screenshots.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

main() {
    if ! have_browser; then
        skip "browser: there is no Chromium (Debian: apt-get install chromium)"
        return
    fi
    [[ -d $ROOT/tests/browser/node_modules ]] || "$ROOT/tests/lib/install.sh" npm
    fanfare_bin
    start_cluster "$WORK/browser" 2
    BASE_URL=$(head -n 1 "$WORK/browser/urls")
    export BASE_URL SHOTS=$WORK/screenshots
    node "$ROOT/tests/browser/chat.mjs"
    node "$ROOT/tests/browser/states.mjs"
    export BIN
    node "$ROOT/tests/browser/origins.mjs"
}

main
