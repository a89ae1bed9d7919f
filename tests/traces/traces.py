"""The spans that a collector gets from two nodes: traces.py NODE-A NODE-B PID-OF-B COLLECTOR-LOG

The collector writes each span it is sent into its log; node B sends its spans when it ends.
"""

import asyncio
import json
import os
import re
import signal
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

KEY = os.environ["FANFARE_API__KEYS"]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
UNSAMPLED = "5bf92f3577b34da6a3ce929d0e0e4736"
HANDSHAKE = "6bf92f3577b34da6a3ce929d0e0e4736"
REFUSED = "7bf92f3577b34da6a3ce929d0e0e4736"
# The test waits this many seconds for each thing, then fails; how soon it comes is not asserted.
TIMEOUT = 60


def traceparent(trace, flags="01"):
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}"}


def publish(node, headers):
    body = json.dumps({"channel": "news", "data": "pl4nted"}).encode()
    request = urllib.request.Request(f"http://{node}/api/publish", body, {"X-API-Key": KEY, **headers})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"result": {}}


def spans(log):
    """Each span as a dictionary of what the collector wrote of it."""
    found, span, node = [], None, None
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            attribute = re.match(r"\s+-> ([\w.]+): \w+\((.*)\)$", line)
            field = re.match(r"\s*([\w ]+?)\s*: (.*)$", line)
            if line.startswith("ResourceSpans"):
                span, node = None, {}
            elif line.startswith("Span #"):
                span = {"node": node}
                found.append(span)
            elif attribute:
                (node if span is None else span)[attribute[1]] = attribute[2]
            elif field and span is not None:
                span[field[1]] = field[2].strip()
    # The last one may not be whole.
    return [span for span in found if "Kind" in span]


def of(log, trace, name):
    return [span for span in spans(log) if span["Trace ID"] == trace and span["Name"] == name]


async def eventually(what, get, wanted):
    for _ in range(TIMEOUT * 20):
        if len(get()) >= wanted:
            break
        await asyncio.sleep(0.05)
    assert len(get()) == wanted, f"{what}: {wanted} wanted, {json.dumps(get(), indent=1)}"
    return get()


def is_span(span, kind, parent, node, attributes):
    assert span["Kind"] == f"SPAN_KIND_{kind}" and span["Parent ID"] == parent, span
    about = span["node"]
    assert about["service.instance.id"] == node and about["service.name"] == "fanfare", span
    assert about["deployment.environment.name"] == "test", span
    for name, value in attributes.items():
        assert span.get(name) == value, (name, span)


async def main(node_a, node_b, pid_of_b, log):
    asking = {**traceparent(HANDSHAKE), "authorization": "Bearer pl4nted"}
    path = "/ws/news?token=pl4nted"
    async with connect(f"ws://{node_a}{path}", additional_headers=asking) as a, connect(f"ws://{node_b}/news") as b:
        for headers in [traceparent(UNSAMPLED, "00"), traceparent(TRACE)]:
            await asyncio.to_thread(publish, node_a, headers)
            assert [await a.recv(), await b.recv()] == ["pl4nted"] * 2
        await a.send("of a client")
        assert [await a.recv(), await b.recv()] == ["of a client"] * 2
        try:
            await connect(f"ws://{node_a}/metrics", additional_headers=traceparent(REFUSED))
            raise AssertionError("a kept path is a channel")
        except InvalidStatus as refused:
            assert refused.response.status_code == 404
        try:
            await connect(f"ws://{node_a}/ws/%20", additional_headers=traceparent(REFUSED))
            raise AssertionError("a space is a channel")
        except InvalidStatus as refused:
            assert refused.response.status_code == 400
    os.kill(int(pid_of_b), signal.SIGTERM)

    [published] = await eventually("the publish", lambda: of(log, TRACE, "publish"), 1)
    about = {
        "messaging.system": "redis",
        "messaging.destination.name": "news",
        "messaging.message.body.size": "7",
    }
    sends = {"messaging.operation.type": "send", "fanfare.publisher": "api"}
    is_span(published, "PRODUCER", PARENT, "a", {**sends, **about})
    deliveries = await eventually("a fan-out on each node", lambda: of(log, TRACE, "deliver"), 2)
    for node, span in zip("ab", sorted(deliveries, key=lambda span: span["node"]["service.instance.id"])):
        is_span(span, "CONSUMER", published["ID"], node, {"fanfare.deliveries": "1", **about})

    clients = lambda: [span for span in spans(log) if span.get("fanfare.publisher") == "client"]
    [root] = await eventually("the client's publish", clients, 1)
    is_span(root, "PRODUCER", "", "a", {"messaging.message.body.size": "11", "fanfare.session": "1"})
    await eventually("its fan-outs", lambda: of(log, root["Trace ID"], "deliver"), 2)

    [taken] = await eventually("the handshake", lambda: of(log, HANDSHAKE, "GET /ws/{channel}"), 1)
    is_span(taken, "SERVER", PARENT, "a", {"url.path": "/ws/news", "http.response.status_code": "101"})
    [refused] = await eventually("the refused one", lambda: of(log, REFUSED, "GET /ws/{channel}"), 1)
    assert refused["http.response.status_code"] == "400" and refused["Status code"] == "STATUS_CODE_UNSET", refused

    assert not [span for span in spans(log) if span["Trace ID"] == UNSAMPLED], "it was not to be sampled"
    with open(log, encoding="utf-8") as text:
        assert "pl4nted" not in text.read(), "a payload, a token or a key is in a trace"
    print(f"traces: ok, {len(spans(log))} spans from two nodes, by gRPC and by HTTP")


asyncio.run(main(*sys.argv[1:]))
