"""The memory of an idle connection in a node: idle.py BINARY CERT KEY [CONNECTIONS].

Starts a fresh node with the memory broker for plain connections and one for TLS, opens the connections, and prints what
only the node's process has written (Private_Dirty) 5 s after the last handshake, less what it had before, divided by
them. The client's side of TLS lives in this process and counts for nobody.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time

REQUEST = (
    b"GET /idle HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def private_dirty(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Private_Dirty:"))


def connect(port, context):
    sock = socket.create_connection(("127.0.0.1", port))
    if context:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    sock.sendall(REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return sock


def measure(binary, tls, connections):
    port = free_port()
    toml = f'listen = ["127.0.0.1:{port}"]\n[relay]\nping_interval = "60m"\n'
    context = None
    if tls:
        toml += f'[tls]\ncert = "{tls[0]}"\nkey = "{tls[1]}"\n'
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(toml)
        config.flush()
        node = subprocess.Popen([binary, "serve", "--config", config.name], stderr=subprocess.DEVNULL)
        try:
            while subprocess.run([binary, "health", "--config", config.name], capture_output=True).returncode:
                time.sleep(0.1)
            # Memory that only the first connections allocate does not count.
            held = [connect(port, context) for _ in range(200)]
            time.sleep(5)
            before = private_dirty(node.pid)
            held += [connect(port, context) for _ in range(connections)]
            time.sleep(5)
            return (private_dirty(node.pid) - before) / connections
        finally:
            node.kill()
            node.wait()


def main(binary, cert, key, connections="4000"):
    connections = int(connections)
    tls = [os.path.abspath(path) for path in (cert, key)]
    for name, files in (("plain", None), ("TLS", tls)):
        print(f"{name}: {measure(binary, files, connections):,.0f} bytes per idle connection ({connections:,})")


main(*sys.argv[1:])
