"""The Centrifugo protocol on the wire, without an SDK: what a session answers, end to end, on a raw WebSocket and by raw
requests. The rules of single frames are tests of fanfare-protocol.

    wire.py NODE1 NODE2 REDIS KEY SECRET SCENARIO...
"""

import asyncio
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from support import check, equal, now, run, token, within

NODE1, NODE2, REDIS, KEY, SECRET, *NAMES = sys.argv[1:]
CONNECT = {"id": 1, "connect": {}}


def fresh(namespace):
    return f"{namespace}:{os.urandom(6).hex()}"


class Wire:
    """A raw connection. `say` sends one frame of these commands; `hear` is the next reply or push."""

    def __init__(self, node=NODE1, subprotocol=None, query=""):
        offers = [subprotocol] if subprotocol else None
        self._connecting = connect(node.replace("http", "ws", 1) + "/connection/websocket" + query, subprotocols=offers)
        self._heard = []

    async def __aenter__(self):
        self.socket = await self._connecting.__aenter__()
        return self

    async def __aexit__(self, *why):
        await self._connecting.__aexit__(*why)

    async def say(self, *commands):
        await self.socket.send("\n".join(one if isinstance(one, str) else json.dumps(one) for one in commands))

    async def hear(self):
        while not self._heard:
            frame = await within(self.socket.recv(), "a frame")
            self._heard = [json.loads(line) for line in frame.split("\n") if line.strip()]
        return self._heard.pop(0)

    async def answer(self, command):
        """The reply to a command; pushes before it are left out."""
        await self.say(command)
        while True:
            heard = await self.hear()
            if heard.get("id") == command["id"]:
                return {name: value for name, value in heard.items() if name != "id"}

    async def end(self):
        """The close code, and the reason, which must say something."""
        try:
            while True:
                await within(self.socket.recv(), "a close frame")
        except ConnectionClosed as closed:
            check(closed.rcvd and closed.rcvd.reason, f"{closed} has no reason")
            return closed.rcvd.code


class Connected(Wire):
    """A raw connection that has connected. `reply` is the answer."""

    def __init__(self, node=NODE1, **fields):
        super().__init__(node)
        self._fields = fields

    async def __aenter__(self):
        await super().__aenter__()
        self.reply = (await self.answer({"id": 1, "connect": self._fields}))["connect"]
        return self


def command(method, channel=None, **fields):
    number = command.next = getattr(command, "next", 1) + 1
    return {"id": number, method: {"channel": channel, **fields} if channel is not None else fields}


async def post(path, body, **headers):
    """The status of a POST, and its body."""
    return await asyncio.to_thread(_request, path, body, headers)


def _request(path, body, headers, method="POST"):
    request = urllib.request.Request(NODE1 + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def api(method, **fields):
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    status, body = _request(f"/api/{method}", json.dumps(fields).encode(), headers)
    equal(status, 200)
    return json.loads(body)["result"]


async def ends(expected, *frames):
    """A connection that ends with this code after these frames."""
    async with Wire() as wire:
        for frame in frames:
            await wire.say(*frame)
        equal((await wire.end(), frames), (expected, frames))


async def frames_and_order():
    async with Wire() as wire:
        a, b = fresh("chat"), fresh("chat")
        await wire.say(CONNECT, {"id": 2, "subscribe": {"channel": a}}, {"id": 3, "subscribe": {"channel": b}}, "")
        equal(sorted([(await wire.hear())["id"] for _ in range(3)]), [1, 2, 3])
    async with Wire() as wire:
        await wire.socket.send(json.dumps(CONNECT).encode())
        frame = await within(wire.socket.recv(), "a reply")
        check(isinstance(frame, str) and "connect" in json.loads(frame), f"{frame!r} is a text frame")
    for bad in ([""], ["", "", ""], ["x"], ['{"id":"1","connect":{}}'], [{"id": 1, "ping": {}}], [CONNECT, CONNECT]):
        await ends(3501, bad)
    await ends(3501, [{"id": 1, "subscribe": {"channel": "a"}}])
    await ends(3501, [CONNECT], ["{}"])
    await ends(3508, [CONNECT], [{"send": {"data": 1}}])
    await ends(1009, [CONNECT], [{"id": 2, "publish": {"channel": "a", "data": "x" * 1_100_000}}])


async def subprotocols():
    for offered, query, expected in ((None, "", str), ("centrifuge-json", "", str), ("centrifuge-protobuf", "", bytes),
                                     (None, "?format=protobuf", bytes), (None, "?cf_protocol=protobuf", bytes)):
        async with Wire(subprotocol=offered, query=query) as wire:
            equal(wire.socket.subprotocol, offered)
            await wire.socket.send(json.dumps(CONNECT) if expected is str else bytes.fromhex("0408012200"))
            frame = await within(wire.socket.recv(), "a reply")
            check(isinstance(frame, expected), f"{frame!r} is {expected.__name__}")
            if expected is bytes:
                equal((frame[0], frame[1:4]), (len(frame) - 1, bytes.fromhex("08012a")))


async def connects():
    async with Connected() as wire:
        equal(sorted(wire.reply), ["client", "ping", "pong", "version"])
        equal((wire.reply["ping"], wire.reply["pong"]), (25, True))
    expired = token(SECRET, sub="ada", exp=now() - 60)
    async with Wire() as wire:
        equal((await wire.answer({"id": 1, "connect": {"token": expired}}))["error"]["code"], 109)
        await wire.say({"id": 2, "subscribe": {"channel": "a"}})
        equal(await wire.end(), 3501)
    await ends(3500, [{"id": 1, "connect": {"token": "x"}}])
    await ends(3500, [{"id": 1, "connect": {"token": token(SECRET, sub="ada", channel="chat:1")}}])
    async with Connected(token=token(SECRET, sub="ada", exp=now() + 60)) as wire:
        check(wire.reply["expires"] and 50 < wire.reply["ttl"] <= 61, f"{wire.reply} expires within a minute")
        told = (await wire.answer(command("refresh", token=token(SECRET, sub="ada", exp=now() + 600))))["refresh"]
        check(told["expires"] and 500 < told["ttl"] <= 601, f"{told} expires within ten minutes")
        await wire.say(command("refresh", token=token(SECRET, sub="eve", exp=now() + 600)))
        equal(await wire.end(), 3500)
    for bad, code in (("", 3501), ("x", 3500)):
        async with Connected(token=token(SECRET, sub="ada", exp=now() + 60)) as wire:
            await wire.say(command("refresh", token=bad))
            equal(await wire.end(), code)


async def subscribes():
    async with Connected() as wire:
        plain = fresh("chatter")
        equal(await wire.answer(command("subscribe", plain)), {"subscribe": {}})
        equal((await wire.answer(command("subscribe", plain)))["error"]["code"], 105)
        equal(await wire.answer(command("unsubscribe", plain)), {"unsubscribe": {}})
        equal(await wire.answer(command("unsubscribe", plain)), {"unsubscribe": {}})
        for channel, fields, code in (("x" * 256, {}, 107), ("a b", {}, 107), ("$secret", {}, 103), ("a#ann", {}, 103),
                                      (fresh("members"), {}, 103), ("$s", {"token": "x"}, 103),
                                      ("$s", {"token": token(SECRET, sub="", channel="$s", exp=now() - 60)}, 109),
                                      ("a", {"type": 1}, 108), ("a", {"tf": {"op": "nonsense"}}, 107)):
            equal((channel, (await wire.answer(command("subscribe", channel, **fields)))["error"]["code"]), (channel, code))
        equal((await wire.answer(command("sub_refresh", plain, token="x")))["error"]["code"], 103)
        equal((await wire.answer(command("publish", plain)))["error"]["code"], 107)
        equal(await wire.answer(command("publish", plain, data=None)), {"publish": {}})
        equal((await wire.answer({"id": 901, "rpc": {"method": "m", "data": 1}}))["error"]["code"], 108)
        for method in ("history", "presence", "presence_stats"):
            equal((await wire.answer(command(method, plain)))["error"]["code"], 108)
    await ends(3501, [CONNECT], [command("subscribe", "")])
    await ends(3501, [CONNECT], [command("subscribe", "a", delta="other")])
    for claims in ({"channel": "$other"}, {"channel": "$s", "client": "another"}, {"channel": "$s", "sub": "eve"}):
        await ends(3500, [CONNECT], [command("subscribe", "$s", token=token(SECRET, **{"sub": "", **claims}))])


async def a_hundred_and_twenty_eight_channels():
    async with Connected() as wire:
        asked = [command("subscribe", fresh("many")) for _ in range(129)]
        await wire.say(*asked)
        answers = [await wire.hear() for _ in asked]
        refused = [one["error"]["code"] for one in answers if "error" in one]
        equal(refused, [106])


async def publications():
    channel = fresh("chat")
    async with Connected() as wire:
        subscribed = (await wire.answer(command("subscribe", channel)))["subscribe"]
        equal(sorted(subscribed), ["epoch", "positioned", "recoverable"])
        odd = '{ "a" :  [1,2 ] }'
        await wire.say(f'{{"id":900,"publish":{{"channel":"{channel}","data":{odd}}}}}')
        frames = ""
        while odd not in frames or '"id":900' not in frames:
            frames += await within(wire.socket.recv(), "the publication and the reply") + "\n"
        push = json.loads(next(line for line in frames.split("\n") if odd in line))["push"]
        equal((push["channel"], push["pub"]["offset"], push["pub"]["info"]), (channel, 1, {"user": "", "client": wire.reply["client"]}))
        check("epoch" not in push["pub"], "the answer to the subscribe told the epoch")


async def history_and_recovery():
    channel = fresh("chat")
    tops = [api("publish", channel=channel, data={"n": number}) for number in range(1, 6)]
    epoch = tops[0]["epoch"]
    async with Connected() as wire:
        read = lambda **fields: wire.answer(command("history", channel, **fields))
        await wire.answer(command("subscribe", channel))
        equal(await read(), {"history": {"publications": [], "epoch": epoch, "offset": 5}})
        numbers = lambda told: [one["data"]["n"] for one in told["history"]["publications"]]
        equal(numbers(await read(limit=-1)), [1, 2, 3, 4, 5])
        equal(numbers(await read(limit=2, since={"offset": 1, "epoch": epoch})), [2, 3])
        equal(numbers(await read(limit=2, since={"offset": 1})), [2, 3])
        equal(numbers(await read(limit=2, since={"offset": 9, "epoch": epoch})), [])
        equal(numbers(await read(limit=2, since={"offset": 3, "epoch": epoch}, reverse=True)), [2, 1])
        equal((await read(limit=2, since={"offset": 1, "epoch": "other"}))["error"]["code"], 112)
        equal((await read(limit=2, since={"epoch": epoch}, reverse=True))["error"]["code"], 107)
    async def again(**fields):
        async with Connected() as wire:
            answer = await wire.answer(command("subscribe", channel, recover=True, **fields))
            return answer.get("subscribe") or answer["error"]["code"]
    whole = await again(offset=3, epoch=epoch)
    equal(([one["data"]["n"] for one in whole["publications"]], whole["recovered"], whole["was_recovering"]), ([4, 5], True, True))
    equal(whole["offset"], 3)
    start = await again(epoch=epoch)
    equal((len(start["publications"]), start["recovered"], "offset" in start), (5, True, False))
    for lost in ({"offset": 3, "epoch": "other"}, {"offset": 9, "epoch": epoch}):
        told = await again(**lost)
        equal((told.get("recovered"), told.get("publications"), told["offset"], told["was_recovering"]), (None, None, 5, True))
        equal(await again(**lost, flag=2), 112)


async def joins():
    channel = fresh("chat")
    async with Connected(token=token(SECRET, sub="ada", info={"n": 1})) as ada:
        await ada.say(command("subscribe", channel, join_leave=True))
        equal(sorted(await ada.hear())[1], "subscribe")
        ours = {"user": "ada", "client": ada.reply["client"], "conn_info": {"n": 1}}
        equal(await ada.hear(), {"push": {"channel": channel, "join": {"info": ours}}})
        async with Connected() as bob:
            await bob.answer(command("subscribe", channel))
            theirs = {"user": "", "client": bob.reply["client"]}
            equal(await ada.hear(), {"push": {"channel": channel, "join": {"info": theirs}}})
            shown = (await bob.answer(command("presence", channel)))["presence"]["presence"]
            equal(shown[ada.reply["client"]], ours)
            stats = (await bob.answer(command("presence_stats", channel)))["presence_stats"]
            equal(sorted(stats), ["num_clients", "num_users"])
        equal(await ada.hear(), {"push": {"channel": channel, "leave": {"info": theirs}}})


def _stream(path, body=None, **headers):
    request = urllib.request.Request(NODE1 + path, body, headers, method="POST" if body is not None else "GET")
    return urllib.request.urlopen(request, timeout=20)


async def streams():
    await asyncio.to_thread(_streams)


def _streams():
    connecting = json.dumps(CONNECT)
    with _stream("/connection/sse?cf_connect=" + urllib.parse.quote(connecting)) as sse:
        equal(sse.headers["Content-Type"].split(";")[0], "text/event-stream")
        equal(sse.readline(), b"\r\n")
        first = sse.readline()
        told = json.loads(first.removeprefix(b"data: "))["connect"]
        equal(sse.readline(), b"\n")
        check({"client", "session", "node", "ping", "pong"} <= set(told), f"{told} names its session")
        asked = {"session": told["session"], "node": told["node"], "data": json.dumps(command("subscribe", "streamed"))}
        equal(_request("/emulation", json.dumps(asked).encode(), {"Content-Type": "application/json"})[0], 204)
        check(b'"subscribe":{}' in sse.readline(), "the answer came down the stream")
    with _stream("/connection/http_stream", connecting.encode()) as stream:
        equal(stream.headers["Content-Type"].split(";")[0], "text/plain")
        equal(json.loads(stream.readline())["id"], 1)
    bad = b'{"push":{"disconnect":{"code":3501,"reason":'
    with _stream("/connection/http_stream", b"xx") as stream:
        check(stream.read().startswith(bad), "a disconnect is pushed, then the stream ends")
    with _stream("/connection/sse?cf_connect=xx") as sse:
        check(sse.read().startswith(b"\r\ndata: " + bad), "a disconnect is pushed, then the stream ends")
    for path, method, body, status in (("/connection/sse", "GET", None, 400), ("/connection/http_stream", "GET", None, 405),
                                       ("/emulation", "GET", None, 405), ("/emulation", "POST", b"xx", 400),
                                       ("/emulation", "POST", b'{"session":"s","node":"n","data":""}', 404),
                                       ("/connection/http_stream", "OPTIONS", None, 204), ("/emulation", "OPTIONS", None, 204)):
        equal((path, method, _request(path, body, {"Content-Type": "application/json"}, method)[0]), (path, method, status))


SCENARIOS = [frames_and_order, subprotocols, connects, subscribes, a_hundred_and_twenty_eight_channels, publications,
             history_and_recovery, joins, streams]
run({scenario.__name__: scenario for scenario in SCENARIOS}, NAMES)
