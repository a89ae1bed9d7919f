#!/usr/bin/env bash
# Writes the rules of deploy/prometheus for the Prometheus operator: the PrometheusRule of components/monitoring, and
# the same for the Helm chart. `make test` fails when they are no longer the same; then run this.
#
#   k8s/rules.sh [K8S]     where to write (this directory)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TO=${1:-$HERE}

# The lines below `groups:` in each file of rules, unchanged.
groups() {
    local file
    printf 'groups:\n'
    for file in "$HERE"/../deploy/prometheus/*.yml; do
        awk 'seen && NF { print } /^groups:/ { seen = 1 }' "$file"
    done
}

written_by() { printf '# Written by k8s/rules.sh from deploy/prometheus.\n'; }

mkdir -p "$TO/components/monitoring" "$TO/helm/fanfare/files"
{
    written_by
    cat <<'HEAD'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: fanfare
  labels:
    app.kubernetes.io/name: fanfare
    app.kubernetes.io/instance: fanfare
spec:
HEAD
    groups | sed 's/^./  &/'
} >"$TO/components/monitoring/prometheusrule.yaml"
{
    written_by
    groups
} >"$TO/helm/fanfare/files/rules.yaml"
