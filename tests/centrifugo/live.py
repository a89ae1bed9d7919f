"""The ground that sdk.py stands on: events that are waited for, a proxy that cuts, and calls of the API."""

import asyncio
import contextlib
import json
import urllib.request
from urllib.parse import urlsplit

from support import PATIENCE, within


def handler(base):
    """A handler whose events are kept, in the style of `base`."""

    class Events(base):
        def __init__(self):
            self.seen = []
            self.taken = set()
            self.changed = asyncio.Condition()

        def all(self, name):
            return [context for seen, context in self.seen if seen == name]

        async def next(self, name, fits=lambda context: True):
            """The next event of this name that `fits`; each is handed out once."""

            async def look():
                async with self.changed:
                    while True:
                        for at, (seen, context) in enumerate(self.seen):
                            if seen == name and at not in self.taken and fits(context):
                                self.taken.add(at)
                                return context
                        await self.changed.wait()

            try:
                return await within(look(), name)
            except AssertionError as error:
                raise AssertionError(f"{error} (seen: {self.seen})") from None

    def kept(name):
        async def keep(self, context):
            async with self.changed:
                self.seen.append((name, context))
                self.changed.notify_all()

        return keep

    for attribute in dir(base):
        if attribute.startswith("on_"):
            setattr(Events, attribute, kept(attribute.removeprefix("on_")))
    return Events


class Proxy:
    """A TCP proxy before a node: `cut` ends its connections and takes no others before `mend`."""

    def __init__(self, node):
        self.far = urlsplit(node)
        self.writers = set()
        self.is_cut = False

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.cut()
        self.server.close()

    async def _serve(self, reader, writer):
        if self.is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self.far.hostname, self.far.port)
        self.writers |= {writer, far_writer}
        with contextlib.suppress(asyncio.CancelledError):  # the scenario ended
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        writer.close()
        self.writers.discard(writer)

    def cut(self):
        self.is_cut = True
        for writer in list(self.writers):
            writer.transport.abort()

    def mend(self):
        self.is_cut = False


async def until(condition, sentence):
    """Waits until an asynchronous condition holds."""

    async def look():
        while not await condition():
            await asyncio.sleep(0.02)

    await within(look(), sentence)


async def call(node, key, method, body):
    """Calls a method of the API."""

    def send():
        request = urllib.request.Request(f"{node}/api/{method}", json.dumps(body).encode(), {"X-API-Key": key})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["result"]

    return await asyncio.to_thread(send)


async def publish_in_redis(url, channel, text):
    """Publishes around the nodes, with a plain Redis command."""
    parts = [part.encode() for part in ("PUBLISH", channel, text)]
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    writer.write(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    await within(reader.readline(), "Redis' answer")
    writer.close()
