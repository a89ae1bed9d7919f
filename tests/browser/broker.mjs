// Checks what the built-in page says while its node's broker is away: a real node, and a real Redis that is killed, stopped and
// started again.
//
//   BIN=target/debug/fanfare node broker.mjs

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { check, checkAccessible, openPage, reads, run, say, sees, shootAll, tells, waitForState } from "./browser.mjs";

const running = new Set();

function start(command, ...args) {
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, FANFARE_CONFIG: "" } });
  running.add(child);
  child.ended = new Promise((resolve) => child.on("close", resolve)).then(() => running.delete(child));
  return child;
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** Until the node says this of its broker. */
async function brokerIs(url, state) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const cluster = await fetch(`${url}/api/cluster`).then((response) => response.json()).catch(() => ({}));
    if (cluster.state === state) return;
    check(Date.now() < deadline, `The node does not say that its broker is ${state}, but ${cluster.state}.`);
    await pause(100);
  }
}

/** A node and its Redis; `redis` is the process of the moment. */
async function bus() {
  const [port, redisPort] = [await freePort(), await freePort()];
  const startRedis = () => start("redis-server", "--port", `${redisPort}`, "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp");
  const made = { url: `http://localhost:${port}`, redis: startRedis(), restart: () => (made.redis = startRedis()) };
  start(process.env.BIN, "serve", "--dev", "--listen", `127.0.0.1:${port}`, "--broker", `redis://127.0.0.1:${redisPort}`);
  await brokerIs(made.url, "up");
  return made;
}

async function kill(redis) {
  redis.kill("SIGKILL");
  await redis.ended;
}

async function open(browser, url, state) {
  const opened = await openPage(browser);
  await opened.page.goto(`${url}/outage`);
  await waitForState(opened.page, state);
  return opened.page;
}

/** The head of the page is in view at every width. */
async function headReads(page, pattern) {
  for (const width of [1280, 800, 360]) {
    await page.setViewportSize({ width, height: 740 });
    await reads(page, "#state", pattern);
    const seen = await page.locator("#state").boundingBox();
    check(seen.y >= 0 && seen.y + seen.height <= 740, `At ${width} px the state is out of view.`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

const CASES = {
  async "a page keeps its text while the broker is away"(browser, node) {
    const page = await open(browser, node.url, "open");
    await kill(node.redis);
    await waitForState(page, "away");
    await headReads(page, /^Broker away$/);
    await reads(page, "#reason", /^No messages come or go: the node has lost Redis\.$/);
    await reads(page, "#note", /^Nothing can be sent: Redis is away\.$/);
    await say(page, "Ada", "kept");
    check((await page.inputValue("#text")) === "kept", "A text leaves the box while the broker is away.");
    await shootAll(page, "broker-away");
    await checkAccessible(page, "the page while the broker is away");
    node.restart();
    await waitForState(page, "open");
    check((await page.textContent("#note")) + (await page.textContent("#reason")) === "", "The page complains of a broker that is back.");
    await page.press("#text", "Enter");
    await sees(page, "the page", "Ada: kept");
    await page.context().close();
  },

  async "a page that cannot join says why, and joins once the broker is back"(browser, node) {
    await kill(node.redis);
    await brokerIs(node.url, "away");
    const page = await open(browser, node.url, "away");
    await reads(page, "#reason", /^The channel cannot be joined: the node has lost Redis\.$/);
    await headReads(page, /^Broker away$/);
    await shootAll(page, "broker-join");
    await checkAccessible(page, "the page that cannot join");
    node.restart();
    await waitForState(page, "open");
    await page.context().close();
  },

  async "a refused text comes back into the box"(browser, node) {
    const page = await open(browser, node.url, "open");
    // The page does not look meanwhile, and so sends what it would keep.
    await page.route("**/api/cluster", (route) => route.fulfill({ json: { node: "n", broker: "redis", state: "up", nodes: [] } }));
    await kill(node.redis);
    await brokerIs(node.url, "away");
    await say(page, "Ada", "again, please");
    await page.fill("#text", "typed meanwhile");
    await tells(page, /^Your message was refused and reached nobody\. It is back in the box: send it again\.$/);
    const box = await page.inputValue("#text");
    check(box === "again, please\ntyped meanwhile", `The box holds “${box}”.`);
    await page.unroute("**/api/cluster");
    await waitForState(page, "away");
    await shootAll(page, "broker-refused");
    const told = await page.locator("#messages .event").allTextContents();
    check(told.length === 1, `One refusal is told as: ${told.join(" | ")}`);
    node.restart();
    await waitForState(page, "open");
    await page.fill("#text", "again, please");
    await page.press("#text", "Enter");
    await sees(page, "the page", "Ada: again, please");
    await page.context().close();
  },

  async "a message that a frozen Redis may have is said to be in doubt"(browser, node) {
    const page = await open(browser, node.url, "open");
    node.redis.kill("SIGSTOP");
    await say(page, "Ada", "in doubt");
    await waitForState(page, "away");
    await tells(page, /^The outcome of your last message is unknown: it may still be delivered\. “Ada: in doubt”$/);
    check((await page.inputValue("#text")) === "", "A message in doubt comes back into the box.");
    await reads(page, "#state", /^Broker away$/);
    await shootAll(page, "broker-frozen");
    node.redis.kill("SIGCONT");
    await waitForState(page, "open");
    await say(page, "Ada", "hello again");
    await sees(page, "the page", "Ada: hello again");
    await page.context().close();
  },
};

const endAll = () => running.forEach((child) => child.kill("SIGKILL"));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
process.on("exit", endAll);

await run(async (browser) => {
  try {
    const node = await bus();
    for (const [guarantee, test] of Object.entries(CASES)) {
      console.log(guarantee);
      await test(browser, node);
      await brokerIs(node.url, "up");
    }
  } finally {
    endAll();
  }
});
