#!/usr/bin/env python3
"""`cargo test --workspace --all-features`, with JOBS test programs at a time: one more than there are processors.

Cargo runs one test program after another, and most of these wait for servers more than they compute. Each program runs
as cargo runs it: in the folder of its package. Its output is shown where it fails.

Each has a loopback of its own: a client that comes back to the port of a node that was killed does not reach the node of
another program. Where this is not allowed (it takes root on Linux), one program runs at a time.
"""

import concurrent.futures
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

SCRIPT = pathlib.Path(__file__).resolve()
ISOLATED = "--isolated"
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

CARGO = ["cargo", "test", "--workspace", "--all-features"]
JOBS = int(os.environ.get("JOBS", (os.cpu_count() or 1) + 1))
# These begin first, so that none of them is left over at the end. A program that is missing here only costs time.
LONGEST = ["chaos", "faults", "cluster", "balancers", "process", "bad_input", "sentinel"]


def isolate():
    """Leaves the network for one that has a loopback alone."""
    import fcntl
    import socket
    import struct

    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def may_isolate():
    tried = subprocess.run([sys.executable, SCRIPT, ISOLATED, "true"], stderr=subprocess.DEVNULL)
    return tried.returncode == 0


def programs():
    """The test programs and the folders that they run in, the longest first."""
    command = [*CARGO, "--lib", "--bins", "--tests", "--no-run", "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit(built.returncode)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    tests = [message for message in messages if message.get("executable") and message["profile"]["test"]]

    def place(test):
        name, kind = test["target"]["name"], test["target"]["kind"]
        is_unit = "test" not in kind
        return (is_unit, LONGEST.index(name) if name in LONGEST else len(LONGEST))

    return [(test["executable"], pathlib.Path(test["manifest_path"]).parent) for test in sorted(tests, key=place)]


def run(program, before):
    """Whether the tests of a program pass; `before` is what starts it."""
    executable, folder = program
    name = f"{folder.name} {pathlib.Path(executable).name.rpartition('-')[0]}"
    start = time.monotonic()
    done = subprocess.run(
        [*before, executable], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        print(f"{output}\n{name}: FAILED, exit status {done.returncode}", flush=True)
        return False
    result = next((line for line in output.splitlines() if line.startswith("test result: ")), "")
    counts = "; ".join(result.removeprefix("test result: ok. ").split("; ")[:3])
    print(f"{time.monotonic() - start:6.1f} s  {name}: {counts}", flush=True)
    return True


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the programs, and this one begins no others
    jobs, before = (JOBS, [sys.executable, SCRIPT, ISOLATED]) if JOBS > 1 and may_isolate() else (1, [])
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        passed = list(pool.map(lambda program: run(program, before), programs()))
    documented = subprocess.run([*CARGO, "--doc", "--quiet"]).returncode == 0
    sys.exit(not (all(passed) and documented))


if sys.argv[1:2] == [ISOLATED]:
    isolate()
    os.execvp(sys.argv[2], sys.argv[2:])
main()
