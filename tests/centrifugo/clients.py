"""Clients of the SDK that sdk.py runs, with their subscriptions and events, by its arguments."""

import contextlib
import json
import sys
import uuid

from centrifuge import Client, ClientEventHandler, ReplyError, SubscriptionEventHandler

from live import call, handler, until
from support import equal, token

ENCODING, NODE1, NODE2, REDIS, KEY, SECRET, *NAMES = sys.argv[1:]
IS_PROTOBUF = ENCODING == "protobuf"
ClientEvents, SubscriptionEvents = handler(ClientEventHandler), handler(SubscriptionEventHandler)


def encode(value):
    return json.dumps(value).encode() if IS_PROTOBUF else value


def decode(data):
    return json.loads(data) if IS_PROTOBUF else data


def information(data):
    return decode(data) if data else None


def fresh(namespace):
    name = uuid.uuid4().hex[:8]
    return f"{namespace}:{name}" if namespace else name


def signed(**claims):
    return token(SECRET, **claims)


def api(method, **body):
    return call(NODE2, KEY, method, body)


class Connected:
    """A client of a node, and its events."""

    def __init__(self, node, **options):
        address = node.replace("http", "ws", 1) + "/connection/websocket"
        self.events = ClientEvents()
        self.client = Client(
            address, events=self.events, use_protobuf=IS_PROTOBUF, max_reconnect_delay=0.5, proxy=None, **options
        )

    async def __aenter__(self):
        await self.client.connect()
        self.id = (await self.events.next("connected")).client
        return self

    async def __aexit__(self, *_):
        await self.client.disconnect()

    async def subscribe(self, channel, **options):
        """A subscription that is there; its `events` and `context`."""
        subscription = self.asked(channel, **options)
        await subscription.subscribe()
        subscription.context = await subscription.heard.next("subscribed")
        return subscription

    def asked(self, channel, **options):
        heard = SubscriptionEvents()
        subscription = self.client.new_subscription(channel, events=heard, **options)
        subscription.heard = heard
        return subscription


async def published(subscription):
    """The next publication: its value and the whole."""
    publication = (await subscription.heard.next("publication")).pub
    return decode(publication.data), publication


async def present(subscription, fits):
    """The clients in the channel, once they fit. The list follows an answer of the node after a moment."""
    found = {}

    async def look():
        nonlocal found
        found = (await subscription.presence()).clients
        return fits(found)

    await until(look, "the clients in a channel")
    return found


def values(subscription):
    return [decode(context.pub.data) for context in subscription.heard.all("publication")]


async def fails(call, code):
    try:
        await call
    except ReplyError as error:
        equal(error.code, code)
    else:
        raise AssertionError(f"it did not fail with {code}")


def clients(*connected):
    """Several clients in one `async with`."""

    @contextlib.asynccontextmanager
    async def all_of():
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(one) for one in connected]

    return all_of()


async def has(subscription, count):
    return len(values(subscription)) >= count
