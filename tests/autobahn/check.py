"""Judges a report of the Autobahn suite: check.py core|all index.json

wstest always exits with 0, and a server that dies midway leaves a short report. So every case that the suite
has must be there, by number per group, and each with a result that counts as passed.
"""

import collections
import json
import sys

CORE = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 10: 1}
ALL = CORE | {9: 54, 12: 90, 13: 126}
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


def main(which, path):
    expected = CORE if which == "core" else ALL
    with open(path, encoding="utf-8") as file:
        (cases,) = json.load(file).values()

    faults = [
        f"case {case}: {kind} is {result[kind]} ({result['reportfile']})"
        for case, result in cases.items()
        for kind in ("behavior", "behaviorClose")
        if result[kind] not in PASSED
    ]
    counted = collections.Counter(int(case.split(".")[0]) for case in cases)
    for group in sorted(expected.keys() | counted.keys()):
        if counted[group] != expected.get(group, 0):
            faults.append(f"group {group}: {counted[group]} cases, expected {expected.get(group, 0)}")

    print(*faults, sep="\n", end="\n" if faults else "")
    results = collections.Counter(result["behavior"] for result in cases.values())
    print(f"Autobahn {which}: {len(cases)} cases:", ", ".join(f"{n} {name}" for name, n in sorted(results.items())))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
