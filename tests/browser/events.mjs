// EventSource, fetch and polls of real pages, through HAProxy on two nodes with one Redis, while a node is killed, one is
// drained, and Redis is frozen for five seconds. Each page checks by itself that it gets every message once and in order.
// The cluster starts ended nodes again, and has the namespace `kept`.
//
//   BASE_URL=http://localhost:8080 STATE=DIR node events.mjs      DIR is the state of deploy/local/cluster.sh

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { BASE_URL, check, openPage, run } from "./browser.mjs";

const CHANNEL = `kept:${Date.now()}`;
const OTHER = `${CHANNEL}-other`;
const EVERY = 50; // milliseconds between two messages
const QUIET = 1_500; // milliseconds of messages between two faults
const PATIENCE = 30_000; // milliseconds for the last message

const pid = (name) => Number(readFileSync(join(process.env.STATE, `${name}.pid`), "utf8"));

/** Whether the cluster has two nodes again. */
async function isWhole() {
  for (const until = Date.now() + PATIENCE; Date.now() < until; await pause(100)) {
    const cluster = await fetch(new URL("/api/cluster", BASE_URL)).then((answer) => answer.json()).catch(() => ({}));
    if (cluster.state === "up" && cluster.nodes.filter((node) => !node.leaving).length === 2) return;
  }
  throw new Error("The cluster does not get its nodes back.");
}

/** Publishes the numbers from 1 on in both channels, each until it is taken, and stops at `stop()`. */
function publisher() {
  let last = 0, stopped = false;
  const publish = async (channel, number) => {
    const body = JSON.stringify({ channel, data: { number }, idempotency_key: `${number}` });
    for (;;) {
      const answer = await fetch(new URL("/api/publish", BASE_URL), { method: "POST", body }).catch(() => undefined);
      if (answer?.ok) return;
      await pause(EVERY);
    }
  };
  const publishing = (async () => {
    while (!stopped) {
      await Promise.all([publish(CHANNEL, last + 1), publish(OTHER, last + 1)]);
      last += 1;
      await pause(EVERY);
    }
  })();
  return { stop: async () => ((stopped = true), await publishing, last) };
}

/** In the page: its clients. Each notes what is wrong. */
function listen({ one, other }) {
  const clients = {};
  const client = (name) => {
    const seen = { last: {}, wrong: [], opened: 0, gaps: 0 };
    clients[name] = seen;
    return {
      seen,
      take(channel, { number }) {
        const before = seen.last[channel] ?? 0;
        if (number !== before + 1) seen.wrong.push(`${channel}: ${number} behind ${before}`);
        seen.last[channel] = Math.max(number, before);
      },
      notice(notice) {
        if (notice.type === "subscribed" && notice.gap) seen.gaps += 1;
      },
    };
  };
  const eventSource = (name, address, take) => {
    const it = client(name);
    const source = new EventSource(address);
    source.onopen = () => (it.seen.opened += 1);
    source.onmessage = (event) => take(it, JSON.parse(event.data));
    source.addEventListener("fanfare", (event) => it.notice(JSON.parse(event.data)));
    source.onerror = () => source.readyState === 2 && it.seen.wrong.push("the EventSource gave up");
  };
  const query = `channel=${encodeURIComponent(one)}&channel=${encodeURIComponent(other)}`;
  eventSource("one channel", `/sse/${encodeURIComponent(one)}`, (it, data) => it.take(one, data));
  eventSource("two channels", `/sse?${query}`, (it, item) => it.take(item.channel, item.data));

  const rest = (time) => new Promise((resolve) => setTimeout(resolve, time));
  (async () => {
    const it = client("polls");
    for (let cursor = ""; ; ) {
      const answer = await fetch(`/poll?${query}&timeout=5&cursor=${cursor}`).catch(() => undefined);
      const body = answer?.ok ? await answer.json().catch(() => undefined) : undefined;
      if (!body) {
        await rest(200);
        continue;
      }
      it.seen.opened += 1;
      it.seen.gaps += body.recovered ? 0 : 1;
      body.messages.forEach(({ channel, data }) => it.take(channel, data));
      cursor = body.cursor;
    }
  })();
  (async () => {
    const it = client("lines");
    for (let cursor; ; await rest(200)) {
      const body = JSON.stringify({ channels: [one, other], cursor });
      const answer = await fetch("/stream", { method: "POST", body }).catch(() => undefined);
      if (!answer?.ok) continue;
      it.seen.opened += 1;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let unread = ""; ; ) {
        const { value, done } = await reader.read().catch(() => ({ done: true }));
        if (done) break;
        const lines = (unread + value).split("\n");
        unread = lines.pop();
        for (const line of lines.filter(Boolean).map((line) => JSON.parse(line))) {
          if (line.type) it.notice(line);
          else it.take(line.channel, line.data);
          cursor = line.cursor ?? cursor;
        }
      }
    }
  })();
  globalThis.clients = clients;
}

const FAULTS = {
  "a node is killed": () => process.kill(pid("node1"), "SIGKILL"),
  "a node is drained": () => process.kill(pid("node2"), "SIGTERM"),
  async "Redis is frozen for 5 s"() {
    process.kill(pid("redis"), "SIGSTOP");
    await pause(5_000);
    process.kill(pid("redis"), "SIGCONT");
  },
  "the other node is killed": () => process.kill(pid("node2"), "SIGKILL"),
};

await run(async (browser) => {
  const pages = [];
  for (let number = 0; number < 3; number += 1) {
    const { page } = await openPage(browser);
    await page.route("**/blank", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    await page.goto(new URL("/blank", BASE_URL).href);
    await page.evaluate(listen, { one: CHANNEL, other: OTHER });
    await page.waitForFunction(() => Object.values(globalThis.clients).every(({ opened }) => opened > 0));
    pages.push(page);
  }
  const publishing = publisher();
  for (const [fault, cause] of Object.entries(FAULTS)) {
    await pause(QUIET);
    console.log(`  ${fault}`);
    await cause();
    await pause(QUIET);
    await isWhole();
  }
  const last = await publishing.stop();
  for (const [number, page] of pages.entries()) {
    const hasAll = (last) => Object.entries(globalThis.clients).every(([name, { last: seen }]) =>
      Object.values(seen).length === (name === "one channel" ? 1 : 2) && Object.values(seen).every((of) => of === last));
    await page.waitForFunction(hasAll, last, { timeout: PATIENCE }).catch(() => undefined);
    const clients = await page.evaluate(() => globalThis.clients);
    for (const [name, { last: seen, wrong, opened, gaps }] of Object.entries(clients)) {
      const who = `page ${number + 1}, ${name}`;
      check(wrong.length === 0, `${who}: ${wrong.slice(0, 5).join("; ")}`);
      check(gaps === 0, `${who} was told of ${gaps} gaps.`);
      check(Object.values(seen).every((of) => of === last), `${who} has ${JSON.stringify(seen)}, and ${last} were published.`);
      check(opened > 1, `${who} never lost its stream.`);
      console.log(`  ${who}: ${last} messages a channel, once and in order, over ${opened} answers`);
    }
  }
});
