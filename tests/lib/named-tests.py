#!/usr/bin/env python3
"""Fails where docs/guarantees.md names a test that does not exist.

A name is `suite::file::test` or `crate: file::test`; a `*` in the place of the test stands for all tests of the file.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/guarantees.md"
NAME = re.compile(r"`(?:([\w-]+):\s+)?((?:\w+::)+)(\w+|\*)`")
PATTERN = "suite::file::test"  # how the page says that it names tests
NOT_MODULES = {"src", "tests", "main", "lib", "mod"}


def modules(path):
    return [part for part in path if part not in NOT_MODULES]


def exists(crate, path, test):
    path = modules(path)
    pattern = re.compile(r"#\[(tokio::)?test\b" if test == "*" else rf"\bfn {test}\b")
    for file in (ROOT / "crates" / crate).rglob("*.rs"):
        parts = modules(file.relative_to(ROOT / "crates" / crate).with_suffix("").parts)
        if parts[len(parts) - len(path) :] == path and pattern.search(file.read_text()):
            return True
    return False


missing = [
    f"{crate or 'fanfare-testkit'}: {path}{test}"
    for crate, path, test in NAME.findall(PAGE.read_text())
    if path + test != PATTERN and not exists(crate or "fanfare-testkit", path.split("::")[:-1], test)
]
sys.exit("\n".join(f"docs/guarantees.md names a test that does not exist: {name}" for name in missing) or 0)
