"""Nodes run with what the manifests give their container: the file, the environment, the command, the probes."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from objects import BIN, OUT, configuration, load, node, of_kind

PATIENCE = 30  # seconds, for what must come; how long it takes is not asserted


def free_port():
    """One that nobody has; the kernel does not hand it out again soon."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path, headers=None, body=None):
    """Status and body of an answer; None while nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def until(check):
    """Until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.05)


def variables(secret):
    """What `envFrom` makes of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def token(secret):
    """A client's, good for every channel."""
    def encoded(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims = {"sub": "test", "exp": int(time.time()) + 600}
    signed = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + encoded(hmac.digest(secret.encode(), signed, hashlib.sha256))).decode()


class Pod:
    """What the kubelet would start, on ports of this machine."""

    def __init__(self, objects, name, secret, directory, redis):
        self.deployment, self.container = node(objects)
        (mount,) = self.container["volumeMounts"]
        config = pathlib.Path(directory) / "fanfare.toml"
        config.write_text(configuration(objects))
        self.env = {"PATH": os.environ["PATH"], "HOSTNAME": name}
        fields = {"metadata.name": name}
        for variable in self.container["env"]:
            if "value" in variable:
                value = variable["value"].replace(mount["mountPath"], directory)
            else:
                value = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            self.env[variable["name"]] = value
        self.env |= secret
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
        return get(self.ports[asked["port"]], asked["path"])

    def leave(self):
        """SIGTERM, once: a second one would end it at once."""
        if not self.leaves:
            self.process.send_signal(signal.SIGTERM)
        self.leaves = True

    def end(self):
        """What it exits with, within its grace period."""
        grace = self.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        return self.process.wait(grace)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Live(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def directory(self):
        return self.stack.enter_context(tempfile.TemporaryDirectory())

    def start_redis(self, command):
        port = free_port()
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", self.directory()]
        log = self.stack.enter_context(open(OUT / "redis.log", "wb"))
        redis = subprocess.Popen([*command, *where], stdout=log, stderr=log)
        self.stack.callback(redis.wait)
        self.stack.callback(redis.kill)
        return port

    def start_pods(self, objects, secret, redis):
        pods = []
        for index in range(2):
            pod = Pod(objects, f"fanfare-7d9c5b-{index}", secret, self.directory(), redis)
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
        url = f"127.0.0.1:{second.ports['http']}"
        # As the page has it, whose origin is the host that it came from.
        with connect(f"ws://{url}/chat", origin=f"http://{url}", additional_headers=headers) as client:
            status, body = get(
                first.ports["api"], "/api/publish", {"X-API-Key": key}, b'{"channel":"chat","data":"hello"}'
            )
            self.assertEqual((status, json.loads(body)), (200, {"result": {}}))
            self.assertEqual(client.recv(timeout=PATIENCE), "hello")
            _, metrics = get(second.ports["metrics"], "/metrics")
            self.assertIn('fanfare_connections{dialect="relay"} 1', metrics)
        for path in ("/api/publish", "/metrics"):
            self.assertEqual(get(first.ports["http"], path)[0], 404, "clients reach it")

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
        return port

    def check_ingress(self, objects, pods, headers):
        """A client comes through HAProxy, and again to the same node with its cookie; nobody to one that drains."""
        port = self.start_haproxy(objects[("Service", "fanfare")], pods)
        until(lambda: (get(port, "/readyz") or [0])[0] == 200)
        with connect(f"ws://127.0.0.1:{port}/chat", additional_headers=headers) as client:
            cookie = client.response.headers["Set-Cookie"].split(";")[0]
            self.assertTrue(cookie.startswith("FANFARE="))
        def who():
            status, body = get(port, "/readyz", {"Cookie": cookie})
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

    def test_the_dev_overlay_carries_a_message_from_pod_to_pod(self):
        objects = load("dev")
        (secret,) = of_kind(objects, "Secret")
        environment = variables(secret)
        (redis,) = [
            d["spec"]["template"]["spec"]["containers"][0]
            for d in of_kind(objects, "Deployment") if d["metadata"]["name"] == "fanfare-redis"
        ]
        service = objects[("Service", "fanfare-redis")]
        self.assertIn(f'broker = "redis://fanfare-redis:{service["spec"]["ports"][0]["port"]}"', configuration(objects))
        port = self.start_redis(redis["command"])
        pods = self.start_pods(objects, environment, f"redis://127.0.0.1:{port}")
        self.check_a_message(pods, environment["FANFARE_API__KEYS"], {})
        self.check_top(pods)
        self.check_end(pods)

    def test_the_prod_overlay_lets_in_who_has_a_token_through_its_ingress(self):
        password = "made-up-for-this-test"
        port = self.start_redis(["redis-server", "--save", "", "--requirepass", password])
        environment = variables(load("secret")[("Secret", "fanfare")])
        objects = load("prod")
        pods = self.start_pods(objects, environment, f"redis://:{password}@127.0.0.1:{port}")
        bearer = {"Authorization": f"Bearer {token(environment['FANFARE_AUTH__HMAC_SECRETS'])}"}
        self.check_a_message(pods, environment["FANFARE_API__KEYS"], bearer)
        with self.assertRaises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{pods[0].ports['http']}/chat").close()
        self.assertEqual(refused.exception.response.status_code, 401)
        self.check_top(pods)
        self.check_ingress(objects, pods, bearer)
        self.check_end(pods)
