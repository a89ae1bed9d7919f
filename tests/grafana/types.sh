#!/usr/bin/env bash
# Checks that the dashboards of deploy/grafana are what their source writes, and what Grafana's schema allows.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

HERE=$ROOT/tests/grafana
SHIPPED=$ROOT/deploy/grafana/dashboards
STATE=$WORK/grafana

as_written() {
    local written=$STATE/written
    mkdir -p "$written"
    node "$ROOT/deploy/grafana/source/write.mjs" "$written"
    diff -r "$written" "$SHIPPED" >/dev/null ||
        fail "deploy/grafana/dashboards are not what their source writes: node deploy/grafana/source/write.mjs"
}

# In TypeScript, for tsc reads the words of a JSON file as any words.
as_typescript() { # FILE
    printf 'import type { Shipped } from "%s/shipped.ts";\nexport default %s satisfies Shipped;\n' "$HERE" "$(<"$1")"
}

main() {
    local file
    rm -rf "$STATE/typed" "$STATE/written"
    mkdir -p "$STATE/typed"
    as_written
    for file in "$SHIPPED"/*.json; do
        as_typescript "$file" >"$STATE/typed/$(basename "$file" .json).ts"
    done
    "$HERE/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --allowImportingTsExtensions --target es2022 \
        --module nodenext --types '' "$STATE"/typed/*.ts
    say "dashboards: as their source writes them, and of Grafana's schema"
}

main
