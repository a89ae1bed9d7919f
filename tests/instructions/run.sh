#!/usr/bin/env bash
# Instructions of the hot path, counted by callgrind, which a busy machine does not move: fails where a bench takes 10 %
# more than its budget in tests/instructions/budgets.txt. --update writes what was counted as the new budgets.
#
# The benches are crates/*/benches; `cargo bench -p fanfare-hub` shows more of each.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
cd "$ROOT"

HERE=tests/instructions
COUNTED=$WORK/instructions.json

if ! have valgrind; then
    skip "instruction budgets: valgrind is missing (Debian: apt-get install valgrind)"
    exit 0
fi
if ! have gungraun-runner; then
    skip "instruction budgets: gungraun-runner is missing (tests/lib/install.sh cargo)"
    exit 0
fi
if [[ $(uname -m) != x86_64 ]]; then
    skip "instruction budgets: they are for x86_64, this is $(uname -m)"
    exit 0
fi

cargo bench -p fanfare-websocket --bench frames -p fanfare-hub --bench hub -- --output-format=json >"$COUNTED"
node "$HERE/judge.mjs" "$HERE/budgets.txt" "$COUNTED" "$(rustc --version | cut -d ' ' -f 2)" "$@"
