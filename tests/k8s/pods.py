"""Pods as the kubelet would start them: the command, environment, files and probes of a rendering, on this machine."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from websockets.sync.client import connect

from objects import BIN, OUT, configuration, node

TIMEOUT = 30  # seconds, for what must come; how long it takes is not asserted


def free_port():
    """One that nobody has; the kernel does not hand it out again soon."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# As the kubelet has it, which asks for no good certificate.
ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


def get(url, headers=None, body=None):
    """Status and body of an answer; None while nobody answers."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5, context=ANY_CERTIFICATE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def until(check):
    """Until it is true."""
    deadline = time.monotonic() + TIMEOUT
    while not check():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.05)


class Pod:
    """A container as the kubelet would start it, on ports of this machine."""

    def __init__(self, objects, name, given, directory, redis):
        self.deployment, self.container = node(objects)
        self.directory = pathlib.Path(directory)
        mounts = self.mount(configuration(objects), given.files)
        self.env = {"PATH": os.environ["PATH"], "HOSTNAME": name}
        for variable in self.container["env"]:
            value = variable["value"] if "value" in variable else self.field(variable, name)
            for path, here in mounts.items():
                value = value.replace(f"{path}/", f"{here}/")
            self.env[variable["name"]] = value
        self.env |= given.variables
        self.checked_env = dict(self.env)
        self.ports = {port["name"]: free_port() for port in self.container["ports"]}
        # The only thing that is not the pod's: where it listens, and where Redis is.
        self.env |= {
            "FANFARE_LISTEN": f"127.0.0.1:{self.ports['http']}",
            "FANFARE_API__LISTEN": f"127.0.0.1:{self.ports['api']}",
            "FANFARE_METRICS__LISTEN": f"127.0.0.1:{self.ports['metrics']}",
            "FANFARE_BROKER": redis,
        }
        self.log = open(OUT / f"{name}.log", "wb")
        self.process = None
        self.leaves = False

    def mount(self, config, secrets):
        """Each volume as a folder of this machine, by the path that it has in the container."""
        pod = self.deployment["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {}
        for mount in self.container["volumeMounts"]:
            volume = volumes[mount["name"]]
            files = {"fanfare.toml": config} if "configMap" in volume else {}
            if "secret" in volume:
                files = secrets[volume["secret"]["secretName"]]
            here = self.directory / mount["name"]
            here.mkdir()
            for file, text in files.items():
                (here / file).write_text(text)
            mounts[mount["mountPath"]] = here
        return mounts

    def field(self, variable, name):
        """The value that a variable takes from the pod itself."""
        path = variable["valueFrom"]["fieldRef"]["fieldPath"]
        label = re.fullmatch(r"metadata\.labels\['(.+)'\]", path)
        if label:
            return self.deployment["spec"]["template"]["metadata"]["labels"][label[1]]
        return {"metadata.name": name}[path]

    def url(self, port, scheme="http"):
        """Where a port of the container is; that of clients speaks TLS where it has a certificate."""
        secure = port == "http" and "FANFARE_TLS__CERT" in self.env
        return f"{scheme}{'s' if secure else ''}://127.0.0.1:{self.ports[port]}"

    def command(self, *arguments, env=None):
        """A command in the container, as `kubectl exec` has it."""
        return subprocess.run([BIN, *arguments], env=env or self.env, capture_output=True, text=True, check=False)

    def start(self):
        program, *arguments = self.container["command"]
        assert program == "fanfare"
        self.process = subprocess.Popen([BIN, *arguments], env=self.env, stdout=self.log, stderr=self.log)

    def probe(self, name):
        """The answer that a probe gets."""
        asked = self.container[name]["httpGet"]
        scheme = asked.get("scheme", "HTTP").lower()
        return get(f"{scheme}://127.0.0.1:{self.ports[asked['port']]}{asked['path']}")

    def client(self, headers=None, **options):
        """A client of this node, in the channel `chat`."""
        if self.url("http").startswith("https"):
            options["ssl"] = ANY_CERTIFICATE
        return connect(f"{self.url('http', 'ws')}/chat", additional_headers=headers, **options)

    def leave(self):
        """SIGTERM, once: a second one would end it at once."""
        if not self.leaves:
            self.process.send_signal(signal.SIGTERM)
        self.leaves = True

    def end(self):
        """Its exit code, within its grace period."""
        grace = self.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        return self.process.wait(grace)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


@dataclasses.dataclass
class Given:
    """Things of the cluster that the chart does not make: variables of the environment, and files by Secret."""

    variables: dict
    files: dict = dataclasses.field(default_factory=dict)


class Cluster(unittest.TestCase):
    """A Redis, nodes and a balancer, for one test."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def directory(self):
        return self.stack.enter_context(tempfile.TemporaryDirectory())

    def start_redis(self, command, tls=()):
        """The port at which it is: with TLS and nothing else where options of it are given."""
        port = free_port()
        ports = ["--port", "0", "--tls-port", str(port), *tls] if tls else ["--port", str(port)]
        where = [*ports, "--bind", "127.0.0.1", "--dir", self.directory()]
        log = self.stack.enter_context(open(OUT / "redis.log", "wb"))
        redis = subprocess.Popen([*command, *where], stdout=log, stderr=log)
        self.stack.callback(redis.wait)
        self.stack.callback(redis.kill)
        return port

    def start_pods(self, objects, given, redis):
        pods = []
        for index in range(2):
            pod = Pod(objects, f"fanfare-7d9c5b-{index}", given, self.directory(), redis)
            self.stack.callback(pod.close)
            checked = pod.command("check", env=pod.checked_env)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            pod.start()
            pods.append(pod)
        for pod in pods:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                until(lambda: (pod.probe(probe) or [0])[0] == 200)
            self.assertEqual(pod.command("health").returncode, 0)
        return pods

    def check_a_message(self, pods, key, headers):
        """Published through the API of one node, heard by a client of the other."""
        first, second = pods
        # As the page has it, whose origin is the host that it came from.
        with second.client(headers, origin=second.url("http")) as client:
            status, body = get(
                f"{first.url('api')}/api/publish", {"X-API-Key": key}, b'{"channel":"chat","data":"hello"}'
            )
            self.assertEqual((status, json.loads(body)), (200, {"result": {}}))
            self.assertEqual(client.recv(timeout=TIMEOUT), "hello")
            metrics = f"{second.url('metrics')}/metrics"
            until(lambda: 'fanfare_connections{dialect="relay",transport="websocket"} 1' in get(metrics)[1])
        for path in ("/api/publish", "/metrics"):
            self.assertEqual(get(f"{first.url('http')}{path}")[0], 404, "clients reach it")

    def start_haproxy(self, service, pods):
        """HAProxy, with the lines that the ingress controller (3.2) makes of the Service's annotations."""
        said = {key.removeprefix("haproxy.org/"): value for key, value in service["metadata"]["annotations"].items()}
        port = free_port()
        lines = ["defaults", "mode http", "timeout connect 5s", "timeout client 50s", "timeout server 50s",
                 "timeout tunnel 1h", "frontend https", f"bind 127.0.0.1:{port}", "default_backend fanfare",
                 "backend fanfare", f"balance {said.pop('load-balance')}", "option forwardfor",
                 f"option httpchk {said.pop('check-http')}",
                 f"cookie {said.pop('cookie-persistence')} insert indirect nocache dynamic",
                 "dynamic-cookie-key made-up-for-this-test",
                 f"default-server check inter {said.pop('check-interval')}"]
        lines += [f"server SRV_{i} 127.0.0.1:{pod.ports['http']}" for i, pod in enumerate(pods)]
        self.assertEqual(said, {"check": "true"}, "an annotation that this does not know")
        config = pathlib.Path(self.directory()) / "haproxy.cfg"
        config.write_text("\n".join(lines) + "\n")
        log = self.stack.enter_context(open(OUT / "haproxy.log", "wb"))
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=log, stderr=log)
        self.stack.callback(haproxy.wait)
        self.stack.callback(haproxy.kill)
        return f"http://127.0.0.1:{port}"

    def check_ingress(self, objects, pods, headers):
        """A client comes through HAProxy, and again to the same node with its cookie; nobody to one that drains."""
        url = self.start_haproxy(objects[("Service", "fanfare")], pods)
        until(lambda: (get(f"{url}/readyz") or [0])[0] == 200)
        with connect(f"ws{url.removeprefix('http')}/chat", additional_headers=headers) as client:
            cookie = client.response.headers["Set-Cookie"].split(";")[0]
            self.assertTrue(cookie.startswith("FANFARE="))
        def who():
            status, body = get(f"{url}/readyz", {"Cookie": cookie})
            return json.loads(body)["node"] if status == 200 else None

        here = who()
        self.assertEqual([who() for _ in range(4)], [here] * 4)
        next(pod for pod in pods if pod.env["FANFARE_NODE"] == here).leave()
        until(lambda: who() not in (None, here))

    def check_top(self, pods):
        """`kubectl exec deploy/fanfare -- fanfare top` shows both."""
        def both_are_there():
            seen = pods[0].command("top", "--json")
            nodes = json.loads(seen.stdout)["nodes"] if seen.returncode == 0 else []
            return {n["name"] for n in nodes if not n.get("away")} == {pod.env["FANFARE_NODE"] for pod in pods}

        until(both_are_there)

    def check_end(self, pods):
        for pod in pods:
            pod.leave()
        for pod in pods:
            self.assertEqual(pod.end(), 0)
