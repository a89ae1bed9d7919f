// Pages of other origins, in a real browser: one that the configuration lets in calls the API and sees the answers, one
// that it does not publishes nothing, and hears from its WebSocket why.
//
//   BIN=target/debug/fanfare node origins.mjs

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { check, openPage, run } from "./browser.mjs";

const KEY = "key-of-the-tests-0123456789";
const ANSWERS_IN = 30_000; // milliseconds

/** An empty page from a port of its own; `host` names this machine. */
async function servePage(host) {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>elsewhere</title>");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { origin: `http://${host}:${server.address().port}`, close: () => server.close() };
}

async function freePort() {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A node with these arguments and variables, once it is ready. */
async function startNode(args, variables) {
  const port = await freePort();
  const env = { PATH: process.env.PATH, ...variables };
  const node = spawn(process.env.BIN, ["serve", "--listen", `127.0.0.1:${port}`, ...args], { env, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  const until = Date.now() + ANSWERS_IN;
  const isReady = () => fetch(`${url}/readyz`).then(({ ok }) => ok, () => false);
  while (!(await isReady())) {
    check(node.exitCode === null && Date.now() < until, `The node ${args.join(" ")} did not become ready.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url, stop: () => node.kill("SIGKILL") };
}

/** A page of this origin. */
async function visit(browser, { origin }) {
  const { page } = await openPage(browser);
  await page.goto(origin);
  return page;
}

/** The result of a call by a script of the page: the status, the body and a header, or the failure. */
function call(page, url, init) {
  return page.evaluate(async ([url, init]) => {
    try {
      const response = await fetch(url, init);
      const challenge = response.headers.get("www-authenticate");
      return { status: response.status, body: await response.text(), challenge };
    } catch (error) {
      return { failed: error.name };
    }
  }, [url, init]);
}

/** How a WebSocket of the page ends. */
function closed(page, url) {
  return page.evaluate((url) => new Promise((resolve) => {
    new WebSocket(url).onclose = ({ code, reason }) => resolve({ code, reason });
  }), url);
}

/** Keeps what a channel of the node brings, in the page. */
async function listen(page, url) {
  await page.evaluate((url) => new Promise((resolve, reject) => {
    globalThis.heard = [];
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => globalThis.heard.push(data);
    socket.onopen = resolve;
    socket.onclose = reject;
  }), url.replace("http", "ws"));
}

/** The channel brought these, once it brought the last. */
async function hears(page, texts) {
  await page.waitForFunction((last) => globalThis.heard.includes(last), texts.at(-1));
  const heard = await page.evaluate(() => globalThis.heard);
  check(JSON.stringify(heard) === JSON.stringify(texts), `The channel brought ${heard}, and not ${texts}.`);
}

const publish = (data, headers = {}) => ({
  method: "POST", headers, body: JSON.stringify({ channel: "chat", data }),
});
const withKey = { "content-type": "application/json", "x-api-key": KEY };

async function configured(browser, allowed, foreign) {
  const node = await startNode([], { FANFARE_API__KEYS: KEY, FANFARE_ORIGINS__ALLOW: allowed.origin });
  try {
    const [mine, theirs] = [await visit(browser, allowed), await visit(browser, foreign)];
    await listen(mine, `${node.url}/ws/chat`);
    const api = `${node.url}/api/publish`;
    const taken = await call(mine, api, publish("one", withKey));
    check(taken.status === 200, `A page that may call got ${JSON.stringify(taken)}.`);
    const refused = await call(mine, api, publish("never"));
    check(refused.status === 401 && /API key/.test(refused.body) && /ApiKey/.test(refused.challenge),
      `A page that may call was not told that a key is needed: ${JSON.stringify(refused)}.`);
    const cluster = await call(mine, `${node.url}/api/cluster`);
    check(cluster.status === 200, `A page that may call does not see the cluster: ${JSON.stringify(cluster)}.`);
    for (const init of [publish("never", withKey), publish("never"), { ...publish("never"), mode: "no-cors" }]) {
      const answer = await call(theirs, api, init);
      check(answer.failed || answer.status === 0, `A page that may not call got ${JSON.stringify(answer)}.`);
    }
    const { code } = await closed(theirs, `${node.url.replace("http", "ws")}/ws/chat`);
    check(code === 1006, `A page that may not connect heard ${code} without browser_errors.`);
    await call(mine, api, publish("two", withKey));
    await hears(mine, ["one", "two"]);
    console.log("  a page of an allowed origin calls the API, another does not");
  } finally {
    node.stop();
  }
}

async function underDev(browser, local, foreign) {
  const node = await startNode(["--dev"], {});
  try {
    const [mine, theirs] = [await visit(browser, local), await visit(browser, foreign)];
    await listen(mine, `${node.url}/ws/chat`);
    // Neither has a preflight: what is told to the page must be what happened.
    const failed = await call(theirs, `${node.url}/api/publish`, publish("never"));
    check(failed.failed, `A foreign page got ${JSON.stringify(failed)} under --dev.`);
    const taken = await call(mine, `${node.url}/api/publish`, publish("one"));
    check(taken.status === 200, `A local page got ${JSON.stringify(taken)} under --dev.`);
    await hears(mine, ["one"]);
    const { code, reason } = await closed(theirs, `${node.url.replace("http", "ws")}/ws/chat`);
    check(code === 4403 && reason.includes(`origins.allow = ["${foreign.origin}"]`),
      `A foreign page heard ${code} ${reason} under --dev.`);
    console.log(`  under --dev a foreign page hears: ${code} ${reason}`);
  } finally {
    node.stop();
  }
}

await run(async (browser) => {
  const [allowed, foreign] = [await servePage("127.0.0.1"), await servePage("evil.localhost")];
  try {
    await configured(browser, allowed, foreign);
    await underDev(browser, allowed, foreign);
  } finally {
    allowed.close();
    foreign.close();
  }
});
