"""Python's autobahn on asyncio: python_autobahn.py URL-A URL-B"""

import asyncio
import sys
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from payloads import PAYLOADS


class Client(WebSocketClientProtocol):
    def __init__(self):
        super().__init__()
        self.opened = asyncio.Event()
        self.received = asyncio.Queue()

    def onOpen(self):
        self.opened.set()

    def onMessage(self, payload, isBinary):
        self.received.put_nowait(payload if isBinary else payload.decode())

    def send(self, payload):
        self.sendMessage(payload if isinstance(payload, bytes) else payload.encode(), isinstance(payload, bytes))


async def join(url):
    factory = WebSocketClientFactory(url)
    factory.protocol = Client
    target = urlsplit(url)
    _, client = await asyncio.get_running_loop().create_connection(factory, target.hostname, target.port)
    await client.opened.wait()
    return client


async def main(url_a, url_b):
    a, b = await join(url_a), await join(url_b)
    for sender in a, b:
        for payload in PAYLOADS:
            sender.send(payload)
            for receiver in a, b:
                assert await receiver.received.get() == payload
    for client in a, b:
        client.sendClose()
        await client.is_closed
    print("Python autobahn: ok")


asyncio.run(main(*sys.argv[1:]))
