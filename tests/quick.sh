#!/usr/bin/env bash
# Finds most mistakes in a few minutes, for use while you work: `make quick`. It leaves out what `make test` runs with
# browsers, foreign clients, containers and real services. It installs nothing.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

for program in redis-server haproxy nginx; do
    have "$program" || fail "the tests cannot run without $program (on Debian: apt-get install redis-server haproxy nginx-light)"
done

tests/check.sh
tests/lib/cargo-test.py
