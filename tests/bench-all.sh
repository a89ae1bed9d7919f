#!/usr/bin/env bash
# The figures of docs/performance.md: each figure beside its floor and its budget, about 20 minutes on a quiet machine.
# CASES="fanout storm" chooses some; DOCS=1 writes them into docs/performance.md. Arguments go to `swarm suite`.
# A figure over its budget fails nothing, since the machine is not known beforehand.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

for program in redis-server redis-cli taskset; do
    have "$program" || fail "bench-all needs $program (Debian: apt-get install redis-server redis-tools util-linux)"
done

# Both built anew: an old server would be measured without a word. Each by itself: built together, the server would get
# what only swarm needs of tokio.
cargo build --release -p fanfare
cargo build --release -p fanfare-swarm
swarm=${CARGO_TARGET_DIR:-$ROOT/target}/release/swarm
read -ra cases <<<"${CASES:-}"
"$swarm" suite ${cases[@]+"${cases[@]}"} --out "$WORK/bench" "$@"

if [[ -n ${DOCS:-} ]]; then
    # In the order of the page.
    files=()
    for case in fanout overload rooms idle storm publish cores costs centrifugo history redis; do
        [[ ! -e $WORK/bench/$case.json ]] || files+=("$WORK/bench/$case.json")
    done
    "$swarm" report "${files[@]}"
fi
