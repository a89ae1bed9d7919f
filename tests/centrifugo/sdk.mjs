// npm's centrifuge, as it comes, on two nodes:
//
//   sdk.mjs json|protobuf|http-stream|http-stream-protobuf|sse NODE1 NODE2 REDIS KEY SECRET SCENARIO...
//
// The file that the variable NODE1_PID names has the process id of the first node, which is started again when it ends.

import { readFileSync } from "node:fs";
import WebSocket from "ws";
import {
  NODE1, NODE2, OF_SUBSCRIPTIONS, REDIS, api, client, connected, decode, encode, fails, fresh, information, isProtobuf,
  names, overHttp, present, published, signed, subscribed, values,
} from "./clients.mjs";
import { scenarios as differences } from "./differences.mjs";
import { check, equal, Events, first, inRedis, now, Proxy, run, token, until, within } from "./support.mjs";

async function connects(end) {
  const { client: of, id, events } = await connected(end, NODE1);
  check(/^[0-9a-f]{16}-\d+$/.test(id), `${id} is a client`);
  of.disconnect();
  equal((await events.next("disconnected")).code, 0);
}

async function connects_with_token(end) {
  const channel = fresh("chat");
  const ada = await connected(end, NODE1, { token: signed({ sub: "ada", info: { name: "Ada" }, exp: now() + 60 }) });
  const { subscription } = await subscribed(ada, channel);
  const { user, connInfo, client: id } = (await present(subscription, (clients) => clients[ada.id]))[ada.id];
  equal([user, information(connInfo), id], ["ada", { name: "Ada" }, ada.id]);
  const invited = fresh("members");
  const bob = await connected(end, NODE2, { token: signed({ sub: "bob", channels: [invited] }) });
  await bob.events.next("subscribed", (one) => one.channel === invited);
  const other = bob.client.newSubscription(fresh("members"));
  const events = new Events(other, ...OF_SUBSCRIPTIONS);
  other.subscribe();
  equal((await events.next("unsubscribed")).code, 103);
}

async function refuses_bad_tokens(end) {
  for (const bad of ["x", token("another secret", { sub: "ada" }), signed({ sub: "ada", channel: "chat:1" })]) {
    const { client: of, events } = client(end, NODE1, { token: bad });
    of.connect();
    equal((await events.next("disconnected")).code, 3500);
  }
}

async function publishes_across_nodes(end) {
  const channel = fresh("");
  const [a, b] = [await connected(end, NODE1, { token: signed({ sub: "ada" }) }), await connected(end, NODE2)];
  const [of_a, of_b] = [await subscribed(a, channel), await subscribed(b, channel)];
  await of_a.subscription.publish(encode({ from: "a" }));
  for (const reader of [of_a, of_b]) {
    const { value, info } = await published(reader);
    equal([value, info.client, info.user], [{ from: "a" }, a.id, "ada"]);
  }
  await of_b.subscription.publish(encode("text"));
  for (const reader of [of_a, of_b]) {
    const { value, info } = await published(reader);
    equal([value, info.client, info.user], ["text", b.id, ""]);
  }
  await api("publish", { channel, data: [1], tags: { t: "x" } });
  for (const reader of [of_a, of_b]) {
    const { value, info, tags } = await published(reader);
    equal([value, info, { ...tags }], [[1], undefined, { t: "x" }]);
  }
  await Promise.all(Array.from({ length: 100 }, (_, n) => b.client.publish(channel, encode(n))));
  await until(() => values(of_a).length >= 103, "a hundred publications");
  const hundred = values(of_a).slice(3);
  // Over HTTP, each is a request of its own, and all are under way at once.
  if (overHttp) hundred.sort((a, b) => a - b);
  equal(hundred, Array.from({ length: 100 }, (_, n) => n));
}

async function reads_history(end) {
  const channel = fresh("chat");
  const { subscription } = await subscribed(await connected(end, NODE1), channel);
  for (let n = 1; n <= 5; n++) await subscription.publish(encode({ n }));
  const read = async (options) => {
    const { publications, offset, epoch } = await subscription.history(options);
    return { numbers: publications.map(({ data }) => decode(data).n), offset, epoch };
  };
  const all = await read({ limit: -1 });
  equal([all.numbers, all.offset], [[1, 2, 3, 4, 5], 5]);
  equal((await read({ limit: 0 })).numbers, []);
  const since = { offset: 2, epoch: all.epoch };
  equal((await read({ limit: 2, since })).numbers, [3, 4]);
  equal((await read({ limit: 2, reverse: true })).numbers, [5, 4]);
  equal((await read({ limit: 9, since: { ...since, offset: 3 }, reverse: true })).numbers, [2, 1]);
  await fails(subscription.history({ limit: 1, since: { offset: 2, epoch: "other" } }), 112);
}

async function sees_presence(end) {
  const channel = fresh("chat");
  const ada = await subscribed(await connected(end, NODE1, { token: signed({ sub: "ada" }) }), channel);
  for (let n = 0; n < 2; n++) {
    await subscribed(await connected(end, NODE2, { token: signed({ sub: "bob" }) }), channel);
  }
  const users = (clients) => Object.values(clients).map(({ user }) => user).sort().join(" ");
  await present(ada.subscription, (clients) => users(clients) === "ada bob bob");
  const { numClients, numUsers } = await ada.subscription.presenceStats();
  equal([numClients, numUsers], [3, 2]);
}

async function hears_joins(end) {
  const channel = fresh("chat");
  const ada = await subscribed(await connected(end, NODE1), channel, { joinLeave: true });
  const bob = await connected(end, NODE2, { token: signed({ sub: "bob", info: { name: "Bob" } }) });
  const { subscription } = await subscribed(bob, channel);
  const isBob = ({ info }) => info.client === bob.id;
  const { info } = await ada.events.next("join", isBob);
  equal([info.user, information(info.connInfo)], ["bob", { name: "Bob" }]);
  subscription.unsubscribe();
  equal((await ada.events.next("leave", isBob)).info.user, "bob");
  subscription.subscribe();
  await ada.events.next("join", isBob);
  bob.client.disconnect();
  await ada.events.next("leave", isBob);
}

/** A subscriber behind a proxy that is cut; and `missed` is done meanwhile. What it is told afterwards. */
async function cut(end, channel, missed) {
  const proxy = await Proxy.to(NODE1);
  end(() => proxy.close());
  const made = await connected(end, proxy.url);
  const reader = await subscribed(made, channel, { recoverable: true, positioned: true });
  equal([reader.context.recoverable, reader.context.wasRecovering], [true, false]);
  for (let n = 1; n <= 3; n++) await api("publish", { channel, data: { n } });
  await until(() => values(reader).length === 3, "what is live");
  proxy.cut();
  await made.events.next("connecting", ({ code }) => code !== 0);
  await missed();
  proxy.mend();
  return { reader, context: await reader.events.next("subscribed") };
}

async function recovers_what_it_missed(end) {
  const channel = fresh("chat");
  const { reader, context } = await cut(end, channel, async () => {
    for (let n = 4; n <= 13; n++) await api("publish", { channel, data: { n } });
  });
  equal([context.wasRecovering, context.recovered], [true, true]);
  await api("publish", { channel, data: { n: 14 } });
  await until(() => values(reader).some(({ n }) => n === 14), "the last");
  equal(values(reader).map(({ n }) => n), Array.from({ length: 14 }, (_, n) => n + 1));
}

async function knows_what_is_lost(end) {
  const channel = fresh("chat");
  const { reader, context } = await cut(end, channel, async () => {
    await api("publish", { channel, data: { n: 4 } });
    await api("history_remove", { channel });
    await api("publish", { channel, data: { n: 5 } });
  });
  equal([context.wasRecovering, context.recovered], [true, false]);
  await api("publish", { channel, data: { n: 14 } });
  await until(() => values(reader).some(({ n }) => n === 14), "the last");
  equal(values(reader).map(({ n }) => n), [1, 2, 3, 14]);
}

/** Redis loses two channels whose clients stay connected: one that a client subscribes to, and one of its token. */
async function is_told_what_is_lost(end) {
  const [own, named] = [fresh("chat"), fresh("chat")];
  const ada = await connected(end, NODE1, { token: signed({ sub: "ada", subs: { [named]: {} } }) });
  await ada.events.next("subscribed", ({ channel }) => channel === named);
  const bob = await connected(end, NODE1);
  const reader = await subscribed(bob, own, { recoverable: true, positioned: true });
  await reader.events.next("subscribing");
  const channels = [own, named];
  const publishes = async (n) => {
    for (const channel of channels) await api("publish", { channel, data: { n } });
  };
  for (let n = 1; n <= 3; n++) await publishes(n);
  await until(() => values(reader).length === 3 && values(ada).length === 3, "what is live");
  await inRedis(REDIS, "DEL", ...channels.flatMap((channel) => [`fanfare!stream:${channel}`, `fanfare!meta:${channel}`]));
  await publishes(4);
  equal((await reader.events.next("subscribing")).code, 2500);
  equal((await ada.events.next("connecting", ({ code }) => code !== 0)).code, 3010);
  for (const context of [await reader.events.next("subscribed"), await ada.events.next("subscribed")]) {
    equal([context.wasRecovering, context.recovered], [true, false]);
  }
  equal(bob.events.all("connecting").length, 1);
  await publishes(5);
  const last = (one) => values(one).at(-1)?.n === 5;
  await until(() => last(reader) && last(ada), "the last");
}

async function gets_what_passes_its_filter(end) {
  const channel = fresh("chat");
  const all = await subscribed(await connected(end, NODE1), channel);
  const { epoch } = all.context.streamPosition;
  const publishes = async (from, to) => {
    for (let n = from; n <= to; n++) {
      await api("publish", { channel, data: n, tags: { n: `${n}`, parity: n % 2 ? "odd" : "even" } });
    }
  };
  await publishes(1, 6);
  const tagsFilter = {
    op: "and",
    nodes: [
      { key: "parity", cmp: "eq", val: "odd" },
      { op: "not", nodes: [{ key: "n", cmp: "in", vals: ["5", "7"] }] },
      { key: "n", cmp: "gte", val: "2.5" },
    ],
  };
  const some = await subscribed(await connected(end, NODE2), channel, { tagsFilter, since: { offset: 0, epoch } });
  equal([some.context.wasRecovering, some.context.recovered], [true, true]);
  await publishes(7, 13);
  await until(() => values(some).includes(13) && values(all).includes(13), "the last");
  equal(values(some), [3, 9, 11, 13]);
  equal(values(all), Array.from({ length: 13 }, (_, n) => n + 1));
  const { client: of } = await connected(end, NODE1);
  const bad = of.newSubscription(channel, { tagsFilter: { key: "n", cmp: "like", val: "1" } });
  const events = new Events(bad, ...OF_SUBSCRIPTIONS);
  bad.subscribe();
  equal((await events.next("unsubscribed")).code, 107);
}

async function refreshes_its_token(end) {
  let asked = 0;
  const getToken = async () => {
    asked += 1;
    return signed({ sub: "ada", exp: now() + 2 });
  };
  const made = client(end, NODE1, { token: signed({ sub: "ada", exp: now() - 60 }), getToken });
  made.client.connect();
  await made.events.next("connected");
  equal(asked, 1, "the old token has expired");
  await until(() => asked >= 3, "two new tokens");
  await made.client.publish(fresh(""), encode(1));
  equal(made.events.all("connected").length, 1);
  equal(made.events.all("disconnected").length, 0);
}

async function subscribes_with_tokens(end) {
  const channel = fresh("members");
  const ada = await connected(end, NODE1, { token: signed({ sub: "ada", channels: [] }) });
  let asked = 0;
  const getToken = async ({ channel: of }) => {
    asked += 1;
    return signed({ sub: "ada", channel: of, exp: now() + 2, info: { role: "host" } });
  };
  const reader = await subscribed(ada, channel, { getToken });
  await api("publish", { channel, data: "in" });
  equal((await published(reader)).value, "in");
  await until(() => asked >= 3, "two new tokens");
  equal(reader.events.all("unsubscribed"), []);
  for (const claims of [{ sub: "bob", channel }, { sub: "ada", channel: "other" }]) {
    const other = await connected(end, NODE2, { token: signed({ sub: "ada", channels: [] }) });
    const subscription = other.client.newSubscription(channel, { token: signed(claims) });
    const events = new Events(subscription, ...OF_SUBSCRIPTIONS);
    subscription.subscribe();
    const ended = await first(events.next("unsubscribed"), other.events.next("disconnected"));
    check([103, 3500].includes(ended.code), `refused with ${ended.code}`);
  }
}

async function is_subscribed_by_its_token(end) {
  const [named, listed] = [fresh("chat"), fresh("members")];
  const proxy = await Proxy.to(NODE1);
  end(() => proxy.close());
  const claims = { sub: "ada", channels: [listed, "members:*"], subs: { [named]: {} } };
  const ada = client(end, proxy.url, { token: signed(claims) });
  ada.client.connect();
  await ada.events.next("connected");
  const channels = [await ada.events.next("subscribed"), await ada.events.next("subscribed")];
  equal(channels.map(({ channel }) => channel).sort(), [named, listed].sort());
  await api("publish", { channel: listed, data: 1 });
  await api("publish", { channel: named, data: 2 });
  for (const channel of [listed, named]) await ada.events.next("publication", (one) => one.channel === channel);
  proxy.cut();
  await ada.events.next("connecting", ({ code }) => code !== 0);
  await api("publish", { channel: named, data: 3 });
  proxy.mend();
  const context = await ada.events.next("subscribed", (one) => one.channel === named);
  equal([context.wasRecovering, context.recovered], [true, true]);
  equal(decode((await ada.events.next("publication")).data), 3);
}

async function is_subscribed_by_the_api(end) {
  const [user, channel] = [fresh(""), fresh("chat")];
  const ada = await connected(end, NODE1, { token: signed({ sub: user, channels: [] }) });
  await api("subscribe", { user, channel });
  await ada.events.next("subscribed", (one) => one.channel === channel);
  await api("publish", { channel, data: 1 });
  equal(decode((await ada.events.next("publication")).data), 1);
  await api("unsubscribe", { user, channel });
  await ada.events.next("unsubscribed", (one) => one.channel === channel);
  const reader = await subscribed(ada, fresh(""));
  await api("unsubscribe", { user, channel: reader.subscription.channel });
  equal((await reader.events.next("unsubscribed")).code, 2000);
}

async function is_disconnected_by_the_api(end) {
  const user = fresh("");
  const ada = await connected(end, NODE1, { token: signed({ sub: user }) });
  await api("disconnect", { user, code: 4000, reason: "come back" });
  const { code, reason } = await ada.events.next("connecting", (one) => one.code !== 0);
  equal([code, reason], [4000, "come back"]);
  await ada.events.next("connected");
  await api("disconnect", { user });
  const ended = await ada.events.next("disconnected");
  equal([ended.code, ended.reason], [3503, "force disconnect"]);
  equal(ada.client.state, "disconnected");
}

async function hears_other_dialects(end) {
  const channel = fresh("");
  const reader = await subscribed(await connected(end, NODE1), channel);
  const relay = new WebSocket(`${NODE2.replace("http", "ws")}/ws/${channel}`);
  end(() => relay.close());
  const messages = new Events(relay, "open", "message");
  relay.on("message", (data, isBinary) => relay.emit("heard", { data: data.toString("latin1"), isBinary }));
  const heard = new Events(relay, "heard");
  await messages.next("open");
  const isHeard = async (data, isBinary = false) => equal(await heard.next("heard"), { data, isBinary });

  await reader.subscription.publish(encode({ a: 1 }));
  equal((await published(reader)).value, { a: 1 });
  await isHeard('{"a":1}');
  for (const text of ["hi", '{"b":2}']) {
    relay.send(text);
    equal((await published(reader)).value, text);
    await isHeard(text);
  }
  relay.send(Buffer.from([255, 0]));
  const bytes = (await reader.events.next("publication")).data;
  equal(isProtobuf ? [...bytes] : bytes, isProtobuf ? [255, 0] : { b64: "/wA=" });
  await isHeard("\xff\0", true);
  await inRedis(REDIS, "PUBLISH", `fanfare:${channel}`, "plain");
  equal((await published(reader)).value, "plain");
  await isHeard("plain");
  await api("publish", { channel, data: { c: 3 }, event: "e" });
  const named = await published(reader);
  equal([named.value, named.tags.event], [{ c: 3 }, "e"]);
  await isHeard('{"c":3}');
}

async function unsubscribes(end) {
  const channel = fresh("");
  const ada = await connected(end, NODE1);
  const reader = await subscribed(ada, channel);
  reader.subscription.unsubscribe();
  equal((await reader.events.next("unsubscribed")).code, 0);
  const other = await subscribed(ada, fresh(""));
  await until(async () => !(await api("channels", { pattern: channel })).channels[channel], "no subscriber");
  // Once the node has delivered it, it is not on its way any more.
  const bob = await subscribed(await connected(end, NODE1), channel);
  await api("publish", { channel, data: "unheard" });
  equal((await published(bob)).value, "unheard");
  reader.subscription.subscribe();
  await reader.events.next("subscribed");
  await api("publish", { channel, data: "heard" });
  equal((await published(reader)).value, "heard");
  equal(values(reader), ["heard"]);
  equal(values(other), []);
}

async function gets_errors(end) {
  const ada = await connected(end, NODE1);
  await fails(ada.client.publish(fresh("news"), encode(1)), 103);
  await fails(ada.client.publish(fresh("members"), encode(1)), 103);
  await fails(ada.client.publish("two words", encode(1)), 107);
  await fails(ada.client.rpc("method", encode(1)), 108);
  const { subscription } = await subscribed(ada, fresh(""));
  await fails(subscription.history({ limit: 1 }), 108);
  await fails(subscription.presence(), 108);
  await fails(subscription.presenceStats(), 108);
  const twice = ada.client.newSubscription(fresh("members"));
  const events = new Events(twice, ...OF_SUBSCRIPTIONS);
  twice.subscribe();
  equal((await events.next("unsubscribed")).code, 103);
  await fails(ada.client.publish("plain:7", encode(1)), 107);
  await ada.client.publish("plain:seven", encode(1));
  const unnamed = ada.client.newSubscription("plain:7");
  const ends = new Events(unnamed, ...OF_SUBSCRIPTIONS);
  unnamed.subscribe();
  equal((await ends.next("unsubscribed")).code, 107);
  equal(ada.events.all("disconnected"), []);
  const unheard = await connected(end, NODE1);
  await unheard.client.send(encode(1));
  equal((await within(unheard.events.next("disconnected"), "an end")).code, 3508);
}

async function survives_restarts(end) {
  const listed = async () => (await api("info", {})).nodes.map(({ uid }) => uid);
  let before = await listed();
  for (const [signal, expected] of [["SIGTERM", 3001], ["SIGKILL", 1]]) {
    const channel = fresh("chat");
    const made = await connected(end, NODE1);
    const reader = await subscribed(made, channel, { recoverable: true, positioned: true });
    await api("publish", { channel, data: 1 });
    await until(() => values(reader).length === 1, "what is live");
    process.kill(Number(readFileSync(process.env.NODE1_PID)), signal);
    const { code } = await made.events.next("connecting", (one) => one.code !== 0);
    equal([signal, code], [signal, expected]);
    for (let n = 2; n <= 20; n++) await api("publish", { channel, data: n });
    const context = await reader.events.next("subscribed");
    equal([context.wasRecovering, context.recovered], [true, true]);
    await api("publish", { channel, data: 21 });
    await until(() => values(reader).includes(21), "the last");
    equal(values(reader), Array.from({ length: 21 }, (_, n) => n + 1));
    // A call of the API waits for nodes that are listed. A node that was killed is listed for a while, and at first
    // its successor is not.
    const known = before;
    await until(async () => {
      before = await listed();
      return before.length === 2 && before.filter((uid) => !known.includes(uid)).length === 1;
    }, "the successor alone");
  }
}

const scenarios = {
  connects,
  connects_with_token,
  refuses_bad_tokens,
  publishes_across_nodes,
  reads_history,
  sees_presence,
  hears_joins,
  recovers_what_it_missed,
  knows_what_is_lost,
  is_told_what_is_lost,
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
  ...differences,
};

await run(scenarios, names);
