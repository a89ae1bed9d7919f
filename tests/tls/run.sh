#!/usr/bin/env bash
# TLS as other people's programs see it: certificates by openssl, Node, Python and Go clients by wss://, curl with a
# certificate of its own at the API, and curl where certificates are not good.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

STATE=$WORK/tls
KEY=a-key-of-this-test-0123456789

# issue NAME HOST DAYS: NAME.crt and NAME.key, signed by the authority for HOST.
issue() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$STATE/$1.key" -out "$STATE/$1.csr" 2>/dev/null
    openssl x509 -req -in "$STATE/$1.csr" -CA "$STATE/ca.crt" -CAkey "$STATE/ca.key" -CAcreateserial \
        -days "$3" -extfile <(printf 'subjectAltName=DNS:%s' "$2") -out "$STATE/$1.crt" 2>/dev/null
}

# serve FILE CERT: a node with a certificate, listening on PORT, and on API_PORT for the API, with mutual TLS.
serve() {
    read -r PORT API_PORT < <(base=$(free_ports 2) && echo "$base $((base + 1))")
    cat >"$STATE/$1.toml" <<EOF
listen = ["127.0.0.1:$PORT"]
[tls]
cert = "$STATE/$2.crt"
key = "$STATE/$2.key"
[api]
listen = ["127.0.0.1:$API_PORT"]
keys = ["$KEY"]
tls_cert = "$STATE/good.crt"
tls_key = "$STATE/good.key"
client_ca = "$STATE/ca.crt"
[limits]
message_bytes = "1MiB"
EOF
    background "$STATE/$1.log" "$BIN" serve --config "$STATE/$1.toml"
    await "$STATE/$1.log" ready "$STATE/$1.toml"
}

ready() { "$BIN" health --config "$1" >/dev/null 2>&1; }

client() { # NAME COMMAND...
    local name=$1 url=wss://localhost:$PORT/ws/tls-$1
    shift
    SSL_CERT_FILE=$STATE/ca.crt NODE_EXTRA_CA_CERTS=$STATE/ca.crt timeout --foreground 60 "$@" "$url" "$url" ||
        fail "$name"
}

clients() {
    if have node; then
        [[ -d $ROOT/tests/clients/node_modules ]] || "$ROOT/tests/lib/install.sh" npm
        client node-ws node "$ROOT/tests/clients/node-ws.mjs"
    else
        skip "TLS, Node client: node is missing"
    fi
    [[ -x $WORK/venv/bin/python ]] || "$ROOT/tests/lib/install.sh" python
    client python-websockets "$WORK/venv/bin/python" -B "$ROOT/tests/clients/python_websockets.py"
    if [[ -x $WORK/go-clients/coder ]]; then client go-coder "$WORK/go-clients/coder"; fi
}

# asks WHAT CODE ARGUMENTS...: curl ends with this exit code.
asks() {
    local what=$1 code=$2 status=0
    shift 2
    curl --silent --output "$STATE/answer" --cacert "$STATE/ca.crt" --max-time 20 "$@" || status=$?
    if ((status != code)); then fail "$what: curl ended with $status, not $code: $(cat "$STATE/answer")"; fi
    say "ok: $what"
}

api() {
    local url=https://localhost:$API_PORT/api/publish
    local call=(-f -H "X-API-Key: $KEY" -d '{"channel":"chat","data":"hello"}' "$url")
    asks "the API with a certificate and a key" 0 --cert "$STATE/caller.crt" --key "$STATE/caller.key" "${call[@]}"
    asks "with a certificate and no key: 401" 22 --cert "$STATE/caller.crt" --key "$STATE/caller.key" -f -d x "$url"
    asks "with a key and no certificate" 56 --http1.1 "${call[@]}"
    asks "TLS 1.2 with a certificate" 0 --tls-max 1.2 --cert "$STATE/caller.crt" --key "$STATE/caller.key" "${call[@]}"
    asks "HTTP/1.1 where HTTP/2 is not offered" 0 -f --http1.1 "https://localhost:$PORT/readyz"
    asks "plain HTTP is answered with 400" 22 -f "http://localhost:$PORT/"
}

# Many streams on one connection, with TLS and without.
http2() {
    local url
    url=http://127.0.0.1:$(free_ports 1)
    background "$STATE/plain.log" "$BIN" serve --dev --listen "${url#http://}"
    await "$STATE/plain.log" curl -fso /dev/null "$url/readyz"
    timeout --foreground 60 node "$ROOT/tests/tls/http2.mjs" "$url" "$url/metrics" || fail "HTTP/2 without TLS"
    url=https://localhost:$PORT
    NODE_EXTRA_CA_CERTS=$STATE/ca.crt timeout --foreground 60 node "$ROOT/tests/tls/http2.mjs" "$url" "$url/metrics" ||
        fail "HTTP/2"
}

bad() {
    local name
    for name in expired wrong-host; do
        serve "$name" "$name"
        asks "$name certificate: not taken" 60 "https://localhost:$PORT/readyz"
    done
    "$BIN" check --config "$STATE/expired.toml" >"$STATE/answer"
    grep -q '^warning: tls.cert: the certificate expired' "$STATE/answer" || fail "no warning: $(cat "$STATE/answer")"
    say "ok: fanfare check warns of the expired one"
}

main() {
    if ! have openssl || ! have curl; then
        skip "TLS with other people's clients: openssl or curl is missing"
        return
    fi
    fanfare_bin
    rm -rf "$STATE"
    mkdir -p "$STATE"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests \
        -keyout "$STATE/ca.key" -out "$STATE/ca.crt" 2>/dev/null
    issue good localhost 2
    issue caller backend 2
    issue wrong-host other.example 2
    issue expired localhost -1
    serve good good
    clients
    api
    if have node; then http2; fi
    bad
}

main "$@"
