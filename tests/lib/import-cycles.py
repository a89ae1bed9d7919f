#!/usr/bin/env python3
"""Finds cycles between the modules of each crate, and prints the shortest one.

A module is a file. It imports another by `use`, or by a path that begins with `crate`, `super`, `self` or a child's name.
`lib.rs`, `main.rs` and `mod.rs` are maps: a name that a map re-exports stands for its module. A `mod.rs` with code is a
module too. Tests do not count. The script fails where a crate of JUDGED has a cycle.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUDGED = [
    "fanfare", "fanfare-auth", "fanfare-broker", "fanfare-broker-suite", "fanfare-core", "fanfare-dial", "fanfare-gateway",
    "fanfare-hub", "fanfare-metrics", "fanfare-protocol", "fanfare-testkit", "fanfare-websocket", "swarm",
]
MAPS = {"lib.rs", "main.rs", "mod.rs"}
LITERAL = re.compile(r"""b?r(#+)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\[^']+|[^'\\])'|//[^\n]*""", re.DOTALL)
TEST = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*")
USE = re.compile(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
PATH = re.compile(r"(?<!\$)(?<!::)\b(?:crate|super|self)(?:::\w+)+")


def code_of(file):
    """The text of a file without literals, comments, and code for tests only."""
    text = LITERAL.sub(" ", file.read_text())
    while found := TEST.search(text):
        depth, end = 0, found.end()
        for end in range(found.end(), len(text)):
            depth += (text[end] == "{") - (text[end] == "}")
            if depth == 0 and text[end] in ";}":
                break
        text = text[: found.start()] + text[end + 1 :]
    return text


def paths_of(tree, prefix=()):
    """Each path of a use tree, with the name that it gets."""
    head, brace, rest = tree.partition("{")
    if brace:
        prefix, depth, item = (*prefix, *[part for part in head.strip().split("::") if part]), 0, ""
        for letter in rest.rpartition("}")[0] + ",":
            depth += (letter == "{") - (letter == "}")
            item += letter
            if letter == "," and depth == 0:
                yield from paths_of(item[:-1], prefix) if item[:-1].strip() else ()
                item = ""
        return
    path, _, name = tree.partition(" as ")
    path = (*prefix, *path.strip().split("::"))
    path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
    yield path, name.strip() or path[-1]


class Crate:
    def __init__(self, source):
        self.files, self.uses, self.exports = {}, {}, {}
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            if parts[-1] != "tests" and parts[0] != "bin":
                self.files[parts[:-1] if file.name in MAPS else parts] = (file.name, code_of(file))
        for name, (file, code) in self.files.items():
            trees = [(public, re.sub(r"\s+", " ", tree)) for public, tree in USE.findall(code)]
            self.exports[name] = [pair for _, tree in trees for pair in paths_of(tree)] if file in MAPS else []
            own = (paths_of(tree) for public, tree in trees if not (public and file in MAPS))
            self.uses[name] = [path for paths in own for path, _ in paths]

    def is_module(self, name):
        file, code = self.files[name]
        return file not in MAPS or (file == "mod.rs" and re.search(r"\b(fn|struct|enum|trait|impl)\b", code))

    def absolute(self, name, path):
        """A path as seen from a module, from the root of the crate; None for another crate's."""
        if path[0] == "crate":
            return path[1:]
        if path[0] not in ("self", "super") and (*name, path[0]) not in self.files:
            return None
        while path and path[0] in ("self", "super"):
            name, path = (name[:-1] if path[0] == "super" else name), path[1:]
        return (*name, *path)

    def targets(self, path, depth=0):
        """The modules that a path leads to."""
        name = next(path[:n] for n in range(len(path), -1, -1) if path[:n] in self.files)
        rest, found = path[len(name) :], set()
        for source, given in self.exports[name] if rest and depth < 8 else ():
            if given in (rest[0], "*") and (source := self.absolute(name, source)) is not None:
                found |= self.targets((*source[:-1], *rest) if given == "*" else (*source, *rest[1:]), depth + 1)
        return found or ({name} if self.is_module(name) else set())

    def imports(self):
        graph = {}
        for name in filter(self.is_module, self.files):
            code = USE.sub("", self.files[name][1])
            paths = self.uses[name] + [tuple(path.split("::")) for path in PATH.findall(code)]
            paths += [(child,) for child in re.findall(r"\bmod (\w+);", code) if re.search(rf"\b{child}::", code)]
            absolute = [path for path in (self.absolute(name, path) for path in paths) if path is not None]
            graph[name] = set().union(*map(self.targets, absolute)) - {name}
        return graph


def shortest_cycle(graph):
    best = None
    for start in sorted(graph):
        queue, seen = [(start,)], set()
        for way in queue:
            new = sorted(graph[way[-1]] - seen)
            if start in graph[way[-1]] and (best is None or len(way) < len(best)):
                best = way
            seen.update(new)
            queue += [(*way, to) for to in new]
    return best and [*best, best[0]]


failed = False
for source in [*sorted(ROOT.glob("crates/*/src")), ROOT / "loadtest/swarm/src"]:
    if cycle := shortest_cycle(Crate(source).imports()):
        failed |= source.parent.name in JUDGED
        verdict = "import cycle" if source.parent.name in JUDGED else "import cycle (not judged yet)"
        print(f"{source.parent.name}: {verdict}: {' -> '.join('::'.join(name) for name in cycle)}")
sys.exit(failed)
