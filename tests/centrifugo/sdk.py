"""PyPI's centrifuge-python, as it comes, on two nodes. The scenarios are those of sdk.mjs.

    sdk.py json|protobuf NODE1 NODE2 REDIS KEY SECRET SCENARIO...

The file that the variable NODE1_PID names has the process id of the first node, which is started again when it ends.
"""

import asyncio
import json
import os
import pathlib
import re
import signal

from centrifuge import Filter, StreamPosition
from websockets.asyncio.client import connect

from clients import IS_PROTOBUF, NAMES, NODE1, NODE2, REDIS
from clients import Connected, api, clients, decode, encode, fails, fresh, has, information, present, published
from clients import signed, values
from live import Proxy, publish_in_redis, until
from support import check, equal, now, run, token, within


async def connects():
    async with Connected(NODE1) as ada:
        check(re.fullmatch(r"[0-9a-f]{16}-\d+", ada.id), f"{ada.id} is a client")
    equal((await ada.events.next("disconnected")).code, 0)


async def connects_with_token():
    ada = Connected(NODE1, token=signed(sub="ada", info={"name": "Ada"}, exp=now() + 60))
    invited = fresh("members")
    bob = Connected(NODE2, token=signed(sub="bob", channels=[invited]))
    async with clients(ada, bob):
        subscription = await ada.subscribe(fresh("chat"))
        found = await present(subscription, lambda clients: ada.id in clients)
        info = found[ada.id]
        equal((info.user, information(info.conn_info), info.client), ("ada", {"name": "Ada"}, ada.id))
        await bob.events.next("subscribed", lambda context: context.channel == invited)
        other = bob.asked(fresh("members"))
        await other.subscribe()
        equal((await other.heard.next("unsubscribed")).code, 103)


async def refuses_bad_tokens():
    for bad in ("x", token("another secret", sub="ada"), signed(sub="ada", channel="chat:1")):
        ada = Connected(NODE1, token=bad)
        await ada.client.connect()
        equal((await ada.events.next("disconnected")).code, 3500)


async def publishes_across_nodes():
    channel = fresh("")
    async with clients(Connected(NODE1, token=signed(sub="ada")), Connected(NODE2)) as (a, b):
        of_a, of_b = await a.subscribe(channel), await b.subscribe(channel)
        for sender, client, user, sent in ((of_a, a, "ada", {"from": "a"}), (of_b, b, "", "text")):
            await sender.publish(encode(sent))
            for reader in (of_a, of_b):
                value, publication = await published(reader)
                equal((value, publication.info.client, publication.info.user), (sent, client.id, user))
        await api("publish", channel=channel, data=[1], tags={"t": "x"})
        for reader in (of_a, of_b):
            value, publication = await published(reader)
            equal((value, publication.info, dict(publication.tags)), ([1], None, {"t": "x"}))
        for number in range(100):
            await b.client.publish(channel, encode(number))
        await until(lambda: has(of_a, 103), "a hundred publications")
        equal(values(of_a)[3:], list(range(100)))


async def reads_history():
    async with Connected(NODE1) as ada:
        subscription = await ada.subscribe(fresh("chat"))
        for number in range(1, 6):
            await subscription.publish(encode({"n": number}))

        async def read(**options):
            told = await subscription.history(**options)
            return [decode(publication.data)["n"] for publication in told.publications], told

        numbers, told = await read(limit=-1)
        equal((numbers, told.offset), ([1, 2, 3, 4, 5], 5))
        equal((await read(limit=0))[0], [])
        at = lambda offset: StreamPosition(offset=offset, epoch=told.epoch)
        equal((await read(limit=2, since=at(2)))[0], [3, 4])
        equal((await read(limit=2, reverse=True))[0], [5, 4])
        equal((await read(limit=9, since=at(3), reverse=True))[0], [2, 1])
        await fails(read(limit=1, since=StreamPosition(offset=2, epoch="other")), 112)


async def sees_presence():
    channel, bob = fresh("chat"), signed(sub="bob")
    ada = Connected(NODE1, token=signed(sub="ada"))
    async with clients(ada, Connected(NODE2, token=bob), Connected(NODE2, token=bob)) as all_of:
        subscription, *_ = [await one.subscribe(channel) for one in all_of]
        users = lambda clients: sorted(info.user for info in clients.values())
        await present(subscription, lambda clients: users(clients) == ["ada", "bob", "bob"])
        stats = await subscription.presence_stats()
        equal((stats.num_clients, stats.num_users), (3, 2))


async def hears_joins():
    channel = fresh("chat")
    bob = Connected(NODE2, token=signed(sub="bob", info={"name": "Bob"}))
    async with clients(Connected(NODE1), bob) as (ada, bob):
        heard = (await ada.subscribe(channel, join_leave=True)).heard
        is_bob = lambda context: context.info.client == bob.id
        subscription = await bob.subscribe(channel)
        info = (await heard.next("join", is_bob)).info
        equal((info.user, information(info.conn_info)), ("bob", {"name": "Bob"}))
        await subscription.unsubscribe()
        equal((await heard.next("leave", is_bob)).info.user, "bob")
        await subscription.subscribe()
        await heard.next("join", is_bob)
        await bob.client.disconnect()
        await heard.next("leave", is_bob)


async def cut(channel, missed):
    """A subscriber whose connection is cut, and `missed` is done: what it is told, and all that it heard."""
    async with Proxy(NODE1) as proxy, Connected(proxy.url) as ada:
        reader = await ada.subscribe(channel, recoverable=True, positioned=True)
        equal((reader.context.recoverable, reader.context.was_recovering), (True, False))
        for number in (1, 2, 3):
            await api("publish", channel=channel, data={"n": number})
        await until(lambda: has(reader, 3), "what is live")
        proxy.cut()
        await ada.events.next("connecting", lambda context: context.code != 0)
        await missed()
        proxy.mend()
        context = await reader.heard.next("subscribed")
        await api("publish", channel=channel, data={"n": "last"})
        await reader.heard.next("publication", lambda context: decode(context.pub.data)["n"] == "last")
        return context, [value["n"] for value in values(reader)]


async def recovers_what_it_missed():
    channel = fresh("chat")

    async def missed():
        for number in range(4, 14):
            await api("publish", channel=channel, data={"n": number})

    context, heard = await cut(channel, missed)
    equal((context.was_recovering, context.recovered), (True, True))
    equal(heard, [*range(1, 14), "last"])


async def knows_what_is_lost():
    channel = fresh("chat")

    async def missed():
        await api("publish", channel=channel, data={"n": 4})
        await api("history_remove", channel=channel)
        await api("publish", channel=channel, data={"n": 5})

    context, heard = await cut(channel, missed)
    equal((context.was_recovering, context.recovered), (True, False))
    equal(heard, [1, 2, 3, "last"])


async def gets_what_passes_its_filter():
    channel = fresh("chat")

    async def publishes(numbers):
        for number in numbers:
            tags = {"n": str(number), "parity": "odd" if number % 2 else "even"}
            await api("publish", channel=channel, data=number, tags=tags)

    odd = Filter.all(
        Filter.eq("parity", "odd"), Filter.negate(Filter.is_in("n", ["5", "7"])), Filter.gte("n", "2.5")
    )
    async with clients(Connected(NODE1), Connected(NODE2)) as (ada, bob):
        everything = await ada.subscribe(channel)
        some = await bob.subscribe(channel, tags_filter=odd)
        await publishes(range(1, 14))
        await until(lambda: has(everything, 13), "the last of all")
        await until(lambda: has(some, 4), "the last of some")
        equal(values(some), [3, 9, 11, 13])
        bad = bob.asked(fresh("chat"), tags_filter=Filter.eq("n", ""))
        await bad.subscribe()
        equal((await bad.heard.next("unsubscribed")).code, 107)


def issuer(**claims):
    """Makes tokens of two seconds, and counts them."""

    async def get_token(*_):
        get_token.asked += 1
        return signed(exp=now() + 2, **claims)

    async def is_asked():
        return get_token.asked >= 3

    get_token.asked, get_token.is_asked = 0, is_asked
    return get_token


async def refreshes_its_token():
    get_token = issuer(sub="ada")
    async with Connected(NODE1, token=signed(sub="ada", exp=now() - 60), get_token=get_token) as ada:
        equal(get_token.asked, 1)
        await until(get_token.is_asked, "two new tokens")
        await ada.client.publish(fresh(""), encode(1))
        equal((len(ada.events.all("connected")), len(ada.events.all("disconnected"))), (1, 0))


async def subscribes_with_tokens():
    channel = fresh("members")
    plain = signed(sub="ada", channels=[])
    async with clients(*(Connected(node, token=plain) for node in (NODE1, NODE2, NODE2))) as (ada, *others):
        get_token = issuer(sub="ada", channel=channel, info={"role": "host"})
        reader = await ada.subscribe(channel, get_token=get_token)
        await api("publish", channel=channel, data="in")
        equal((await published(reader))[0], "in")
        await until(get_token.is_asked, "two new tokens")
        equal(reader.heard.all("unsubscribed"), [])
        for other, claims in zip(others, ({"sub": "bob", "channel": channel}, {"sub": "ada", "channel": "other"})):
            subscription = other.asked(channel, token=signed(**claims))
            await subscription.subscribe()
            waiting = [subscription.heard.next("unsubscribed"), other.events.next("disconnected")]
            waiting = [asyncio.ensure_future(one) for one in waiting]
            done, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in late:
                one.cancel()
            for one in done:
                check(one.result().code in (103, 3500), f"refused with {one.result()}")


async def is_subscribed_by_its_token():
    named, listed = fresh("chat"), fresh("members")
    claims = {"sub": "ada", "channels": [listed, "members:*"], "subs": {named: {}}}
    async with Proxy(NODE1) as proxy, Connected(proxy.url, token=signed(**claims)) as ada:
        found = [(await ada.events.next("subscribed")).channel for _ in range(2)]
        equal(sorted(found), sorted([named, listed]))
        for channel in (listed, named):
            await api("publish", channel=channel, data=1)
            await ada.events.next("publication", lambda context: context.channel == channel)
        proxy.cut()
        await ada.events.next("connecting", lambda context: context.code != 0)
        await api("publish", channel=named, data=3)
        proxy.mend()
        context = await ada.events.next("subscribed", lambda context: context.channel == named)
        equal((context.was_recovering, context.recovered), (True, True))
        equal(decode((await ada.events.next("publication")).pub.data), 3)


async def is_subscribed_by_the_api():
    user, channel, own = fresh(""), fresh("chat"), fresh("")
    async with Connected(NODE1, token=signed(sub=user, channels=[])) as ada:
        await api("subscribe", user=user, channel=channel)
        await ada.events.next("subscribed", lambda context: context.channel == channel)
        await api("publish", channel=channel, data=1)
        equal(decode((await ada.events.next("publication")).pub.data), 1)
        await api("unsubscribe", user=user, channel=channel)
        await ada.events.next("unsubscribed", lambda context: context.channel == channel)
        reader = await ada.subscribe(own)
        await api("unsubscribe", user=user, channel=own)
        equal((await reader.heard.next("unsubscribed")).code, 2000)


async def is_disconnected_by_the_api():
    user = fresh("")
    async with Connected(NODE1, token=signed(sub=user)) as ada:
        await api("disconnect", user=user, code=4000, reason="come back")
        context = await ada.events.next("connecting", lambda context: context.code != 0)
        equal((context.code, context.reason), (4000, "come back"))
        await ada.events.next("connected")
        await api("disconnect", user=user)
        context = await ada.events.next("disconnected")
        equal((context.code, context.reason), (3503, "force disconnect"))


async def hears_other_dialects():
    channel = fresh("")
    address = f"{NODE2.replace('http', 'ws', 1)}/ws/{channel}"
    async with Connected(NODE1) as ada, connect(address, proxy=None) as relay:
        reader = await ada.subscribe(channel)

        async def both(value, message):
            equal((await published(reader))[0], value)
            equal(await within(relay.recv(), "a message"), message)

        await reader.publish(encode({"a": 1}))
        await both({"a": 1}, json.dumps({"a": 1}))
        for text in ("hi", '{"b":2}'):
            await relay.send(text)
            await both(text, text)
        await relay.send(b"\xff\0")
        data = (await reader.heard.next("publication")).pub.data
        equal(data, b"\xff\0" if IS_PROTOBUF else {"b64": "/wA="})
        equal(await within(relay.recv(), "bytes"), b"\xff\0")
        await publish_in_redis(REDIS, f"fanfare:{channel}", "plain")
        await both("plain", "plain")
        await api("publish", channel=channel, data={"c": 3}, event="e")
        value, publication = await published(reader)
        equal((value, publication.tags.get("event")), ({"c": 3}, "e"))
        equal(json.loads(await within(relay.recv(), "a message")), {"c": 3})


async def unsubscribes():
    channel = fresh("")
    async with Connected(NODE1) as ada, Connected(NODE1) as bob:
        reader = await ada.subscribe(channel)
        await reader.unsubscribe()
        equal((await reader.heard.next("unsubscribed")).code, 0)

        async def is_empty():
            return channel not in (await api("channels", pattern=channel))["channels"]

        await until(is_empty, "no subscriber")
        # Once the node has delivered it, it is not on its way any more.
        other = await bob.subscribe(channel)
        await api("publish", channel=channel, data="unheard")
        equal((await published(other))[0], "unheard")
        await reader.subscribe()
        await reader.heard.next("subscribed")
        await api("publish", channel=channel, data="heard")
        equal((await published(reader))[0], "heard")
        equal(values(reader), ["heard"])


async def gets_errors():
    async with Connected(NODE1) as ada:
        await fails(ada.client.publish(fresh("news"), encode(1)), 103)
        await fails(ada.client.publish(fresh("members"), encode(1)), 103)
        await fails(ada.client.publish("two words", encode(1)), 107)
        await fails(ada.client.rpc("method", encode(1)), 108)
        reader = await ada.subscribe(fresh(""))
        await fails(reader.history(limit=1), 108)
        await fails(reader.presence(), 108)
        await fails(reader.presence_stats(), 108)
        forbidden = ada.asked(fresh("members"))
        await forbidden.subscribe()
        equal((await forbidden.heard.next("unsubscribed")).code, 103)
        equal(ada.events.all("disconnected"), [])


async def listed():
    return {node["uid"] for node in (await api("info"))["nodes"]}


async def listed_anew(known):
    """The listed nodes, once the successor of one of these is listed and the other is not."""
    now = known

    async def is_alone():
        nonlocal now
        now = await listed()
        return len(now) == 2 and len(now - known) == 1

    await until(is_alone, "the successor alone")
    return now


async def survives_restarts():
    known = await listed()
    for number, expected in ((signal.SIGTERM, 3001), (signal.SIGKILL, 1)):
        channel = fresh("chat")
        async with Connected(NODE1) as ada:
            reader = await ada.subscribe(channel, recoverable=True, positioned=True)
            await api("publish", channel=channel, data=1)
            await until(lambda: has(reader, 1), "what is live")
            os.kill(int(pathlib.Path(os.environ["NODE1_PID"]).read_text()), number)
            context = await ada.events.next("connecting", lambda context: context.code != 0)
            equal((number, context.code), (number, expected))
            for value in range(2, 21):
                await api("publish", channel=channel, data=value)
            context = await reader.heard.next("subscribed")
            equal((context.was_recovering, context.recovered), (True, True))
            await api("publish", channel=channel, data=21)
            await until(lambda: has(reader, 21), "the last")
            equal(values(reader), list(range(1, 22)))

        # A call of the API waits for nodes that are listed. A node that was killed is listed for a while, and at first its
        # successor is not.
        known = await listed_anew(known)


SCENARIOS = [
    connects,
    connects_with_token,
    refuses_bad_tokens,
    publishes_across_nodes,
    reads_history,
    sees_presence,
    hears_joins,
    recovers_what_it_missed,
    knows_what_is_lost,
    gets_what_passes_its_filter,
    refreshes_its_token,
    subscribes_with_tokens,
    is_subscribed_by_its_token,
    is_subscribed_by_the_api,
    is_disconnected_by_the_api,
    hears_other_dialects,
    unsubscribes,
    gets_errors,
    survives_restarts,
]

run({scenario.__name__: scenario for scenario in SCENARIOS}, NAMES)
