#!/usr/bin/env bash
# The Centrifugo clients of others, as they come, on two nodes with one real Redis: npm `centrifuge` and PyPI
# `centrifuge-python`, Go's `centrifuge-go`, each in JSON and in Protobuf (npm's over HTTP streams and SSE too), Java's
# `centrifuge-java` in Protobuf, clients that only listen, and PyPI `cent` on the API; `wire` is the protocol without an
# SDK. Go's and Java's are skipped where Go, or Java 17 and Maven, are missing. A part of `make test`.
#
#   tests/centrifugo/run.sh [CLIENT [SCENARIO...]]    CLIENT is one of CLIENTS below
#
# A scenario of the scripts says `ok NAME`; one that does not is named here, and fails the run.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

HERE=$ROOT/tests/centrifugo
STATE=$WORK/centrifugo
KEY=key-of-the-centrifugo-tests-0123456789
SECRET=secret-of-the-centrifugo-tests-0123456789
CLIENTS=(js js-protobuf js-http-stream js-http-stream-protobuf js-sse uni-sse uni-post-sse uni-http-stream uni-websocket
    python python-protobuf go go-protobuf java api docs hooks wire)
SDK=(connects connects_with_token refuses_bad_tokens publishes_across_nodes reads_history sees_presence hears_joins
    recovers_what_it_missed knows_what_is_lost gets_what_passes_its_filter refreshes_its_token subscribes_with_tokens
    is_subscribed_by_its_token is_subscribed_by_the_api is_disconnected_by_the_api hears_other_dialects unsubscribes gets_errors
    survives_restarts)
JS=(applies_differences needs_no_differences gets_the_newest_of_a_cache is_present_at_once is_told_what_is_lost) # besides SDK
GO=(connects publishes_across_nodes reads_history hears_joins recovers_what_it_missed refreshes_its_token
    is_disconnected_by_the_api)
UNI=(listens may_be_nobody recovers has_terms obeys_the_backend is_refused outlives_its_node)
JAVA=(connects publishes_across_nodes recovers_what_it_missed)
HOOKS=(json protobuf) # encodings
WIRE=(frames_and_order subprotocols connects subscribes a_hundred_and_twenty_eight_channels publications history_and_recovery
    joins streams)
API=(publish broadcast history presence subscribe subscribe_on_terms rpc disconnect refresh one_client info batch errors key_in_address)
JARS=$WORK/java-clients
PASSED=0
FAILED=()

command_of() { # CLIENT
    local python=("$WORK/venv/bin/python" -B)
    case $1 in
        js) COMMAND=(node "$HERE/sdk.mjs" json) ;;
        js-*) COMMAND=(node "$HERE/sdk.mjs" "${1#js-}") ;;
        uni-*) COMMAND=(node "$HERE/unidirectional.mjs" "${1#uni-}") ;;
        python) COMMAND=("${python[@]}" "$HERE/sdk.py" json) ;;
        python-protobuf) COMMAND=("${python[@]}" "$HERE/sdk.py" protobuf) ;;
        go) COMMAND=("$WORK/go-clients/centrifugo" json) ;;
        go-protobuf) COMMAND=("$WORK/go-clients/centrifugo" protobuf) ;;
        java) COMMAND=(java -cp "$JARS/*" "$HERE/java/Sdk.java") ;;
        api | wire) COMMAND=("${python[@]}" "$HERE/$1.py") ;;
        docs)
            export PYTHON=$WORK/venv/bin/python JARS
            COMMAND=(node "$HERE/blocks.mjs" "$STATE/docs")
            ;;
        *) fail "usage: tests/centrifugo/run.sh [${CLIENTS[*]// /|} [SCENARIO...]]" ;;
    esac
}

client() { # CLIENT SCENARIO...
    local name=$1 log=$STATE/$1.log scenario
    shift
    command_of "$name"
    timeout --foreground 600 "${COMMAND[@]}" "${NODES[@]}" "$REDIS" "$KEY" "$SECRET" "$@" | tee "$log" || true
    for scenario in "$@"; do
        if grep -qx "ok $scenario" "$log"; then PASSED=$((PASSED + 1)); else FAILED+=("$name:$scenario"); fi
    done
}

# A node of its own, which asks a backend about every client, and tells it what they do.
hooks() {
    local port log=$STATE/hooks.log encoding hook
    port=$(free_ports 2)
    {
        printf '[hooks]\nheaders = ["X-Test"]\nsecret = "%s"\n' "$SECRET"
        for hook in connect rpc subscribe publish events; do
            printf '%s = "http://127.0.0.1:%s/%s"\n' "$hook" $((port + 1)) "$hook"
        done
        printf '[[namespace]]\nsubscribe_hook = true\npublish_hook = true\n'
        printf 'events = true\ntrack_presence = true\npresence_grace = "0s"\n'
        printf '[[namespace]]\nname = "closed"\npublish = "server"\n'
    } >"$STATE/hooks.toml"
    background "$log" env -u FANFARE_CONFIG "$BIN" serve --dev --listen "127.0.0.1:$port" --config "$STATE/hooks.toml"
    await "$log" curl -fso /dev/null "http://127.0.0.1:$port/readyz"
    for encoding in "${HOOKS[@]}"; do
        if PYTHON=$WORK/venv/bin/python timeout --foreground 60 \
            node "$HERE/hooks.mjs" "$encoding" "http://127.0.0.1:$port" $((port + 1)) "$SECRET"; then
            PASSED=$((PASSED + 1))
        else
            FAILED+=("hooks:$encoding")
        fi
    done
}

install() {
    cmp -s "$ROOT/tests/requirements.txt" "$WORK/venv/installed" || "$ROOT/tests/lib/install.sh" python
    cmp -s "$HERE/package-lock.json" "$HERE/node_modules/.installed" || "$ROOT/tests/lib/install.sh" npm
}

# go_client: builds it, where there is a Go for it.
go_client() {
    (cd "$HERE/go" && GOTOOLCHAIN=local go list -m) >/dev/null 2>&1 || {
        skip "centrifuge-go: Go of the version in tests/centrifugo/go/go.mod is missing"
        return 1
    }
    (cd "$HERE/go" && GOTOOLCHAIN=local go build -o "$WORK/go-clients/centrifugo" .)
}

# java_client: fetches its jars, where there are a Java and a Maven for it.
java_client() {
    if ! have mvn || ! java --list-modules 2>/dev/null | grep -q '^jdk.compiler'; then
        skip "centrifuge-java: a JDK or Maven is missing (Debian: apt-get install default-jdk-headless maven)"
        return 1
    fi
    cmp -s "$HERE/java/pom.xml" "$JARS/pom.xml" && return
    mvn -B -q -f "$HERE/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$JARS" || return 1
    cp "$HERE/java/pom.xml" "$JARS/pom.xml"
}

main() {
    local name names=("${CLIENTS[@]}") scenarios
    if (($#)); then names=("$1"); fi
    install
    fanfare_bin
    export FANFARE_CONFIG=$HERE/node.toml FANFARE_API__KEYS=$KEY FANFARE_AUTH__HMAC_SECRETS=$SECRET
    export FANFARE_DRAIN__GRACE=0s RESTART=1 NODE1_PID=$STATE/node1.pid # a scenario ends this node, which starts again
    start_cluster "$STATE" 2
    mapfile -t NODES < <(tail -n +2 "$STATE/urls")
    REDIS=$(cat "$STATE/redis.url")
    for name in "${names[@]}"; do
        scenarios=("${SDK[@]}")
        case $name in
            go*)
                go_client || continue
                scenarios=("${GO[@]}")
                ;;
            uni-websocket) scenarios=("${UNI[@]}" may_want_own_pings) ;;
            uni-*) scenarios=("${UNI[@]}") ;;
            js*) scenarios+=("${JS[@]}") ;;
            java)
                java_client || continue
                scenarios=("${JAVA[@]}")
                ;;
            api) scenarios=("${API[@]}") ;;
            wire) scenarios=("${WIRE[@]}") ;;
            docs)
                scenarios=(js python)
                ! go_client || scenarios+=(go)
                ! java_client || scenarios+=(java)
                ;;
        esac
        if (($# > 1)); then scenarios=("${@:2}"); fi
        say "== $name"
        if [[ $name == hooks ]]; then
            hooks
            continue
        fi
        client "$name" "${scenarios[@]}"
    done
    say "centrifugo: $PASSED passed, ${#FAILED[@]} failed${FAILED[*]+: ${FAILED[*]}}"
    ((PASSED > 0 && ${#FAILED[@]} == 0))
}

main "$@"
