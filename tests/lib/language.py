"""Fails where a comment, a document, a message or a test's name has a banned turn: language.py [PATH...]

A PATH is a file or a folder of the checkout; without one, CLEAN is judged. A turn is found across line ends too.
"""

import pathlib
import re
import subprocess
import sys

# The turn, as it is reported; how it is found; what to write instead. A space stands for any gap (GAP).
TURNS = [
    ("is no", "is no(?! longer)", "negate the verb: 'X is not a Y', 'without a Y', 'Y is missing'"),
    ("is none", "is none", "name it: 'without a Y', 'Y is missing'"),
    ("are no", "are no(?! longer)", "negate the verb: 'are not', 'without', 'has no'"),
    ("are none", "are none", "name them: 'without Ys', 'has no Y'"),
    ("Of ...", "Of", "begin with the subject, not with what it is a part of"),
    ("so many", "[Ss]o many", "say the number: 'the number of', 'as many as', 'too many'"),
    ("so much", "[Ss]o much", "say the amount: 'the amount of', 'as much as', 'too much'"),
    ("for want of", "[Ff]or want of", "say 'because ... is missing'"),
    ("as it is", r"(?<!soon\s)(?<!long\s)[Aa]s it is", "say 'unchanged', or name the state"),
]
# A comment that begins with one of these has a bare subject: say the noun ('A client that ...', 'The number of ...').
SUBJECTS = "Who|Whoever|What|That which"
LONGEST_NAME = 8  # words of a test's name, small ones too: a longer one is a sentence, and belongs above the test

# What is judged: the whole tree.
CLEAN = ["."]

SUFFIXES = "rs sh py md toml yml yaml html css js mjs ts cfg conf go".split()
NAMES = ["Makefile", "Dockerfile"]
ITSELF = "tests/lib/language.py"

GAP = r"(?:\s+(?://[/!]?|#|\*|>)?\s*|\s*\\\n\s*)"
COMMENT = re.compile(r'\s*(///|//!|//|#|/\*\*?|"""|<!--)\s*(.*)')
BEGINS = re.compile(rf"({SUBJECTS})\b")
TEST = re.compile(r"#\[(?:tokio::)?test\b.*\]\s*(?:#\[.*\]\s*)*(?:async )?fn (\w+)")
FOUND = [(turn, re.compile(rf"\b{words.replace(' ', GAP)}\b"), reason) for turn, words, reason in TURNS]


def files(paths):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    for name in listed:
        path = pathlib.Path(name)
        if (path.suffix[1:] in SUFFIXES or path.name in NAMES) and name != ITSELF and path.exists():
            yield path


def turns(text):
    for turn, pattern, reason in FOUND:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, turn, reason


def bare_subjects(text):
    """The first line of each comment that begins with a bare subject."""
    before = None
    for number, line in enumerate(text.splitlines(), 1):
        comment = COMMENT.match(line)
        marker = comment and comment.group(1)
        if line.startswith("#!"):
            marker = None
        begins = marker and marker != before and BEGINS.match(comment.group(2))
        if begins:
            yield number, begins.group(1), "begin with a noun: 'A client that ...', 'The number of ...'"
        before = marker


def long_names(text):
    for match in TEST.finditer(text):
        words = len(match.group(1).split("_"))
        if words > LONGEST_NAME:
            yield text.count("\n", 0, match.start(1)) + 1, match.group(1), f"{words} words, at most {LONGEST_NAME}"


def faults(path):
    text = path.read_text(encoding="utf-8")
    yield from turns(text)
    if path.suffix == ".rs":
        yield from long_names(text)
    if path.suffix != ".md":
        yield from bare_subjects(text)


def main(paths):
    count = 0
    for path in files(paths):
        for line, turn, reason in sorted(faults(path)):
            count += 1
            print(f"{path}:{line}: \"{turn}\": {reason}")
    return f"language: {count} banned turns" if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or CLEAN))
