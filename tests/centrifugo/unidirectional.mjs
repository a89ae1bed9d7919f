// Clients that only listen, on two nodes: npm's eventsource, fetch and npm's ws, which know nothing of Centrifugo.
//
//   unidirectional.mjs sse|post-sse|http-stream|websocket NODE1 NODE2 REDIS KEY SECRET SCENARIO...
//
// The file that the variable NODE1_PID names has the process id of the first node, which is started again when it ends.

import { readFileSync } from "node:fs";
import { EventEmitter, once } from "node:events";
import { randomUUID } from "node:crypto";
import { EventSource } from "eventsource";
import WebSocket from "ws";
import { call, check, equal, Events, now, run, token, until, within } from "./support.mjs";

const [transport, NODE1, NODE2, , KEY, SECRET, ...names] = process.argv.slice(2);
const isSocket = transport === "websocket";
const api = (method, body) => call(NODE2, KEY, method, body);
const fresh = (namespace) => `${namespace}:${randomUUID().slice(0, 8)}`;
const signed = (claims) => token(SECRET, claims);
const query = (path, request) => `${path}?cf_connect=${encodeURIComponent(JSON.stringify(request))}`;

/** Hands on the messages of a body, which `end` splits. */
async function read(emitter, response, end, strip) {
  equal(response.status, 200);
  let text = "";
  for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
    text += bytes;
    for (let at; (at = text.indexOf(end)) >= 0; text = text.slice(at + end.length)) {
      const message = strip(text.slice(0, at));
      if (message) emitter.emit("message", message);
    }
  }
}

const OPEN = {
  sse(emitter, node, request) {
    const source = new EventSource(query(`${node}/connection/uni_sse`, request));
    source.onmessage = ({ data }) => emitter.emit("message", data);
    source.onerror = () => {
      source.close(); // it would connect again
      emitter.emit("end", {});
    };
    return () => source.close();
  },
  "post-sse": (emitter, node, request) =>
    stream(emitter, `${node}/connection/uni_sse`, request, "\n\n", (event) => event.trim().replace(/^data: /, "")),
  "http-stream": (emitter, node, request) =>
    stream(emitter, `${node}/connection/uni_http_stream`, request, "\n", (line) => line),
  websocket(emitter, node, request) {
    const address = node.replace("http", "ws") + "/connection/uni_websocket";
    const isFirstFrame = request.name === "by-frame";
    const socket = new WebSocket(isFirstFrame ? address : query(address, request), { perMessageDeflate: false });
    if (isFirstFrame) socket.on("open", () => socket.send(JSON.stringify(request)));
    socket.on("message", (data) => emitter.emit("message", data.toString()));
    socket.on("close", (code, reason) => {
      emitter.emit("message", JSON.stringify({ disconnect: { code, reason: reason.toString() } }));
      emitter.emit("end", {});
    });
    return () => socket.terminate();
  },
};

function stream(emitter, address, request, end, strip) {
  const stop = new AbortController();
  const body = JSON.stringify(request);
  fetch(address, { method: "POST", body, signal: stop.signal })
    .then((response) => read(emitter, response, end, strip))
    .then(() => emitter.emit("end", {}), (error) => stop.signal.aborted || emitter.emit("broken", `${error}`));
  return () => stop.abort();
}

/** A client that listens: its pushes by their kind. */
function listen(end, node, request) {
  const emitter = new EventEmitter();
  const events = new Events(emitter, "connect", "pub", "subscribe", "unsubscribe", "refresh", "join", "disconnect", "ping", "end", "broken");
  emitter.on("message", (text) => {
    const push = JSON.parse(text);
    check(!("push" in push) && !("id" in push), `${text} is bare`);
    const kind = Object.keys(push).find((key) => key !== "channel") ?? "ping";
    emitter.emit(kind, { ...push[kind], channel: push.channel });
  });
  end(OPEN[transport](emitter, node, request));
  return events;
}

async function listens(end) {
  const channel = fresh("chat");
  for (const [node, name] of [[NODE1, "by-address"], [NODE2, "by-frame"]]) {
    const events = listen(end, node, { token: signed({ sub: "ada", channels: [channel] }), name });
    const connect = await events.next("connect");
    check(/^[0-9a-f]{16}-\d+$/.test(connect.client), `${connect.client} is a client`);
    equal([connect.ping, connect.pong, connect.node], [isSocket ? undefined : 25, undefined, undefined]);
    equal(connect.subs[channel].recoverable, true);
    await api("publish", { channel, data: { name }, tags: { t: "x" } });
    const pub = await events.next("pub", ({ data }) => data.name === name);
    equal([pub.channel, pub.tags], [channel, { t: "x" }]);
    equal(events.all("disconnect"), []);
  }
}

/** A client without a connect request is nobody. */
async function may_be_nobody(end) {
  const connect = await listen(end, NODE1, {}).next("connect");
  equal([typeof connect.client, connect.subs], ["string", undefined]);
}

async function recovers(end) {
  const channel = fresh("chat");
  const claims = signed({ sub: "ada", channels: [channel] });
  const before = await listen(end, NODE1, { token: claims }).next("connect");
  const { epoch } = before.subs[channel];
  for (let n = 1; n <= 3; n++) await api("publish", { channel, data: n });
  const subs = { [channel]: { recover: true, epoch, offset: 1 } };
  const events = listen(end, NODE2, { token: claims, subs });
  const { recovered, offset, publications } = (await events.next("connect")).subs[channel];
  equal([recovered, offset, publications.map(({ data }) => data)], [true, 1, [2, 3]]);
  await api("publish", { channel, data: 4 });
  equal((await events.next("pub")).offset, 4);
  const lost = listen(end, NODE1, { token: claims, subs: { [channel]: { recover: true, epoch: "0".repeat(16), offset: 1 } } });
  const sub = (await lost.next("connect")).subs[channel];
  equal([sub.recovered, sub.was_recovering, sub.offset], [undefined, true, 4]);
}

/** The token may say more of a channel than its name. */
async function has_terms(end) {
  const channel = fresh("chat");
  const override = { force_push_join_leave: { value: true } };
  const subs = { [channel]: { info: { role: "host" }, data: { welcome: 1 }, override } };
  const events = listen(end, NODE1, { token: signed({ sub: "ada", info: 7, subs }) });
  const connect = await events.next("connect");
  equal(connect.subs[channel].data, { welcome: 1 });
  const { info } = await events.next("join");
  equal([info.client, info.user, info.conn_info, info.chan_info], [connect.client, "ada", 7, { role: "host" }]);
  const many = Array.from({ length: 129 }, (_, n) => `many-${n}`);
  const refused = listen(end, NODE1, { token: signed({ sub: "ada", channels: many }) });
  equal((await refused.next("disconnect")).code, 3505);
}

/** The backend decides about a client that listens. */
async function obeys_the_backend(end) {
  const user = randomUUID();
  const [one, other] = [fresh("chat"), fresh("news")];
  const events = listen(end, NODE1, { token: signed({ sub: user, channels: [one] }) });
  const { session } = await events.next("connect");
  equal(typeof session, isSocket ? "undefined" : "string");
  await api("subscribe", { user, channel: other });
  equal((await events.next("subscribe")).channel, other);
  await api("publish", { channel: other, data: "there" });
  equal((await events.next("pub")).data, "there");
  await api("unsubscribe", { user, channel: other });
  equal([(await events.next("unsubscribe")).channel, events.all("unsubscribe")[0].code], [other, 2000]);
  await api("unsubscribe", { user, channel: "" });
  equal((await events.next("unsubscribe")).channel, one);
  await api("refresh", { user, expire_at: now() + 600 });
  const { expires, ttl } = await events.next("refresh");
  equal([expires, ttl > 500], [true, true]);
  await api("disconnect", session ? { session } : { user });
  const { code, reason } = await events.next("disconnect");
  equal([code, reason], [3503, "force disconnect"]);
  await events.next("end");
}

async function is_refused(end) {
  for (const [request, expected] of [
    [{ token: "not.a.token" }, 3500],
    [{ token: signed({ sub: "ada", exp: now() - 60 }) }, 3005],
  ]) {
    const events = listen(end, NODE1, request);
    const { code, reason } = await events.next("disconnect");
    equal([code, reason.length > 0], [expected, true]);
    await events.next("end");
  }
  const address = `${NODE1}/connection/uni_${isSocket ? "websocket" : transport === "http-stream" ? "http_stream" : "sse"}`;
  if (isSocket) {
    const socket = new WebSocket(address.replace("http", "ws"));
    await within(once(socket, "open"), "the socket");
    socket.send(JSON.stringify({ id: 1, subscribe: { channel: "a" } })); // unknown keys: it is nobody
    socket.send("{}");
    const [code] = await within(once(socket, "close"), "the end");
    equal(code, 3501);
  } else {
    const answer = await fetch(address, { method: "POST", body: "xx" });
    equal(answer.status, 200);
    check((await answer.text()).includes('{"disconnect":{"code":3501,'), "a mistake is told by the stream");
    equal((await fetch(address, { method: "PUT", body: "{}" })).status, 405);
  }
}

async function outlives_its_node(end) {
  const channel = fresh("chat");
  const claims = signed({ sub: "ada", channels: [channel] });
  const events = listen(end, NODE1, { token: claims });
  const { epoch, offset } = (await events.next("connect")).subs[channel];
  process.kill(Number(readFileSync(process.env.NODE1_PID)), "SIGTERM");
  equal((await events.next("disconnect")).code, 3001);
  await events.next("end");
  await api("publish", { channel, data: "missed" });
  const again = listen(end, NODE2, { token: claims, subs: { [channel]: { recover: true, epoch, offset: offset ?? 0 } } });
  const { recovered, publications } = (await again.next("connect")).subs[channel];
  equal([recovered, publications[0].data], [true, "missed"]);
  const isBack = async () => (await fetch(`${NODE1}/readyz`).catch(() => ({}))).ok;
  await until(isBack, "the node that was ended");
}

/** The other endpoint of WebSockets, without pings of the protocol. */
async function may_want_own_pings(end) {
  const socket = new WebSocket(`${NODE1.replace("http", "ws")}/connection/websocket?cf_ws_frame_ping_pong=true`);
  end(() => socket.terminate());
  await within(once(socket, "open"), "the socket");
  socket.send('{"id":1,"connect":{}}');
  const [reply] = await within(once(socket, "message"), "the reply");
  const { client, ping, pong } = JSON.parse(reply).connect;
  equal([typeof client, ping, pong], ["string", undefined, undefined]);
}

await run({ listens, may_be_nobody, recovers, has_terms, may_want_own_pings, obeys_the_backend, is_refused, outlives_its_node }, names);
