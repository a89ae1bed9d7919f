"""The common parts of the Python scripts of this folder: tokens, and scenarios that are run by name."""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
import traceback

PATIENCE = 40  # seconds until something awaited counts as missing


def token(secret, **claims):
    """A JWT (HS256)."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    parts = [encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = b".".join(parts)
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encode(signature)).decode()


def now():
    return int(time.time())


def check(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def equal(found, expected):
    check(found == expected, f"{found!r} is not {expected!r}")


def until(condition, sentence):
    """Waits until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < end, f"did not come: {sentence}")
        time.sleep(0.02)


async def within(awaitable, sentence):
    try:
        return await asyncio.wait_for(awaitable, PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"did not come: {sentence}") from None


async def _run(scenario):
    result = scenario()
    if asyncio.iscoroutine(result):
        await asyncio.wait_for(result, 3 * PATIENCE)


def run(scenarios, names):
    """Runs scenarios, and says `ok NAME` for each that holds. Exits with 1 if one fails."""
    failed = False
    for name in names:
        try:
            asyncio.run(_run(scenarios[name]))
            print(f"ok {name}", flush=True)
        except Exception:  # whatever it is, the next scenario is independent of it
            failed = True
            print(f"FAILED {name}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    sys.exit(failed)
