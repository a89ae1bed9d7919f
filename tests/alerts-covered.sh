#!/usr/bin/env bash
# Checks that each alert has a unit test in which it fires, one in which it stays silent, and a section in
# docs/operations.md that its runbook_url leads to; and that each configuration of Prometheus names both files
# of rules, because an alert that asks for what is not recorded is silent.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

GUIDE=docs/operations.md
wrong=0

complain() {
    printf 'deploy/prometheus: %s\n' "$*" >&2
    wrong=1
}

# The names that unit tests expect to fire, or to be silent: "fires NAME" and "silent NAME", one a line.
tested() {
    awk '$1 == "alertname:" { name = $2 }
         $1 == "exp_alerts:" { print ($2 == "[]" ? "silent" : "fires"), name }' deploy/prometheus/tests/*.yml | sort -u
}

# Each configuration of Prometheus that names files of rules names all of them.
check_configurations() {
    local configuration rules
    while read -r configuration; do
        for rules in recording alerts; do
            grep -q "^ *- $rules.yml\$" "$configuration" || complain "$(basename "$configuration") does not name $rules.yml"
        done
    done < <(grep -l '^rule_files:' deploy/prometheus/*.yml)
}

main() {
    local tests repository name alerts
    tests=$(tested)
    repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
    mapfile -t alerts < <(sed -n 's/^ *- alert: //p' deploy/prometheus/alerts.yml)
    ((${#alerts[@]})) || fail "deploy/prometheus/alerts.yml: no alert is found"
    for name in "${alerts[@]}"; do
        grep -qx "fires $name" <<<"$tests" || complain "no unit test in which $name fires"
        grep -qx "silent $name" <<<"$tests" || complain "no unit test in which $name stays silent"
        grep -qx "### $name" "$GUIDE" || complain "$GUIDE has no section \"### $name\""
        grep -qF "runbook_url: $repository/blob/main/$GUIDE#${name,,}" deploy/prometheus/alerts.yml ||
            complain "$name: its runbook_url is not $repository/blob/main/$GUIDE#${name,,}"
    done
    while read -r name; do
        [[ " ${alerts[*]} " == *" $name "* ]] || complain "$GUIDE has a section for $name, which is not an alert"
    done < <(sed -n 's/^### \(Fanfare[A-Z][A-Za-z]*\)$/\1/p' "$GUIDE")
    check_configurations
    ((!wrong)) || exit 1
    say "${#alerts[@]} alerts, each with a unit test of both kinds and a section in $GUIDE"
}

main
