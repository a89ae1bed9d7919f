"""Tests of what kustomize and Helm render: valid, the same, and whole."""

import json
import os
import re
import subprocess
import tomllib
import unittest

import kubernetes_validate
import yaml

from objects import BIN, BROKERS, OUT, OVERLAYS, RENDERED, ROOT, configuration, load, node, of_kind, workloads

# The oldest that is promised (sysctls tcp_rmem and tcp_wmem are safe from there on), one between, the newest.
VERSIONS = ("1.32", "1.34", "1.37")
HELM = os.environ["HELM"]
# Kinds whose definitions custom.py has.
CUSTOM = ("ServiceMonitor", "PrometheusRule", "HTTPRoute", "ScaledObject")
# Kubernetes 1.32, Pod Security Standards: what `restricted` lets a pod set, of what is used here.
SAFE_SYSCTLS = {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def plain(objects):
    """Without what only one of the tools makes: the Namespace, the Secret of the dev overlay, kustomize's hash in
    the names of what it generates, Helm's checksum, which stands for it."""
    text = yaml.safe_dump([o for (kind, _), o in sorted(objects.items()) if kind not in ("Namespace", "Secret")])
    generated = [name for kind, name in objects if kind in ("ConfigMap", "Secret")]
    for name in generated:
        text = re.sub(rf"\bname: {name}$", f"name: {re.sub('-[a-z0-9]{10}$', '', name)}", text, flags=re.MULTILINE)
    result = {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load(text)}
    for deployment in of_kind(result, "Deployment"):
        metadata = deployment["spec"]["template"]["metadata"]
        metadata.get("annotations", {}).pop("checksum/config", None)
        if not metadata.get("annotations"):
            metadata.pop("annotations", None)
    return result


def seconds(text):
    """A duration of the configuration, as "60s"."""
    return int(re.fullmatch(r"(\d+)s", text)[1])


class Manifests(unittest.TestCase):
    maxDiff = None

    def test_every_object_is_strictly_valid_in_three_versions_of_kubernetes(self):
        for name in RENDERED:
            for key, value in load(name).items():
                if key[0] in CUSTOM:
                    continue
                for version in VERSIONS:
                    with self.subTest(rendered=name, object=key, version=version):
                        kubernetes_validate.validate(value, version, strict=True)

    def test_a_key_that_is_none_is_found(self):
        deployment, container = node(load("prod"))
        container["lifecycle"]["preStop"]["sleep"]["second"] = 5
        for version in VERSIONS:
            with self.assertRaises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(deployment, version, strict=True)

    def test_the_chart_is_the_overlay(self):
        for overlay in OVERLAYS:
            with self.subTest(overlay):
                self.assertEqual(plain(load(overlay)), plain(load(f"helm-{overlay}")))

    def test_the_charts_own_configuration_is_that_of_production(self):
        values = yaml.safe_load((ROOT / "k8s/helm/fanfare/values.yaml").read_text())
        self.assertEqual(tomllib.loads(values["config"]), tomllib.loads(configuration(load("prod"))))

    def test_what_is_named_is_there(self):
        for name in RENDERED:
            objects = load(name)
            with self.subTest(name):
                self.check_pods(objects)
                self.check_services(objects)

    def check_pods(self, objects):
        for deployment in of_kind(objects, "Deployment"):
            pod = deployment["spec"]["template"]
            self.assertLessEqual(
                deployment["spec"]["selector"]["matchLabels"].items(), pod["metadata"]["labels"].items()
            )
            account = pod["spec"].get("serviceAccountName")
            if account:
                self.assertIn(("ServiceAccount", account), objects)
            volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
            for volume in volumes.values():
                if "configMap" in volume:
                    self.assertIn(("ConfigMap", volume["configMap"]["name"]), objects)
            for container in pod["spec"]["containers"]:
                for mount in container.get("volumeMounts", []):
                    self.assertIn(mount["name"], volumes)
        for autoscaler in autoscalers(objects):
            target = autoscaler["spec"]["scaleTargetRef"]
            self.assertNotIn("replicas", objects[(target.get("kind", "Deployment"), target["name"])]["spec"])

    def check_services(self, objects):
        selected = {}
        for service in of_kind(objects, "Service"):
            ports = []
            for _, metadata, spec in workloads(objects):
                if service["spec"]["selector"].items() <= metadata["labels"].items():
                    ports += [port["name"] for container in spec["containers"] for port in container.get("ports", [])]
            for port in service["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
            selected[service["metadata"]["name"]] = service
        for ingress in of_kind(objects, "Ingress"):
            for path in ingress["spec"]["rules"][0]["http"]["paths"]:
                backend = path["backend"]["service"]
                names = [port["name"] for port in selected[backend["name"]]["spec"]["ports"]]
                self.assertIn(backend["port"]["name"], names)
        for route in of_kind(objects, "HTTPRoute"):
            for backend in route["spec"]["rules"][0]["backendRefs"]:
                ports = selected[backend["name"]]["spec"]["ports"]
                self.assertEqual([port["name"] for port in ports if port["port"] == backend["port"]], ["http"])
        for monitor in of_kind(objects, "ServiceMonitor"):
            (endpoint,) = monitor["spec"]["endpoints"]
            labels = monitor["spec"]["selector"]["matchLabels"]
            (service,) = [
                service for service in selected.values()
                if labels.items() <= service["metadata"]["labels"].items()
                and endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
            ]
            self.assertEqual(service["metadata"]["labels"][monitor["spec"]["jobLabel"]], "fanfare")

    def test_only_the_port_of_clients_is_seen_from_outside(self):
        outside = []
        for name in RENDERED:
            for service in of_kind(load(name), "Service"):
                if service["spec"].get("type", "ClusterIP") != "ClusterIP":
                    outside += [port["name"] for port in service["spec"]["ports"]]
        self.assertEqual(outside, ["http"])

    def test_nodes_take_each_kind_of_redis_and_reach_its_ports(self):
        for name in BROKERS:
            with self.subTest(name):
                objects = load(name)
                (broker,) = [v["value"] for v in node(objects)[1]["env"] if v["name"] == "FANFARE_BROKER"]
                checked = subprocess.run(
                    [BIN, "check", "--dev"], env={"FANFARE_BROKER": broker}, capture_output=True, text=True
                )
                self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
                policy = objects[("NetworkPolicy", "fanfare-to-redis")]
                open_ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
                self.assertEqual(open_ports, {6379, 26379} if "sentinel" in broker else {6379})

    def test_a_probe_speaks_as_its_port_does(self):
        for name in RENDERED:
            _, container = node(load(name))
            secure = "FANFARE_TLS__CERT" in [variable["name"] for variable in container["env"]]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container[probe]["httpGet"]
                expected = "HTTPS" if secure and asked["port"] == "http" else "HTTP"
                self.assertEqual(asked.get("scheme", "HTTP"), expected, name)

    def test_what_a_pod_is_given_stands_in_it(self):
        values = yaml.safe_load((ROOT / "tests/k8s/values/secure.yaml").read_text())
        deployment, container = node(load("helm-secure"))
        template = deployment["spec"]["template"]
        pod = template["spec"]
        for key in ("nodeSelector", "tolerations", "affinity", "priorityClassName", "initContainers"):
            self.assertEqual(pod[key], values[key])
        self.assertEqual(pod["containers"][1:], values["extraContainers"])
        self.assertEqual(pod["volumes"][-1:], values["volumes"])
        (spread,) = pod["topologySpreadConstraints"]
        self.assertEqual(spread.pop("labelSelector"), deployment["spec"]["selector"])
        self.assertEqual([spread], values["topologySpreadConstraints"])
        for key in ("env", "envFrom", "volumeMounts"):
            self.assertEqual(container[key][-len(values[key]):], values[key])
        self.assertLessEqual(values["podAnnotations"].items(), template["metadata"]["annotations"].items())
        self.assertLessEqual(values["podLabels"].items(), template["metadata"]["labels"].items())

    def test_dashboards_are_those_of_grafana_under_the_sidecars_label(self):
        found = {}
        for value in of_kind(load("helm-exposed"), "ConfigMap"):
            if value["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
                found |= value["data"]
        folder = ROOT / "deploy/grafana/dashboards"
        self.assertEqual(
            {name: json.loads(text) for name, text in found.items()},
            {file.name: json.loads(file.read_text()) for file in folder.glob("*.json")},
        )

    def test_a_value_that_the_chart_does_not_know_is_refused(self):
        for wrong in (
            "nodeSelectors.a=b", "tls.secretName=a", "redis.tls.ca=/etc/ca.crt", "publicKeys.secret=a",
            "publicKeys.keys[0].key=a.pem", "podLabels.app\\.kubernetes\\.io/name=a", "volumes[0].name=config",
            "extraContainers[0].name=fanfare", "probes.port=8080", "probes.scheme=https", "service.type=ExternalName",
            "httpRoute.enabled=true", "autoscaling.keda.enabled=true", "monitoring.interval=15", "dashboards.label=a",
            "httpRoute.timeouts.request=never",
        ):
            with self.subTest(wrong):
                command = [HELM, "template", "a", ROOT / "k8s/helm/fanfare", "--set", wrong]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("values don't meet the specifications of the schema", done.stderr)

    def test_all_pods_meet_the_restricted_profile(self):
        for name in RENDERED:
            for workload, _, spec in workloads(load(name)):
                with self.subTest(rendered=name, pod=workload):
                    pod = spec["securityContext"]
                    self.assertTrue(pod["runAsNonRoot"])
                    self.assertNotEqual(pod["runAsUser"], 0)
                    self.assertEqual(pod["seccompProfile"]["type"], "RuntimeDefault")
                    self.assertLessEqual({sysctl["name"] for sysctl in pod.get("sysctls", [])}, SAFE_SYSCTLS)
                    for container in spec["containers"] + spec.get("initContainers", []):
                        own = container["securityContext"]
                        self.assertFalse(own["allowPrivilegeEscalation"])
                        self.assertTrue(own["readOnlyRootFilesystem"])
                        self.assertEqual(own["capabilities"]["drop"], ["ALL"])
        for overlay in OVERLAYS:
            (namespace,) = of_kind(load(overlay), "Namespace")
            self.assertEqual(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted")

    def test_a_pod_has_the_time_that_its_drain_takes_and_goes_alone(self):
        for name in RENDERED:
            objects = load(name)
            with self.subTest(name):
                deployment, container = node(objects)
                drain = seconds(tomllib.loads(configuration(objects))["drain"]["timeout"])
                sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                pod = deployment["spec"]["template"]["spec"]
                self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], sleep + drain + 5)
                for autoscaler in autoscalers(objects):
                    down = behavior(autoscaler)["scaleDown"]
                    (policy,) = down["policies"]
                    self.assertEqual((policy["type"], policy["value"]), ("Pods", 1))
                    self.assertGreaterEqual(policy["periodSeconds"], pod["terminationGracePeriodSeconds"])
                    self.assertGreaterEqual(down["stabilizationWindowSeconds"], policy["periodSeconds"])
                    self.assertGreaterEqual(deployment["spec"]["minReadySeconds"], drain)

    def test_keda_scales_as_the_autoscaler_of_kubernetes_does(self):
        (own,) = of_kind(load("prod"), "HorizontalPodAutoscaler")
        (keda,) = of_kind(load("helm-exposed"), "ScaledObject")
        self.assertEqual(behavior(keda), behavior(own))
        connections, cpu = (trigger["metadata"] for trigger in keda["spec"]["triggers"])
        pods, resource = own["spec"]["metrics"]
        self.assertEqual(connections["threshold"], pods["pods"]["target"]["averageValue"])
        self.assertEqual(cpu["value"], str(resource["resource"]["target"]["averageUtilization"]))
        of_nodes = {"job": "fanfare", "namespace": "fanfare", "service": "fanfare-internal"}
        check_query(connections["query"], [
            (of_nodes | {"pod": "a", "dialect": "relay"}, 3), (of_nodes | {"pod": "b", "dialect": "other"}, 4),
            (of_nodes | {"service": "fanfare-dev"}, 5), (of_nodes | {"namespace": "dev"}, 6),
        ], {"{}": 7})

    def test_no_secret_is_in_the_repository(self):
        for name in RENDERED:
            objects = load(name)
            for key, value in objects.items():
                if key[0] == "ConfigMap":
                    self.assertNotRegex(str(value), r"redis://[^\"/]*@|hmac_secrets|keys *=")
            if name != "dev":  # that one is generated from the reader's own file
                self.assertEqual(of_kind(objects, "Secret"), [])

    def test_versions_are_those_of_the_project(self):
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        chart = yaml.safe_load((ROOT / "k8s/helm/fanfare/Chart.yaml").read_text())
        self.assertEqual(chart["appVersion"], version)
        for name in RENDERED:
            self.assertEqual(node(load(name))[1]["image"].split(":")[-1], version)

    def test_the_autoscalers_metric_is_the_sum_over_dialects_of_each_pod(self):
        (rule,) = yaml.safe_load((ROOT / "k8s/prometheus-adapter.yaml").read_text())["rules"]["custom"]
        (autoscaler,) = of_kind(load("prod"), "HorizontalPodAutoscaler")
        series = rule["seriesQuery"].split("{")[0]
        self.assertEqual(autoscaler["spec"]["metrics"][0]["pods"]["metric"]["name"], series)
        query = rule["metricsQuery"]
        for name, text in (("Series", series), ("GroupBy", "pod"), ("LabelMatchers", 'namespace="fanfare",pod=~"a|b"')):
            query = query.replace(f"<<.{name}>>", text)
        samples = [("a", "relay", 3), ("a", "other", 4), ("b", "relay", 5), ("c", "relay", 6)]
        labels = [({"namespace": "fanfare", "pod": pod, "dialect": dialect}, value) for pod, dialect, value in samples]
        check_query(query, labels, {'{pod="a"}': 7, '{pod="b"}': 5})


def autoscalers(objects):
    """By Kubernetes itself, and by KEDA."""
    return of_kind(objects, "HorizontalPodAutoscaler") + of_kind(objects, "ScaledObject")


def behavior(autoscaler):
    """At what pace it scales."""
    spec = autoscaler["spec"]
    return spec["behavior"] if "behavior" in spec else spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]


def check_query(query, samples, expected):
    """The answer of Prometheus to a query, where each node has these connections."""
    written = OUT / "query.test"
    series = []
    for labels, value in samples:
        told_apart = ",".join(f'{key}="{text}"' for key, text in labels.items())
        series.append({"series": f"fanfare_connections{{{told_apart}}}", "values": str(value)})
    written.write_text(yaml.safe_dump({"tests": [{
        "input_series": series,
        "promql_expr_test": [{
            "expr": query,
            "eval_time": "0m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }],
    }]}))
    run(["promtool", "test", "rules", str(written)])


def run(command):
    """Runs it; fails with what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
