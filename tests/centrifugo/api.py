"""PyPI's cent, as it comes, against the API of two nodes.

    api.py NODE1 NODE2 REDIS KEY SECRET SCENARIO...
"""

import contextlib
import json
import sys
import urllib.error
import urllib.request
import uuid

import cent
from cent import dto
from cent.exceptions import CentTransportError, CentUnauthorizedError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from support import PATIENCE, check, equal, now, run, token, until

NODE1, NODE2, _, KEY, SECRET, *NAMES = sys.argv[1:]
one = cent.Client(f"{NODE1}/api", KEY)
two = cent.Client(f"{NODE2}/api", KEY)


def fresh(namespace):
    """A channel that no other scenario uses."""
    name = uuid.uuid4().hex[:8]
    return f"{namespace}:{name}" if namespace else name


def listen(node, channel, user=None):
    """A plain WebSocket in a channel."""
    address = node.replace("http", "ws", 1) + "/ws/" + channel
    return connect(address + (f"?token={token(SECRET, sub=user)}" if user else ""), proxy=None)


@contextlib.contextmanager
def sdk(node, of):
    """A client of the Centrifugo protocol, connected with a token."""
    with connect(node.replace("http", "ws", 1) + "/connection/websocket", proxy=None) as client:
        client.send(json.dumps({"id": 1, "connect": {"token": of}}))
        yield client


@contextlib.contextmanager
def suppressed_end():
    """The close code of a connection that ends inside."""
    codes = []
    try:
        yield codes
        raise AssertionError("it did not end")
    except ConnectionClosed as closed:
        codes.append(closed.rcvd.code)


def refused(call, status):
    try:
        call()
    except CentTransportError as error:
        equal(error.status_code, status)
    else:
        raise AssertionError(f"it was not refused with {status}")


def publish():
    channel = fresh("chat")
    with listen(NODE2, channel) as reader:
        first = one.publish(dto.PublishRequest(channel=channel, data={"a": 1}, tags={"t": "x"}))
        equal((first.offset, len(first.epoch)), (1, 16))
        equal(reader.recv(PATIENCE), '{"a": 1}')
        again = dto.PublishRequest(channel=channel, data="text", idempotency_key="k")
        equal([client.publish(again).offset for client in (one, two)], [2, 2])
        equal(reader.recv(PATIENCE), "text")
        skipped = dto.PublishRequest(channel=channel, data=None, b64data="/wA=", skip_history=True)
        equal(two.publish(skipped).offset, 0)
        equal(reader.recv(PATIENCE), b"\xff\0")
    # Other libraries send these, too.
    empty = dto.PublishRequest(channel=channel, data=1, delta=False, version=0, version_epoch="")
    equal(one.publish(empty).offset, 3)
    refused(lambda: one.publish(dto.PublishRequest(channel=channel, data=1, version=7)), 400)


def broadcast():
    channels = [fresh("chat"), fresh("")]
    with listen(NODE1, channels[0]) as first, listen(NODE2, channels[1]) as second:
        told = one.broadcast(dto.BroadcastRequest(channels=[*channels, "two words"], data="all"))
        equal([response.result and response.result.offset for response in told.responses], [1, 0, None])
        equal(told.responses[2].error.code, 107)
        for reader in (first, second):
            equal(reader.recv(PATIENCE), "all")


def history():
    channel = fresh("chat")
    for number in range(5):
        one.publish(dto.PublishRequest(channel=channel, data={"n": number}))
    numbers = lambda told: [publication.data["n"] for publication in told.publications]
    told = two.history(dto.HistoryRequest(channel=channel, limit=-1))
    equal((numbers(told), told.offset), ([0, 1, 2, 3, 4], 5))
    since = dto.StreamPosition(offset=2, epoch=told.epoch)
    equal(numbers(two.history(dto.HistoryRequest(channel=channel, limit=2, since=since))), [2, 3])
    equal(numbers(two.history(dto.HistoryRequest(channel=channel, limit=2, reverse=True))), [4, 3])
    equal(numbers(two.history(dto.HistoryRequest(channel=channel, limit=0))), [])
    one.history_remove(dto.HistoryRemoveRequest(channel=channel))
    told = two.history(dto.HistoryRequest(channel=channel, limit=10))
    equal((numbers(told), told.offset), ([], 5))
    refused(lambda: one.history(dto.HistoryRequest(channel=fresh(""), limit=1)), 400)


def presence():
    channel = fresh("chat")
    with listen(NODE1, channel, "ada"), listen(NODE2, channel, "bob"), listen(NODE2, channel, "bob"):
        users = lambda told: sorted(info.user for info in told.presence.values())
        request = dto.PresenceRequest(channel=channel)
        until(lambda: users(one.presence(request)) == ["ada", "bob", "bob"], "three clients")
        told = two.presence(request)
        check(all(info.client == key for key, info in told.presence.items()), "the keys are clients")
        stats = two.presence_stats(dto.PresenceStatsRequest(channel=channel))
        equal((stats.num_clients, stats.num_users), (3, 2))
        found = one.channels(dto.ChannelsRequest(pattern=channel[:-2] + "*")).channels
        equal({name: info.num_clients for name, info in found.items()}, {channel: 3})


def subscribe():
    user, channel, other = fresh(""), fresh(""), fresh("")
    with listen(NODE2, channel, user) as reader:
        one.subscribe(dto.SubscribeRequest(user=user, channel=other, override=dto.ChannelOptionsOverride()))
        one.publish(dto.PublishRequest(channel=other, data="there"))
        equal(reader.recv(PATIENCE), "there")
        one.unsubscribe(dto.UnsubscribeRequest(user=user, channel=other))
        third = fresh("")
        one.subscribe(dto.SubscribeRequest(user=user, channel=third))
        one.publish(dto.PublishRequest(channel=other, data="not there"))
        one.publish(dto.PublishRequest(channel=channel, data="here"))
        equal(reader.recv(PATIENCE), "here")
        two.unsubscribe(dto.UnsubscribeRequest(user=user, channel=""))
        for name in (channel, third):
            equal(one.channels(dto.ChannelsRequest(pattern=name)).channels, {})


def pushes(client, count):
    """The next pushes: one message may have several."""
    lines = []
    while len(lines) < count:
        lines += client.recv(PATIENCE).splitlines()
    return [json.loads(line)["push"] for line in lines]


def raw(node, method, body):
    """The answer to a call that cent does not have, with its status."""
    request = urllib.request.Request(f"{node}/api/{method}?api_key={KEY}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def subscribe_on_terms():
    user, channel = fresh(""), fresh("chat")
    for number in range(3):
        epoch = one.publish(dto.PublishRequest(channel=channel, data=number)).epoch
    joins = dto.ChannelOptionsOverride(force_push_join_leave=dto.BoolValue(value=True))
    terms = {
        "info": {"role": "host"},
        "data": {"welcome": 1},
        "recover_since": dto.StreamPosition(offset=1, epoch=epoch),
        "override": joins,
    }
    with sdk(NODE2, token(SECRET, sub=user)) as client:
        equal(json.loads(client.recv(PATIENCE))["id"], 1)
        one.subscribe(dto.SubscribeRequest(user=user, channel=channel, **terms))
        told, second, third, joined = pushes(client, 4)
        equal({key: told["subscribe"][key] for key in ("recoverable", "offset", "epoch")},
              {"recoverable": True, "offset": 1, "epoch": epoch})
        equal(told["subscribe"]["data"], {"welcome": 1})
        equal([push["pub"]["data"] for push in (second, third)], [1, 2])
        equal(joined["join"]["info"]["chan_info"], {"role": "host"})
        two.refresh(dto.RefreshRequest(user=user, info={"name": "Ada"}))
        equal(pushes(client, 1)[0]["refresh"], {})
        found = lambda: list(one.presence(dto.PresenceRequest(channel=channel)).presence.values())
        until(lambda: [(info.conn_info, info.chan_info) for info in found()] == [({"name": "Ada"}, {"role": "host"})],
              "the new information is in presence")
        # The time is over, and the grace: the connection ends.
        status, _ = raw(NODE1, "subscribe", {"user": user, "channel": fresh(""), "expire_at": now() - 30})
        equal(status, 200)
        with suppressed_end() as closed:
            pushes(client, 2)
        equal(closed, [3006])
    status, answer = raw(NODE1, "subscribe", {"channel": channel, "all_users": True})
    equal((status, answer["error"]["code"]), (400, 107))


def rpc():
    status, answer = raw(NODE1, "rpc", {"method": "m", "params": {}})
    equal((status, answer["error"]["code"]), (400, 108))
    check("call your backend" in answer["error"]["message"], answer)


def disconnect():
    user, channel = fresh(""), fresh("chat")
    for asked, code, reason in (
        ({}, 3503, "force disconnect"),
        ({"disconnect": dto.Disconnect(code=4100, reason="go")}, 4100, "go"),
    ):
        with listen(NODE2, channel, user) as reader, listen(NODE1, channel) as stays:
            one.disconnect(dto.DisconnectRequest(user=user, whitelist=[], **asked))
            try:
                reader.recv(PATIENCE)
                raise AssertionError("it was not disconnected")
            except ConnectionClosed as closed:
                equal((closed.rcvd.code, closed.rcvd.reason), (code, reason))
            stays.ping().wait(PATIENCE)
    with listen(NODE2, channel, user) as spared, listen(NODE1, channel, user) as leaves:
        request = dto.PresenceRequest(channel=channel)
        until(lambda: len(one.presence(request).presence) == 2, "two clients")
        stays = next(iter(one.presence(request).presence))
        one.disconnect(dto.DisconnectRequest(user=user, whitelist=[stays]))
        until(lambda: list(one.presence(request).presence) == [stays], "one client")


def refresh():
    user, channel = fresh(""), fresh("chat")
    later = now() + 600
    with sdk(NODE1, token(SECRET, sub=user, exp=now() + 60, channels=[channel])) as client:
        check(json.loads(client.recv(PATIENCE))["connect"]["expires"], "its token expires")
        for expire_at, told in ((later, {"expires": True}), (None, {})):
            two.refresh(dto.RefreshRequest(user=user, expire_at=expire_at))
            push = json.loads(client.recv(PATIENCE))["push"]["refresh"]
            check(push.pop("ttl", 600) > 500, "it may stay longer")
            equal(push, told)
        two.refresh(dto.RefreshRequest(user=user, expired=True))
        with suppressed_end() as closed:
            client.recv(PATIENCE)
        equal(closed, [3005])
    with listen(NODE2, channel, user) as reader:
        one.refresh(dto.RefreshRequest(user=user, expired=True))
        with suppressed_end() as closed:
            reader.recv(PATIENCE)
        equal(closed, [4001])


def one_client():
    """Beside a client the user may be empty: cent demands one."""
    channel = fresh("chat")
    with listen(NODE1, channel, "ada") as leaves, listen(NODE2, channel, "bob") as stays:
        request = dto.PresenceRequest(channel=channel)
        until(lambda: len(one.presence(request).presence) == 2, "two clients")
        found = one.presence(request).presence
        client = next(client for client, info in found.items() if info.user == "ada")
        two.disconnect(dto.DisconnectRequest(user="", client=client))
        try:
            leaves.recv(PATIENCE)
            raise AssertionError("it was not disconnected")
        except ConnectionClosed as closed:
            equal(closed.rcvd.code, 3503)
        stays.ping().wait(PATIENCE)


def info():
    nodes = one.info(dto.InfoRequest()).nodes
    equal(sorted(node.name for node in nodes), ["node1", "node2"])
    check(all(node.uid and node.version for node in nodes), "each node has a uid and a version")


def batch():
    channel = fresh("chat")
    requests = [
        dto.PublishRequest(channel=channel, data={"n": 1}),
        dto.BroadcastRequest(channels=[channel, fresh("")], data={"n": 2}),
        dto.HistoryRequest(channel=channel, limit=10),
        dto.PresenceStatsRequest(channel=channel),
        dto.InfoRequest(),
    ]
    published, spread, kept, stats, nodes = one.batch(dto.BatchRequest(requests=requests)).replies
    equal((published.offset, spread.responses[0].result.offset), (1, 2))
    equal([publication.data["n"] for publication in kept.publications], [1, 2])
    equal((stats.num_clients, len(nodes.nodes)), (0, 2))
    parallel = [dto.PublishRequest(channel=channel, data=number) for number in range(10)]
    told = two.batch(dto.BatchRequest(requests=parallel, parallel=True))
    equal(sorted(reply.offset for reply in told.replies), list(range(3, 13)))


def errors():
    try:
        cent.Client(f"{NODE1}/api", "key-of-another-server").info(dto.InfoRequest())
        raise AssertionError("a wrong key was taken")
    except CentUnauthorizedError:
        pass
    refused(lambda: one.publish(dto.PublishRequest(channel="two words", data=1)), 400)
    refused(lambda: one.presence(dto.PresenceRequest(channel=fresh(""))), 400)


def key_in_address():
    for key, status in ((KEY, 200), ("key-of-another-server", 401), ("", 401)):
        for node in (NODE1, NODE2):
            request = urllib.request.Request(f"{node}/api/info?api_key={key}", b"{}")
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    equal(answer.status, status)
            except urllib.error.HTTPError as error:
                equal(error.code, status)


SCENARIOS = [publish, broadcast, history, presence, subscribe, subscribe_on_terms, rpc, disconnect, refresh, one_client,
             info, batch, errors, key_in_address]

run({scenario.__name__: scenario for scenario in SCENARIOS}, NAMES)
