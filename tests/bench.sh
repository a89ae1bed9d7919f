#!/usr/bin/env bash
# First figures of this machine: memory per idle connection, CPU per delivery beside a bare send.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

# Both built anew: an old server would be measured without a word.
cargo build --release -p fanfare -p fanfare-swarm
cargo run --release -p fanfare-swarm -- bench
