// npm's centrifuge in Chromium, over each of its three transports, on two nodes: a publish reaches the page of the other node,
// and a page that loses its connection gets what it missed.
//
//   NODES="http://127.0.0.1:8081 http://127.0.0.1:8082" node centrifugo.mjs    the namespace `kept` has history

import { readFileSync } from "node:fs";
import { Proxy } from "../centrifugo/support.mjs";
import { check, openPage, run } from "./browser.mjs";

const [NODE1, NODE2] = process.env.NODES.split(" ");
const SDK = readFileSync(new URL("../centrifugo/node_modules/centrifuge/dist/centrifuge.js", import.meta.url), "utf8");
const TRANSPORTS = ["websocket", "http_stream", "sse"];

/** Runs in the page: a client with one transport, its subscription, and what comes to it. */
function begin([transport, channel]) {
  const endpoint = new URL(`/connection/${transport}`, location.href).href.replace(/^http/, transport === "websocket" ? "ws" : "http");
  const emulationEndpoint = new URL("/emulation", location.href).href;
  const delays = { minReconnectDelay: 50, maxReconnectDelay: 500 };
  const client = new globalThis.Centrifuge([{ transport, endpoint }], { emulationEndpoint, ...delays });
  const seen = (globalThis.seen = { data: [], recovered: [], connecting: 0, transports: [] });
  client.on("connecting", ({ code }) => (seen.connecting += code === 0 ? 0 : 1));
  client.on("connected", ({ transport: name }) => seen.transports.push(name));
  const subscription = (globalThis.subscription = client.newSubscription(channel, { recoverable: true, positioned: true }));
  subscription.on("publication", ({ data }) => seen.data.push(data));
  subscription.on("subscribed", ({ recovered }) => seen.recovered.push(recovered));
  subscription.subscribe();
  client.connect();
}

/** A page of this origin, subscribed. It is a real one: Chromium lets no other page speak to this machine. */
async function subscribed(browser, origin, transport, channel) {
  const { context, page, faults } = await openPage(browser, { bypassCSP: true });
  await page.goto(`${origin}/healthz`);
  await page.addScriptTag({ content: SDK });
  await page.evaluate(begin, [transport, channel]);
  const made = { context, page, faults, who: `${transport} at ${origin}` };
  await has(made, "a subscription", (seen) => seen.recovered.length === 1);
  return made;
}

const seen = ({ page }) => page.evaluate(() => globalThis.seen);
const publish = ({ page }, data) => page.evaluate((data) => globalThis.subscription.publish(data).then(() => true), data);

async function has(of, what, fits) {
  const source = `(${fits})(globalThis.seen)`;
  await of.page.waitForFunction(source).catch(async () => {
    throw new Error(`${of.who} does not get ${what}: ${JSON.stringify(await seen(of))} ${of.faults.join("; ")}`);
  });
}

async function survives(browser, transport) {
  const [channel, proxy] = [`kept:sdk-${transport}-${Date.now()}`, await Proxy.to(NODE1)];
  const near = await subscribed(browser, proxy.url, transport, channel);
  const far = await subscribed(browser, NODE2, transport, channel);
  await publish(near, 1);
  await publish(far, 2);
  for (const page of [near, far]) await has(page, "what both published", (seen) => seen.data.length === 2);
  proxy.cut();
  await has(near, "an end", (seen) => seen.connecting > 0);
  for (let number = 3; number <= 12; number += 1) await publish(far, number);
  proxy.mend();
  await has(near, "its subscription again", (seen) => seen.recovered.length === 2);
  await publish(far, 13);
  await has(near, "the last", (seen) => seen.data.includes(13));
  for (const page of [near, far]) {
    const { data, recovered, transports } = await seen(page);
    check(data.join() === [...Array(13).keys()].map((number) => number + 1).join(), `${page.who} got ${data}.`);
    check(recovered.slice(1).every(Boolean), `${page.who} was not recovered.`);
    check(transports.every((name) => name === transport), `${page.who} spoke over ${transports}.`);
    await page.context.close();
  }
  proxy.close();
  console.log(`  ${transport}: across nodes, and recovered after a cut`);
}

await run(async (browser) => {
  for (const transport of TRANSPORTS) await survives(browser, transport);
});
