#!/usr/bin/env bash
# In a real Chromium: the built-in page, also in a channel with history, the examples, and the browser's blocks of
# docs/clients.md, through HAProxy on a cluster of two nodes; npm's centrifuge over each of its transports on these nodes;
# the page while its node's Redis is away, and pages of other origins on nodes of their own; last, EventSource while nodes
# and Redis fail. Screenshots: .work/screenshots.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

# EventSource under faults, on a cluster of its own, whose nodes come back: through HAProxy, and through nginx.
events() {
    local urls=$WORK/browser-events/urls
    printf '[[namespace]]\nname = "kept"\nhistory_size = 10000\n[drain]\ngrace = "1s"\n' >"$WORK/events.toml"
    RESTART=1 FANFARE_CONFIG=$WORK/events.toml start_cluster "$WORK/browser-events" 2
    export STATE=$WORK/browser-events
    BASE_URL=$(head -n 1 "$urls") node "$ROOT/tests/browser/events.mjs"
    start_nginx "$(free_ports 1)" "$urls"
    BASE_URL=http://localhost:$NGINX node "$ROOT/tests/browser/events.mjs"
}

# start_nginx PORT URLS: the shipped configuration, with this port and the nodes behind the first line of URLS.
start_nginx() {
    local node servers=
    NGINX=$1
    while read -r node; do
        servers+="\\n        server ${node#http://} max_fails=1 fail_timeout=1s;"
    done < <(tail -n +2 "$2")
    sed -e '/^ *server 127/d' -e "s|^ *zone nodes 64k;|&$servers|" -e "s/127\.0\.0\.1:8080/127.0.0.1:$NGINX/" \
        -e '/listen \[::1\]/d' -e 's/worker_rlimit_nofile.*//' -e 's/worker_connections.*/worker_connections 1024;/' \
        "$ROOT/deploy/nginx/nginx.conf" >"$STATE/nginx.conf"
    background "$STATE/nginx.log" nginx -e stderr -c "$STATE/nginx.conf" -g "daemon off; pid $STATE/nginx.pid;"
    await "$STATE/nginx.log" curl -fso /dev/null "http://127.0.0.1:$NGINX/readyz"
}

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
    events
}

main
