#!/usr/bin/env bash
# The Autobahn test suite against one node: a channel with one client in it echoes, which is what it wants.
#
#   tests/autobahn/run.sh [core|all]
#
# core: groups 1-7 and 10, seconds. all: 9 (large messages), 12 and 13 (compression) too, about 12 minutes.
# The report, a page per case, is .work/autobahn-{core,all}/index.html. Needs a Python 2.7 (pyenv's will do):
# skipped without one. tests/lib/install.sh makes .work/venv with the right virtualenv.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

HERE=$ROOT/tests/autobahn
SUITE=$WORK/wstest
OUT=$WORK/autobahn-${1:-core}
CORE='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"'
ALL="$CORE, \"9.*\", \"12.*\", \"13.*\""

python2() {
    local candidate
    for candidate in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
        # A pyenv shim exists without the Python behind it: only running it tells.
        if "$candidate" -c '' 2>/dev/null; then
            say "$candidate"
            return
        fi
    done
    return 1
}

install_suite() { # PYTHON2
    if [[ ! -e $SUITE/installed ]] || ! cmp -s "$SUITE/installed" "$HERE/requirements.txt"; then
        rm -rf "$SUITE"
        "$WORK/venv/bin/virtualenv" --quiet --python "$1" "$SUITE"
        # The suite's pages are made of old packages that say so at length.
        "$SUITE/bin/pip" --quiet --no-python-version-warning install -r "$HERE/requirements.txt"
        cp "$HERE/requirements.txt" "$SUITE/installed"
    fi
}

main() {
    local cases port python
    case ${1:-core} in
        core) cases=$CORE ;;
        all) cases=$ALL ;;
        *) fail "usage: tests/autobahn/run.sh [core|all]" ;;
    esac
    python=$(python2) || {
        skip "Autobahn: Python 2.7 is missing (with pyenv: pyenv install 2.7)"
        return
    }
    [[ -x $WORK/venv/bin/virtualenv ]] || "$ROOT/tests/lib/install.sh" python
    install_suite "$python"
    fanfare_bin

    # Removed first: wstest leaves old results in place, and always exits with 0.
    rm -rf "$OUT"
    mkdir -p "$OUT"
    port=$(free_ports 1)
    background "$OUT/node.log" env FANFARE_CONFIG="$HERE/node.toml" \
        "$BIN" serve --dev --listen "127.0.0.1:$port" --broker memory
    await "$OUT/node.log" listening "$port"
    printf '{"outdir": "%s", "servers": [{"agent": "Fanfare", "url": "ws://127.0.0.1:%d/ws/autobahn"}],
        "cases": [%s], "exclude-cases": [], "exclude-agent-cases": {}}\n' "$OUT" "$port" "$cases" >"$OUT/spec.json"
    (cd "$OUT" && "$SUITE/bin/wstest" -m fuzzingclient -s "$OUT/spec.json") >"$OUT/wstest.log" 2>&1 ||
        { tail -n 20 "$OUT/wstest.log" >&2 && fail "wstest failed"; }
    "$WORK/venv/bin/python" "$HERE/check.py" "${1:-core}" "$OUT/index.json"
}

main "$@"
