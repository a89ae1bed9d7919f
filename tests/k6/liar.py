"""A relay that lies, for the thresholds of loadtest/k6.

    liar.py PORT

The channel says how it lies: lose-1 loses messages, and so on; a channel of any other name is served well.
"""

import asyncio
import sys
from http import HTTPStatus

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

EVERY = 5  # of a sender's messages, that one is lied about
LATE = 0.6  # seconds


class Ended(Exception):
    """The connection is over: later messages of its client reach nobody."""


class Channel:
    def __init__(self, lie):
        self.lie = lie
        self.members = []
        self.held = None

    async def relay(self, sender, message, is_due):
        """Delivers a message: with a lie where one is due, else truly."""
        if not is_due:
            await self.say(message)
            await self.release()
            return
        match self.lie:
            case "silence":
                pass
            case "lose":
                await self.say(message, self.members[1:])
            case "double":
                await self.say(message)
                await self.say(message)
            case "swap":
                self.held = message
                later(self.release)
            case "astray":
                await self.say(message.replace('"channel":"astray-1"', '"channel":"astray-2"'))
            case "late":
                later(lambda: self.say(message))
            case "refuse":
                await sender.close(1013, "refused")
                raise Ended
            case "cut":
                sender.transport.abort()
                raise Ended
            case _:
                await self.say(message)

    async def release(self):
        held, self.held = self.held, None
        if held is not None:
            await self.say(held)

    async def say(self, message, members=None):
        # A copy: others come and go meanwhile.
        for member in list(self.members if members is None else members):
            try:
                await member.send(message)
            except ConnectionClosed:
                pass


def later(act):
    asyncio.get_running_loop().call_later(LATE, lambda: asyncio.ensure_future(act()))


channels = {}


async def session(socket):
    name = socket.request.path.removeprefix("/ws/")
    channel = channels.setdefault(name, Channel(name.rsplit("-", 1)[0]))
    channel.members.append(socket)
    always = channel.lie in ("silence", "late")
    number = 0
    try:
        async for message in socket:
            number += 1
            await channel.relay(socket, message, always or number % EVERY == 0)
    except (ConnectionClosed, Ended):
        pass
    finally:
        channel.members.remove(socket)


def gate(connection, request):
    if request.path.startswith("/ws/full-"):
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full\n")
    return None


async def main():
    async with serve(session, "127.0.0.1", int(sys.argv[1]), process_request=gate, compression=None) as server:
        await server.serve_forever()


asyncio.run(main())
