"""Nodes run with what the manifests give their container: the file, the environment, the command, the probes."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time

from websockets.exceptions import InvalidStatus

from objects import configuration, load, of_kind
from pods import Cluster, Given


def variables(secret):
    """The variables that `envFrom` makes of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def token(algorithm, sign, **header):
    """A client's token for every channel."""
    def encoded(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims = {"sub": "test", "exp": int(time.time()) + 600}
    header |= {"alg": algorithm, "typ": "JWT"}
    signed = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return (signed + b"." + encoded(sign(signed))).decode()


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options).stdout


def issue(directory, name, *extension):
    """NAME.crt and NAME.key, signed by ca.crt of the same folder, which is made first."""
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    out = ["-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"]
    authority = [] if name == "ca" else ["-extensions", "usr_cert", "-CA", directory / "ca.crt", "-CAkey", directory / "ca.key"]
    openssl("req", "-x509", *ec, "-subj", f"/CN={name}", "-days", "2", *authority, *extension, *out)
    return {"tls.crt": (directory / f"{name}.crt").read_text(), "tls.key": (directory / f"{name}.key").read_text()}


def rsa(directory, name):
    """A private key of RSA, in a file, and the public one."""
    file = directory / f"{name}.rsa"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file)
    return file, openssl("pkey", "-in", file, "-pubout", text=True)


class Live(Cluster):
    def check_refused(self, pod, headers=None):
        with self.assertRaises(InvalidStatus) as refused:
            pod.client(headers).close()
        self.assertEqual(refused.exception.response.status_code, 401)

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
        pods = self.start_pods(objects, Given(environment), f"redis://127.0.0.1:{port}")
        self.check_a_message(pods, environment["FANFARE_API__KEYS"], {})
        self.check_top(pods)
        self.check_end(pods)

    def test_the_prod_overlay_lets_in_who_has_a_token_through_its_ingress(self):
        password = "made-up-for-this-test"
        port = self.start_redis(["redis-server", "--save", "", "--requirepass", password])
        environment = variables(load("secret")[("Secret", "fanfare")])
        objects = load("prod")
        pods = self.start_pods(objects, Given(environment), f"redis://:{password}@127.0.0.1:{port}")
        secret = environment["FANFARE_AUTH__HMAC_SECRETS"].encode()
        bearer = {"Authorization": f"Bearer {token('HS256', lambda data: hmac.digest(secret, data, hashlib.sha256))}"}
        self.check_a_message(pods, environment["FANFARE_API__KEYS"], bearer)
        self.check_refused(pods[0])
        self.check_top(pods)
        self.check_ingress(objects, pods, bearer)
        self.check_end(pods)

    def test_the_chart_speaks_tls_everywhere_and_takes_rs256(self):
        directory, key = pathlib.Path(self.directory()), "a-key-of-this-test-0123456789"
        issue(directory, "ca")
        served = ("-addext", "subjectAltName=IP:127.0.0.1")
        for_clients, for_redis = (issue(directory, name, *served) for name in ("clients", "redis"))
        (current, public), (former, former_public) = (rsa(directory, name) for name in ("current", "former"))
        stranger, _ = rsa(directory, "stranger")
        files = {
            "fanfare-tls": for_clients,
            "fanfare-redis": issue(directory, "node") | {"ca.crt": (directory / "ca.crt").read_text()},
            "fanfare-issuers": {"issuer.pem": public, "former.pem": former_public},
        }
        tls = ["--tls-auth-clients", "yes"]
        for option, file in (("ca-cert-file", "ca.crt"), ("cert-file", "redis.crt"), ("key-file", "redis.key")):
            tls += [f"--tls-{option}", str(directory / file)]
        port = self.start_redis(["redis-server", "--save", ""], tls)

        given = Given({"FANFARE_BROKER": "rediss://redis.example.com:6379", "FANFARE_API__KEYS": key}, files)
        pods = self.start_pods(load("helm-secure"), given, f"rediss://127.0.0.1:{port}")
        def bearer(private, **header):
            signed = token("RS256", lambda data: openssl("dgst", "-sha256", "-sign", private, input=data), **header)
            return {"Authorization": f"Bearer {signed}"}

        self.check_a_message(pods, key, bearer(current, kid="2026"))
        self.check_a_message(pods, key, bearer(former))
        self.check_refused(pods[0])
        self.check_refused(pods[0], bearer(stranger, kid="2026"))
        self.check_top(pods)
        self.check_end(pods)
