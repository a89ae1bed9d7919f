#!/usr/bin/env python3
"""`cargo test --workspace --all-features`, with several test programs at a time (JOBS=3).

Cargo runs one test program after another, and most of these wait for servers more than they compute. Each program runs
as cargo runs it: in the folder of its package. Its output is shown where it fails.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

CARGO = ["cargo", "test", "--workspace", "--all-features"]
JOBS = int(os.environ.get("JOBS", "3"))
LONGEST = ["process", "faults", "cluster", "sentinel"]  # these begin first, and all programs end sooner


def programs():
    """The test programs and the folders that they run in."""
    built = subprocess.run(
        [*CARGO, "--lib", "--bins", "--tests", "--no-run", "--message-format=json-render-diagnostics"],
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        sys.exit(built.returncode)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    tests = [message for message in messages if message.get("executable") and message["profile"]["test"]]
    tests.sort(key=lambda test: (test["target"]["name"] not in LONGEST, "test" not in test["target"]["kind"]))
    return [(test["executable"], pathlib.Path(test["manifest_path"]).parent) for test in tests]


def run(program):
    executable, folder = program
    name = f"{folder.name} {pathlib.Path(executable).name.rpartition('-')[0]}"
    start = time.monotonic()
    done = subprocess.run(
        [executable], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        results = [line.partition(". ")[2] for line in output.splitlines() if line.startswith("test result")]
        print(f"{time.monotonic() - start:6.1f} s  {name}: {' '.join(results)}", flush=True)
        return True
    print(f"{output}\n{name}: FAILED, exit status {done.returncode}", flush=True)
    return False


def main():
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        passed = all(list(pool.map(run, programs())))
    documented = subprocess.run([*CARGO, "--doc", "--quiet"]).returncode == 0
    sys.exit(not (passed and documented))


main()
