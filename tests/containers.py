"""Compares what Compose makes of docker-compose.yml, and of docker-compose.cluster.yml on top of it, with the files that
they name: tests/containers.py DIR FANFARE."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

DIR, FANFARE = Path(sys.argv[1]), sys.argv[2]
PLAIN = {"redis", "node1", "node2", "node3", "haproxy"}
OBSERVABILITY = {"prometheus", "grafana", "collector", "jaeger"}


def services(name):
    return json.loads((DIR / f"{name}.json").read_text())["services"]


def check(holds, sentence):
    if not holds:
        sys.exit(f"docker-compose.yml: {sentence}")


def check_profiles():
    starts = {"plain": PLAIN, "observability": PLAIN | OBSERVABILITY, "all": PLAIN | OBSERVABILITY | {"k6"}}
    for name, wanted in starts.items():
        started = set(services(name))
        check(started == wanted, f"{name} starts {sorted(started)}, not {sorted(wanted)}")


def check_service(name, service):
    """Contained, pinned, published on loopback only, and with nothing mounted that is not there."""
    contained = service.get("read_only") and service.get("cap_drop") == ["ALL"]
    check(contained and service.get("security_opt") == ["no-new-privileges:true"], f"{name} is not contained")
    pinned = "build" in service or re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", service["image"])
    check(pinned, f"{name}: {service['image']} is not pinned")
    for port in service.get("ports", []):
        check(port.get("host_ip") == "127.0.0.1", f"{name}: port {port['target']} is not on loopback")
    for volume in service.get("volumes", []):
        missing = volume["type"] == "bind" and not os.path.exists(volume["source"])
        check(not missing, f"{name}: {volume['source']} is missing, and Docker would make a directory of it")


def rules(configuration):
    return re.search(r"^rule_files:\n(?:  - .*\n)+", configuration, re.MULTILINE).group()


def check_nodes_are_known(nodes):
    """HAProxy and Prometheus know the nodes by their names, and Prometheus has the rules that it has elsewhere."""
    haproxy = Path("deploy/haproxy/compose.cfg").read_text()
    servers = re.findall(r"^ +server (\w+) \1:8080 cookie \1$", haproxy, re.MULTILINE)
    check(servers == nodes, f"deploy/haproxy/compose.cfg has {servers}, not {nodes}")
    prometheus = Path("deploy/prometheus/compose.yml").read_text()
    targets = re.findall(r"(\w+):8080", prometheus)
    check(targets == nodes, f"deploy/prometheus/compose.yml has {targets}, not {nodes}")
    check("targets: [haproxy:8405]" in prometheus and "bind :8405" in haproxy, "Prometheus does not find HAProxy")
    same = rules(prometheus) == rules(Path("deploy/prometheus/prometheus.yml").read_text())
    check(same, "deploy/prometheus/compose.yml and prometheus.yml there name different rules")


def check_image(name, node):
    """The released image of this version; a checkout builds it only where that cannot be had."""
    version = re.search(r'^version = "(.+)"$', Path("Cargo.toml").read_text(), re.MULTILINE).group(1)
    wanted = f"ghcr.io/fanfare-rs/fanfare:{version}"
    check(node["image"] == wanted, f"{name} is {node['image']}, not {wanted}")
    check(node["pull_policy"] == "missing", f"{name} is pulled or built when the image is there")


def check_node(name, node, traced):
    check(node["hostname"] == name, f"{name} is called {node['hostname']}")
    answer = subprocess.run([FANFARE, "check"], env=node["environment"], capture_output=True, text=True)
    check(answer.returncode == 0, f"fanfare check says of {name}:\n{answer.stdout}{answer.stderr}")
    endpoint = node["environment"]["FANFARE_TRACING__ENDPOINT"]
    check(endpoint == ("http://collector:4317" if traced else ""), f"{name} sends traces to {endpoint!r}")


def check_cluster(plain):
    """Six servers of Redis, each with its name and a volume, and nodes that wait until they are a Cluster."""
    clustered = services("cluster")
    servers = [name for name in clustered if re.fullmatch(r"redis\d?", name)]
    check(len(servers) == 6 and set(clustered) - set(servers) - {"redis-cluster"} == set(plain) - {"redis"},
          f"docker-compose.cluster.yml starts {sorted(clustered)}")
    for name, service in clustered.items():
        check_service(name, service)
    for name in servers:
        service = clustered[name]
        (volume,) = service["volumes"]
        kept = volume["type"] == "volume" and volume["source"] == name and volume["target"] == "/data"
        check(kept and not service.get("tmpfs") and service["hostname"] == name, f"{name} forgets its Cluster")
        check("--cluster-enabled yes" in service["command"][0] and service["entrypoint"] == ["sh", "-c"], name)
        healthy = clustered["redis-cluster"]["depends_on"][name]["condition"] == "service_healthy"
        check(healthy and name in clustered["redis-cluster"]["command"][0], f"{name} is in no Cluster")
    for name in (name for name in plain if name.startswith("node")):
        node = clustered[name]
        broker = node["environment"]["FANFARE_BROKER"]
        wanted = "redis+cluster://" + ",".join(f"{server}:6379" for server in sorted(servers))
        check(broker == wanted, f"{name} has the broker {broker}, not {wanted}")
        waits = node["depends_on"]["redis-cluster"]["condition"] == "service_completed_successfully"
        check(waits, f"{name} does not wait for the Cluster")
        check_node(name, node, traced=False)


def main():
    check_profiles()
    check_cluster(services("plain"))
    everything = services("all")
    for name, service in everything.items():
        check_service(name, service)
    nodes = sorted(name for name, service in everything.items() if "build" in service)
    check_nodes_are_known(nodes)
    for name in nodes:
        check_image(name, everything[name])
        check_node(name, services("plain")[name], traced=False)
        check_node(name, services("observability")[name], traced=True)
    print(f"docker-compose.yml: {len(everything)} services, {len(nodes)} nodes: ok")


main()
