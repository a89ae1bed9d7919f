#!/usr/bin/env python3
"""Finds cycles between the modules of each crate, and prints the shortest one.

A module is a file. It imports another by `use` or by a path in an expression (`crate::`, `super::`, `self::`, a child's
name). `lib.rs`, `main.rs` and `mod.rs` are maps, not modules: a name that they re-export stands for the module that
it comes from. Tests do not count. Fails where a crate of JUDGED has a cycle.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUDGED = ["fanfare-auth", "fanfare-core", "fanfare-hub", "fanfare-protocol", "fanfare-websocket"]
MAPS = {"lib.rs", "main.rs", "mod.rs"}
USE = re.compile(r"\buse\s+([^;]+);")
LITERAL = re.compile(r"""b?r(#+)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\[^']+|[^'\\])'|//[^\n]*""", re.DOTALL)
PATH = re.compile(r"(?<!\$)(?<!::)\b(?:crate|super|self)(?:::\w+)+")


def code_of(file):
    """The text of a file without comments, strings, and what is compiled for tests only."""
    text = LITERAL.sub(" ", file.read_text())
    while found := re.search(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*", text):
        depth, end = 0, found.end()
        for end in range(found.end(), len(text)):
            depth += (text[end] == "{") - (text[end] == "}")
            if depth == 0 and text[end] in ";}":
                break
        text = text[: found.start()] + text[end + 1 :]
    return text


def paths_of(tree, prefix=()):
    """Each path of a use tree, with the name that it gets."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if brace:
        prefix = (*prefix, *[part for part in head.strip().split("::") if part])
        depth, item = 0, ""
        for letter in rest.rpartition("}")[0] + ",":
            if letter == "," and depth == 0:
                if item.strip():
                    yield from paths_of(item, prefix)
                item = ""
                continue
            depth += (letter == "{") - (letter == "}")
            item += letter
        return
    path, _, name = tree.partition(" as ")
    path = (*prefix, *path.strip().split("::"))
    path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
    yield path, name.strip() or path[-1]


class Crate:
    def __init__(self, source):
        self.modules = {}
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            name = parts[:-1] if file.name in MAPS else parts
            if parts[-1] != "tests" and parts[0] != "bin":
                self.modules[name] = (file, code_of(file))
        self.exports = {name: self.uses(name) for name in self.modules}

    def uses(self, name):
        return [pair for tree in USE.findall(self.modules[name][1]) for pair in paths_of(re.sub(r"\s+", " ", tree))]

    def absolute(self, name, path):
        """A path as seen from a module, from the root of the crate; None for another crate's."""
        base, path = name, list(path)
        if path[0] == "crate":
            base, path = (), path[1:]
        elif (*name, path[0]) not in self.modules and path[0] not in ("self", "super"):
            return None
        while path and path[0] in ("self", "super"):
            base = base[:-1] if path[0] == "super" else base
            path = path[1:]
        return (*base, *path)

    def targets(self, path, depth=0):
        """The modules that a path leads to."""
        name = next((path[:n] for n in range(len(path), -1, -1) if path[:n] in self.modules), None)
        if self.modules[name][0].name not in MAPS or depth > 8:
            return {name}
        rest, found = path[len(name) :], set()
        for source, given in self.exports[name]:
            if rest and given in (rest[0], "*") and (source := self.absolute(name, source)):
                source = source[:-1] if given == "*" else source
                found |= self.targets((*source, *(rest if given == "*" else rest[1:])), depth + 1)
        return found

    def imports(self):
        graph = {}
        for name, (file, code) in self.modules.items():
            if file.name in MAPS:
                continue
            paths = [path for path, _ in self.uses(name)]
            paths += [tuple(path.split("::")) for path in PATH.findall(USE.sub("", code))]
            paths += [(child,) for child in re.findall(r"\bmod (\w+);", code) if re.search(rf"\b{child}::", code)]
            found = [self.targets(path) for path in (self.absolute(name, path) for path in paths) if path]
            graph[name] = {to for each in found for to in each if to != name and self.modules[to][0].name not in MAPS}
        return graph


def shortest_cycle(graph):
    best = None
    for start in sorted(graph):
        queue, seen = [(start,)], set()
        while queue:
            way = queue.pop(0)
            for to in sorted(graph[way[-1]]):
                if to == start and (best is None or len(way) < len(best)):
                    best = way
                if to not in seen:
                    seen.add(to)
                    queue.append((*way, to))
    return best and [*best, best[0]]


failed = False
for source in [*sorted(ROOT.glob("crates/*/src")), ROOT / "loadtest/swarm/src"]:
    crate = source.parent.name
    if cycle := shortest_cycle(Crate(source).imports()):
        failed |= crate in JUDGED
        verdict = "import cycle" if crate in JUDGED else "import cycle (not judged yet)"
        print(f"{crate}: {verdict}: {' -> '.join('::'.join(name) for name in cycle)}")
sys.exit(failed)
