"""Kinds that Kubernetes' own schemas do not know: of the Prometheus operator, the Gateway API and KEDA."""

import copy
import json
import subprocess
import unittest

import yaml

from objects import OUT, ROOT, load, of_kind

HERE = ROOT / "tests/k8s"
# The types of each kind, made from the definitions that its project ships.
MODELS = {
    "ServiceMonitor": "prometheus-operator/monitoring.coreos.com/v1",
    "PrometheusRule": "prometheus-operator/monitoring.coreos.com/v1",
    "HTTPRoute": "gateway-api/gateway.networking.k8s.io/v1",
    "ScaledObject": "keda/keda.sh/v1alpha1",
}
RENDERED = ("prod", "helm-prod", "helm-secure", "helm-exposed")
RULES = ("components/monitoring/prometheusrule.yaml", "helm/fanfare/files/rules.yaml")


def type_check(values):
    """Against the types, which refuse keys that they do not have."""
    source = HERE / "node_modules" / ".custom.ts"
    lines = [f'import type {{ I{kind} }} from "@kubernetes-models/{models}";' for kind, models in MODELS.items()]
    for index, value in enumerate(values):
        lines.append(f"export const it{index}: I{value['kind']} = {json.dumps(value)};")
    source.write_text("\n".join(lines))
    tsc = HERE / "node_modules/.bin/tsc"
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
    return subprocess.run([tsc, *options, source], capture_output=True, text=True, check=False)


class Custom(unittest.TestCase):
    def setUp(self):
        self.values = [value for name in RENDERED for kind in MODELS for value in of_kind(load(name), kind)]
        self.assertEqual({value["kind"] for value in self.values}, set(MODELS))

    def test_they_are_what_their_projects_define(self):
        done = type_check(self.values)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_key_that_is_none_is_found(self):
        for kind in MODELS:
            with self.subTest(kind):
                wrong = copy.deepcopy(next(value for value in self.values if value["kind"] == kind))
                wrong["spec"]["intervall"] = "1s"
                self.assertIn("'intervall' does not exist", type_check([wrong]).stdout.replace('"', ""))

    def test_the_rules_are_those_of_deploy_prometheus(self):
        for path in RULES:
            with self.subTest(path):
                written = (ROOT / "k8s" / path).read_text()
                self.assertEqual(written, (OUT / "rules" / path).read_text(), "run k8s/rules.sh")
        expected = []
        for file in sorted((ROOT / "deploy/prometheus").glob("*.yml")):
            expected += yaml.safe_load(file.read_text()).get("groups", [])
        for rule in self.values:
            if rule["kind"] == "PrometheusRule":
                self.assertEqual(rule["spec"]["groups"], expected)

    def test_prometheus_takes_the_rules(self):
        file = OUT / "rules.yaml"
        (rule,) = of_kind(load("prod"), "PrometheusRule")
        file.write_text(yaml.safe_dump(rule["spec"]))
        done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
