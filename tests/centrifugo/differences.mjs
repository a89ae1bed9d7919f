// Scenarios of sdk.mjs: differences between publications, caches, and presence right after an answer.

import WebSocket from "ws";
import { NODE1, NODE2, api, connected, decode, fresh, published, subscribed, values } from "./clients.mjs";
import { check, equal, Events, Proxy, until } from "./support.mjs";

/** Publications. Each differs little from the one before. */
const document = (n) => ({ n, text: `Straße, 東京: ${"the same again and again ".repeat(20)}`, last: `${n * n}` });

const publish = async (channel, from, to) => {
  for (let n = from; n <= to; n++) await api("publish", { channel, data: document(n) });
};

const counted = ({ subscription }) => {
  const { numFullPayloads, numDeltaPayloads } = subscription.deltaStats();
  return [numFullPayloads, numDeltaPayloads];
};

const documents = (to) => Array.from({ length: to }, (_, n) => document(n + 1));

/** A client of a node, with what goes between them cut and mended. */
async function behindProxy(end, channel, options) {
  const proxy = await Proxy.to(NODE1);
  end(() => proxy.close());
  const made = await connected(end, proxy.url);
  const reader = await subscribed(made, channel, options);
  const missing = async (missed) => {
    proxy.cut();
    await made.events.next("connecting", ({ code }) => code !== 0);
    await missed();
    proxy.mend();
    return reader.events.next("subscribed");
  };
  return { ...reader, missing };
}

async function applies_differences(end) {
  const channel = fresh("delta");
  const plain = await subscribed(await connected(end, NODE1), channel);
  const reader = await behindProxy(end, channel, { delta: "fossil", recoverable: true, positioned: true });
  const relay = new WebSocket(`${NODE2.replace("http", "ws")}/ws/${channel}`);
  end(() => relay.close());
  const heard = [];
  relay.on("message", (data) => heard.push(String(data)));
  await new Events(relay, "open").next("open");
  await publish(channel, 1, 1);
  await reader.events.next("publication");
  await publish(channel, 2, 4);
  await until(() => values(reader).length === 4, "what is live");
  equal(counted(reader), [1, 3]);
  const context = await reader.missing(() => publish(channel, 5, 9));
  equal([context.wasRecovering, context.recovered], [true, true]);
  await publish(channel, 10, 11);
  for (const { events } of [plain, reader]) await events.next("publication", ({ data }) => decode(data).n === 11);
  equal(values(reader), documents(11));
  equal(counted(reader), [2, 9]);
  equal(values(plain), documents(11));
  await until(() => heard.length === 11, "the plain WebSocket");
  equal(heard.map((text) => JSON.parse(text)), documents(11));
  const late = await subscribed(await connected(end, NODE2), channel, { delta: "fossil" });
  await api("publish", { channel, data: "short" });
  equal((await published(late)).value, "short");
  await publish(channel, 12, 13);
  equal([(await published(late)).value, (await published(late)).value], [document(12), document(13)]);
  equal(counted(late), [2, 1]);
}

async function needs_no_differences(end) {
  const channel = fresh("chat");
  const reader = await subscribed(await connected(end, NODE1), channel, { delta: "fossil" });
  await publish(channel, 1, 3);
  await until(() => values(reader).length === 3, "what is live");
  equal([values(reader), counted(reader)], [documents(3), [0, 0]]);
}

async function gets_the_newest_of_a_cache(end) {
  const channel = fresh("cache");
  const reader = await behindProxy(end, channel, { recoverable: true, positioned: true });
  await publish(channel, 1, 2);
  await until(() => values(reader).length === 2, "what is live");
  const behind = await reader.missing(() => publish(channel, 3, 6));
  equal([behind.wasRecovering, behind.recovered], [true, true]);
  await until(() => values(reader).length === 3, "the newest");
  const level = await reader.missing(() => {});
  equal([level.wasRecovering, level.recovered], [true, true]);
  await publish(channel, 7, 7);
  await reader.events.next("publication", ({ data }) => decode(data).n === 7);
  equal(values(reader).map(({ n }) => n), [1, 2, 6, 7]);
}

async function is_present_at_once(end) {
  const ada = await connected(end, NODE1);
  for (let time = 0; time < 50; time++) {
    const { subscription } = await subscribed(ada, fresh("chat"));
    check((await subscription.presence()).clients[ada.id], `it is not there, time ${time}`);
  }
}

export const scenarios = { applies_differences, needs_no_differences, gets_the_newest_of_a_cache, is_present_at_once };
