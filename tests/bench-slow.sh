#!/usr/bin/env bash
# The cost of one slow reader to a thousand others: latency and CPU per delivery, with it and without.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

# Both built anew: an old server would be measured without a word.
cargo build --release -p fanfare -p fanfare-swarm
cargo run --release -p fanfare-swarm -- slow "$@"
