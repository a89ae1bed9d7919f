"""Reads what tests/k8s/run.sh rendered."""

import os
import pathlib

import yaml

ROOT = pathlib.Path(os.environ["ROOT"])
OUT = pathlib.Path(os.environ["OUT"])
BIN = os.environ["BIN"]
OVERLAYS = ("dev", "prod")
BROKERS = ("helm-sentinel", "helm-several", "helm-cluster")
RENDERED = (
    "dev", "prod", "helm-dev", "helm-prod", "helm-default", "helm-other", "helm-secure", "helm-exposed", *BROKERS
)


def load(name):
    """All objects of one rendering, by kind and name."""
    objects = {}
    for document in yaml.safe_load_all((OUT / f"{name}.yaml").read_text()):
        if document is None:
            continue
        key = (document["kind"], document["metadata"]["name"])
        assert key not in objects, f"{name}: {key} twice"
        objects[key] = document
    return objects


def of_kind(objects, kind):
    """Those of one kind."""
    return [value for (its_kind, _), value in objects.items() if its_kind == kind]


def workloads(objects):
    """The Deployments, as (name, pod's metadata, pod's spec)."""
    for deployment in of_kind(objects, "Deployment"):
        template = deployment["spec"]["template"]
        yield deployment["metadata"]["name"], template["metadata"], template["spec"]


def node(objects):
    """The Deployment of the nodes, and their container; others may be beside it."""
    for deployment in of_kind(objects, "Deployment"):
        containers = deployment["spec"]["template"]["spec"]["containers"]
        if containers[0]["name"] == "fanfare":
            return deployment, containers[0]
    raise AssertionError("no Deployment of nodes")


def configuration(objects):
    """The text of the nodes' configuration file."""
    deployment, _ = node(objects)
    (volume,) = [v for v in deployment["spec"]["template"]["spec"]["volumes"] if v["name"] == "config"]
    return objects[("ConfigMap", volume["configMap"]["name"])]["data"]["fanfare.toml"]
