// npm's centrifuge in Chromium, over each of its three transports, on two nodes: a publish reaches the page of the other node,
// and a page that loses its connection gets what it missed. And the browser's own EventSource at /connection/uni_sse.
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

/** Runs in the page: an EventSource that only listens, and what comes to it. */
function listen() {
  const seen = (globalThis.seen = { data: [], clients: [] });
  new EventSource("/connection/uni_sse?cf_connect=%7B%7D").onmessage = ({ data }) => {
    const push = JSON.parse(data);
    if (push.connect) seen.clients.push(push.connect.client);
    if (push.pub) seen.data.push(push.pub.data);
  };
}

/** Calls the API of the other node. */
async function call(method, body) {
  const answer = await fetch(`${NODE2}/api/${method}`, { method: "POST", body: JSON.stringify(body) });
  check(answer.ok, `${method}: ${answer.status} ${await answer.text()}`);
}

/** An EventSource hears the other node, and does so again after a cut: the browser connects again by itself. */
async function listens(browser) {
  const [channel, proxy] = [`kept:uni-${Date.now()}`, await Proxy.to(NODE1)];
  const { context, page, faults } = await openPage(browser, { bypassCSP: true });
  const listener = { page, faults, who: "uni_sse" };
  await page.goto(`${proxy.url}/healthz`);
  await page.evaluate(listen);
  for (const number of [1, 2]) {
    await has(listener, "its connection", `(seen) => seen.clients.length === ${number}`);
    await call("subscribe", { client: (await seen(listener)).clients.at(-1), channel });
    await call("publish", { channel, data: { number } });
    await has(listener, "a message of the other node", `(seen) => seen.data.length === ${number}`);
    if (number === 1) proxy.cut();
    proxy.mend();
  }
  const { data } = await seen(listener);
  check(JSON.stringify(data) === '[{"number":1},{"number":2}]', `uni_sse got ${JSON.stringify(data)}.`);
  await context.close();
  proxy.close();
  console.log("  uni_sse: across nodes, and again after a cut");
}

await run(async (browser) => {
  for (const transport of TRANSPORTS) await survives(browser, transport);
  await listens(browser);
});
