#!/usr/bin/env bash
# Traces against a real OTLP collector (rotel, from PyPI): a publish on one node, deliveries on two, one trace. One
# node speaks gRPC to it, the other HTTP. Needs what tests/lib/install.sh installs.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

STATE=$WORK/traces
export FANFARE_API__KEYS=key-of-the-trace-tests
# Only the last of these is read (docs/tracing.md).
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1
export OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_SERVICE_NAME=another
export OTEL_TRACES_SAMPLER=always_off OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test

# node NAME PORT PROTOCOL COLLECTOR-PORT DELAY: traced, and ready when this returns. Spans are sent after
# DELAY milliseconds.
node() {
    local log=$STATE/$1.log
    background "$log" env OTEL_BSP_SCHEDULE_DELAY="$5" FANFARE_DRAIN__GRACE=0s \
        FANFARE_TRACING__PROTOCOL="$3" FANFARE_TRACING__ENDPOINT="http://127.0.0.1:$4" \
        FANFARE_TRACING__HEADERS=x-key=pl4nted \
        "$BIN" serve --listen "127.0.0.1:$2" --node "$1" --broker "redis://127.0.0.1:$REDIS"
    await "$log" ready "$2"
}

ready() { "$BIN" health "http://127.0.0.1:$1/readyz" >/dev/null 2>&1; }

main() {
    local python=$WORK/venv/bin/python collector node_a node_b
    cmp -s "$ROOT/tests/requirements.txt" "$WORK/venv/installed" || "$ROOT/tests/lib/install.sh" python
    collector=$("$python" -c 'import importlib.util as u; print(u.find_spec("rotel").submodule_search_locations[0])') || {
        skip "traces: the OTLP collector rotel is not made for this system"
        return
    }
    fanfare_bin
    rm -rf "$STATE"
    mkdir -p "$STATE"
    REDIS=$(free_ports 5)
    background "$STATE/redis.log" redis-server --port "$REDIS" --save '' --appendonly no --dir "$STATE"
    await "$STATE/redis.log" listening "$REDIS"
    background "$STATE/collector.log" env NO_COLOR=1 "$collector/rotel-agent" start --exporter blackhole \
        --debug-log traces --debug-log-verbosity detailed \
        --otlp-grpc-endpoint "127.0.0.1:$((REDIS + 1))" --otlp-http-endpoint "127.0.0.1:$((REDIS + 2))" \
        --pid-file "$STATE/collector.pid" --log-file "$STATE/collector.file"
    await "$STATE/collector.log" listening $((REDIS + 2))
    node_a=$((REDIS + 3)) node_b=$((REDIS + 4))
    node a "$node_a" grpc $((REDIS + 1)) 100
    # This one sends nothing until it ends.
    node b "$node_b" http $((REDIS + 2)) 3600000
    "$python" -B "$ROOT/tests/traces/traces.py" "127.0.0.1:$node_a" "127.0.0.1:$node_b" "${BACKGROUND[-1]}" \
        "$STATE/collector.log"
}

main
