#!/usr/bin/env bash
# 100,000 idle connections on six nodes and one Redis, held for a minute, then sent away at a pace by SIGTERM to all
# nodes. About 3 minutes. Arguments go to `swarm drain`: --connections 50000 --nodes 3.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/common.sh"
cd "$ROOT"

have redis-server || fail "hundred-thousand needs redis-server (Debian: apt-get install redis-server)"
cargo build --release -p fanfare -p fanfare-swarm
"${CARGO_TARGET_DIR:-$ROOT/target}/release/swarm" drain --json "$WORK/hundred-thousand.json" "$@"
