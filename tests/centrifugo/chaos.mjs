// Clients of npm's centrifuge for `make chaos` (crates/fanfare-testkit/src/chaos/sdk.rs). They listen in channels with
// history; some publish. Each says in lines of JSON what comes to it; the testkit judges.
//
//   chaos.mjs '{"url", "pause", "clients": [{"channel", "epoch", "offset", "publishes": null | {"channel", "payload"}}]}'
//
// On standard input, a number is the part of the clients that lose their connections now; `stop` ends the publishing.

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { Proxy } from "./support.mjs";
import { decode, encode, speak } from "./ways.mjs";

const WAYS = ["json", "protobuf", "http-stream", "http-stream-protobuf", "sse"];
const SOON = { minResubscribeDelay: 50, maxResubscribeDelay: 500 };
const plan = JSON.parse(process.argv[2]);
const proxies = [];
let stopped = false;

const say = (is, line) => process.stdout.write(`${JSON.stringify({ is, ...line })}\n`);

function listen(client, way, number, { channel, epoch, offset }) {
  const subscription = client.newSubscription(channel, { ...SOON, since: { epoch, offset }, recoverable: true, positioned: true });
  const first = new Promise((resolve) => subscription.on("subscribed", resolve));
  let messages = 0; // since it subscribed
  subscription.on("subscribed", ({ recovered, streamPosition }) => {
    messages = 0;
    if (!recovered) say("told", { client: number, since: streamPosition });
  });
  subscription.on("publication", ({ data }) => {
    messages += 1;
    say("heard", { client: number, payload: String(decode(way, data)) });
  });
  // It is told that messages may be missing, and subscribes again.
  subscription.on("subscribing", ({ code }) => code === 2500 && say("warned", { client: number, messages }));
  subscription.on("unsubscribed", ({ code, reason }) => say("wrong", { sentence: `${way} is unsubscribed: ${code} ${reason}` }));
  subscription.subscribe();
  return first;
}

/** Publishes one message after another; a message whose answer does not come is not repeated. */
async function publish(client, way, publisher, { channel, payload }) {
  await pause(Math.random() * plan.pause);
  for (let number = 0; !stopped; number += 1) {
    const answer = client.publish(channel, encode(way, payload + number));
    const taken = await answer.then(() => true, () => false);
    say("published", { publisher, taken });
    await pause(plan.pause);
  }
}

async function start(place, number) {
  const way = WAYS[number % WAYS.length];
  const proxy = await Proxy.to(plan.url);
  proxies.push(proxy);
  const client = speak(way, proxy.url, proxy.url);
  client.on("connecting", ({ code, reason }) => code && say("ended", { reason: `${way}: ${code} ${reason}` }));
  client.on("disconnected", ({ code, reason }) => say("wrong", { sentence: `${way} is disconnected: ${code} ${reason}` }));
  const subscribed = listen(client, way, number, place);
  client.connect();
  await subscribed;
  return () => place.publishes && publish(client, way, number, place.publishes);
}

const started = await Promise.all(plan.clients.map(start));
say("ready");
const publishing = started.map((go) => go());
for await (const line of createInterface(process.stdin)) {
  if (line === "stop") {
    stopped = true;
    await Promise.all(publishing);
    say("stopped");
  } else for (const proxy of proxies) if (Math.random() < Number(line)) proxy.cut();
  for (const proxy of proxies) proxy.mend();
}
process.exit();
