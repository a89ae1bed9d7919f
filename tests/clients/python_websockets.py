"""Python's websockets: python_websockets.py URL-A URL-B"""

import asyncio
import sys

from websockets.asyncio.client import connect

from payloads import PAYLOADS


async def main(url_a, url_b):
    async with connect(url_a, max_size=None) as a, connect(url_b, max_size=None) as b:
        for sender in a, b:
            for payload in PAYLOADS:
                await sender.send(payload)
                for receiver in a, b:
                    # Text is a str and binary is bytes, so equality covers the type.
                    assert await receiver.recv() == payload
    print("Python websockets: ok")


asyncio.run(main(*sys.argv[1:]))
