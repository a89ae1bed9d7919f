#!/usr/bin/env python3
"""Makes docs/api-reference.md from the OpenAPI document, which a test of the gateway keeps equal to the program's.

    tests/lib/api-reference.py            writes the page
    tests/lib/api-reference.py --check    exits with 1 if the page is of another document
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "crates/fanfare-gateway/src/api/snapshots/fanfare_gateway__api__openapi__tests__openapi.snap"
PAGE = ROOT / "docs/api-reference.md"
HEAD = """# The HTTP API, field by field

Made from the OpenAPI document of the program (`GET /api/openapi.json`) by `tests/lib/api-reference.py`.
[api.md](api.md) explains the methods and the errors.
"""


def name_of(reference):
    return reference.rsplit("/", 1)[-1]


def kind(schema):
    """A schema in a few words."""
    if "$ref" in schema:
        name = name_of(schema["$ref"])
        return f"[{name}](#{name.lower()})"
    for several in ("oneOf", "anyOf"):
        if several in schema:
            kinds = [kind(one) for one in schema[several] if one.get("type") != "null"]
            return " or ".join(kinds)
    types = schema.get("type", "any JSON")
    types = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    words = " or ".join(types)
    if words == "array":
        words = f"array of {kind(schema.get('items', {}))}"
    elif words == "object" and isinstance(schema.get("additionalProperties"), dict):
        words = f"object of {kind(schema['additionalProperties'])}"
    bounds = [("minimum", "≥ {}"), ("maximum", "≤ {}"), ("minItems", "≥ {} items"), ("maxItems", "≤ {} items"),
              ("default", "default {}")]
    found = [form.format(json.dumps(schema[bound])) for bound, form in bounds if bound in schema]
    return ", ".join([words, *found])


def cell(text):
    return text.replace("\n", " ").replace("|", "\\|")


def fields(schema, required="required"):
    rows = []
    for name, field in sorted(schema.get("properties", {}).items()):
        must = required if name in schema.get("required", []) else ""
        rows.append(f"| `{name}` | {cell(kind(field))} | {must} | {cell(field.get('description', ''))} |")
    if not rows:
        return ""
    return "\n| field | type | | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def operation(path, verb, described):
    out = f"\n## {verb.upper()} {path}\n\n{described['summary']}.\n"
    rows = [
        f"| `{one['name']}` | {cell(kind(one['schema']))} | {'required' if one.get('required') else ''} "
        f"| {cell(one.get('description', ''))} |"
        for one in described.get("parameters", [])
    ]
    if rows:
        out += "\n| parameter | type | | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    body = described.get("requestBody")
    if body:
        out += f"\nBody: {kind(body['content']['application/json']['schema'])}.\n"
    answers = described["responses"]
    ((media, content),) = answers["200"]["content"].items()
    result = content["schema"].get("properties", {}).get("result", content["schema"])
    out += f"\nResult: {kind(result)}." if media == "application/json" else f"\nResult: a stream, `{media}`."
    errors = [f"{status} {answer['description']}" for status, answer in sorted(answers.items()) if status != "200"]
    return out + (f" Errors: {'; '.join(errors)}.\n" if errors else "\n")


def schema_of(name, schema):
    out = f"\n### {name}\n"
    if schema.get("description"):
        out += f"\n{schema['description'].rstrip('.')}.\n"
    if "oneOf" in schema and "properties" not in schema:
        choices = [field for one in schema["oneOf"] for field in one.get("properties", {}).items()]
        rows = [f"| `{field}` | {cell(kind(described))} |" for field, described in choices]
        return out + "\nOne of:\n\n| field | type |\n|---|---|\n" + "\n".join(rows) + "\n"
    return out + fields(schema)


def page():
    document = json.loads(SNAPSHOT.read_text().split("---\n", 2)[2])
    parts = [HEAD]
    for path, verbs in sorted(document["paths"].items()):
        parts += [operation(path, verb, described) for verb, described in sorted(verbs.items())]
    parts.append("\n## Types\n")
    parts += [schema_of(*one) for one in sorted(document["components"]["schemas"].items())]
    return "".join(parts)


def main():
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit("docs/api-reference.md is of another document: run tests/lib/api-reference.py")
        return
    PAGE.write_text(text)


main()
