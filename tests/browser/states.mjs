// Checks what the built-in page does when its connection goes wrong. The page comes from a real gateway; the far end of its
// WebSocket is played here, so that each case happens when it should.
//
//   BASE_URL=http://localhost:8080 node states.mjs

import {
  BASE_URL, check, checkAccessible, checkQuiet, openChannel, openPage, reads, run, say, sees, shoot, shootAll, tells,
  waitForState,
} from "./browser.mjs";

/** Opens a page whose nth connection is handled by `far(socket, n)`, n from 1. */
async function openAgainst(browser, far) {
  const opened = await openPage(browser);
  await opened.page.clock.install();
  let count = 0;
  await opened.page.routeWebSocket(/\/ws\//, (socket) => far(socket, (count += 1)));
  await openChannel(opened.page, "states");
  return { ...opened, connections: () => count };
}

const echo = (socket) => socket.onMessage((message) => socket.send(message));

/** Whether a message lies within the visible part of the list. */
const inView = (page, text) => page.getByText(text, { exact: true }).evaluate((body) => {
  const list = document.getElementById("messages").getBoundingClientRect();
  return body.getBoundingClientRect().bottom <= list.bottom && body.getBoundingClientRect().top >= list.top;
});

const MARKUP = "<img src=x onerror='console.error(1)'><script>console.error(2)</script>";

const CASES = {
  async "a refused publish is told once, and its text is in the box again"(browser) {
    const reason = "your message was refused, it reached nobody: reconnect and send it again";
    const { page, faults } = await openAgainst(browser, (socket, n) => {
      if (n > 1) return echo(socket);
      socket.onMessage(() => socket.close({ code: 1013, reason }));
    });
    await say(page, "Ada", "is this lost?");
    await tells(page, /^Your message was refused and reached nobody. It is back in the box: send it again\.$/);
    await tells(page, /Connected again/);
    check((await page.inputValue("#text")) === "is this lost?", "The refused text is not in the box.");
    await waitForState(page, "open");
    await say(page, "Ada", "and now?");
    await sees(page, "the page", "Ada: and now?");
    await shoot(page, "state-publish-refused");
    checkQuiet(faults, "The page");
  },

  async "without a connection the text stays, and is sent when asked again"(browser) {
    let away = true;
    const { page, faults } = await openAgainst(browser, (socket, n) => {
      if (n > 1 && away) return socket.close({ code: 1012, reason: "the node restarts" });
      echo(socket);
      if (n === 1) socket.onMessage(() => socket.close({ code: 1012, reason: "the node restarts" }));
    });
    await say(page, "Ada", "goodbye");
    // Reconnecting, or refused once an attempt was: which of them is seen depends on the moment.
    await page.waitForFunction(() => document.getElementById("state").dataset.state !== "open");
    await page.fill("#text", "kept");
    await page.waitForFunction(() => {
      if (document.getElementById("state").dataset.state === "open") return false;
      document.getElementById("compose").requestSubmit();
      return /Not sent/.test(document.getElementById("note").textContent);
    });
    check((await page.inputValue("#text")) === "kept", "The text that was not sent is gone.");
    await shoot(page, "state-reconnecting");
    await checkAccessible(page, "the page while it reconnects");
    away = false;
    await waitForState(page, "open");
    check((await page.inputValue("#text")) === "kept", "The text that was not sent is gone after the reconnect.");
    await page.press("#text", "Enter");
    await sees(page, "the page", "Ada: kept");
    checkQuiet(faults, "The page");
  },

  async "a connection that is not permitted is refused with its reason, and tried again only when asked"(browser) {
    const { page, faults, connections } = await openAgainst(browser, (socket, n) => {
      if (n > 1) return echo(socket);
      socket.onMessage(() => socket.close({ code: 1008, reason: "publishing is not permitted here" }));
    });
    await say(page, "Ada", "may I?");
    await waitForState(page, "refused");
    check(/not permitted here/.test(await page.textContent("#reason")), "The reason of the refusal is not shown.");
    check((await page.textContent("#countdown")) === "", "A retry is announced after a refusal.");
    await page.clock.fastForward("10:00");
    check(connections() === 1, "The page came back unasked after a refusal.");
    await shoot(page, "state-refused");
    await checkAccessible(page, "the page when refused");
    await page.click("#retry");
    await waitForState(page, "open");
    checkQuiet(faults, "The page");
  },

  async "a connection that breaks says what may be lost"(browser) {
    const { page, faults } = await openAgainst(browser, (socket, n) => {
      if (n === 1) socket.onMessage(() => socket.close({ code: 1011, reason: "an error" }));
    });
    await say(page, "Ada", "is this lost?");
    await tells(page, /1 message of yours did not come back and may be lost; the last: “Ada: is this lost\?”/);
    checkQuiet(faults, "The page");
  },

  async "the sentence of a refusal is shown, and the page stays away"(browser) {
    const { page, faults } = await openPage(browser);
    const reason = "the origin http://app.example is not allowed: add it to origins.allow";
    let count = 0;
    await page.routeWebSocket(/\/ws\//, (socket) => {
      count += 1;
      socket.close({ code: 4403, reason });
    });
    await page.goto(new URL("/forbidden", BASE_URL).href);
    await waitForState(page, "refused");
    await reads(page, "#reason", `The server refused the connection: ${reason} (4403)`);
    await shootAll(page, "state-forbidden");
    check(count === 1, "The page came back unasked after a refusal.");
    checkQuiet(faults, "The page");
  },

  async "a balancer without a node that takes clients is said"(browser) {
    const { page, faults } = await openAgainst(browser, echo);
    await page.route("**/api/cluster", (route) => route.fulfill({ status: 503, body: "<html>No server is available" }));
    await page.clock.runFor(10_000);
    await waitForState(page, "away");
    await reads(page, "#state", /^No node ready$/);
    await reads(page, "#reason", /^Messages may not come or go: no node takes clients now\.$/);
    await page.unroute("**/api/cluster");
    await page.clock.runFor(10_000);
    await waitForState(page, "open");
    check(faults.every((fault) => fault.includes("503")), `The page has errors in its console: ${faults.join(" | ")}`);
  },

  async "the newest message stays in view when the list changes its height, until the reader scrolls up"(browser) {
    let far;
    const { page, faults } = await openAgainst(browser, (socket, n) => {
      far = socket;
      if (n === 1) socket.onMessage(() => socket.close({ code: 1008, reason: "a banner takes some of the height" }));
    });
    const show = async (prefix) => {
      for (let n = 1; n <= 100; n += 1) far.send(`${prefix} ${n}`);
      await sees(page, "the page", `${prefix} 100`);
    };
    await show("before");
    await say(page, "Ada", "close");
    await waitForState(page, "refused");
    await tells(page, /a banner takes/);
    await page.click("#retry");
    await waitForState(page, "open");
    await show("after");
    check(await inView(page, "after 100"), "The newest message is out of view after the list changed its height.");
    await page.focus("#messages");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.getElementById("messages").scrollTop === 0);
    await show("later");
    check(!(await inView(page, "later 100")), "The page scrolls away from what the reader went back to.");
    await page.click("#newest");
    check(await inView(page, "later 100"), "“Newest messages” does not lead to the newest message.");
    checkQuiet(faults, "The page");
  },

  async "messages are text, never markup; bytes are counted; old ones leave the page"(browser) {
    const { page, faults } = await openAgainst(browser, (socket) => {
      socket.onMessage(() => {
        for (let n = 1; n <= 1000; n += 1) socket.send(`n ${n}`);
        socket.send("");
        socket.send(Buffer.alloc(2048));
        socket.send(MARKUP);
      });
    });
    await say(page, "Ada", "go");
    await sees(page, "the page", "n 1000");
    await sees(page, "the page", "(empty)");
    await sees(page, "the page", "2,048 bytes (binary)");
    await sees(page, "the page", MARKUP);
    check((await page.locator("#messages img, #messages script").count()) === 0, "A message became markup.");
    const kept = await page.locator("#messages > *").count();
    check(kept <= 300, `The page keeps ${kept} messages.`);
    check(/1,003 messages/.test(await page.textContent("#count")), "The messages are not all counted.");
    checkQuiet(faults, "The page");
  },

  async "what the node does not tell is not shown, and a broker that is away is"(browser) {
    const { page, faults } = await openAgainst(browser, echo);
    let view = { node: "apart", broker: "redis", state: "away", nodes: [] };
    await page.waitForSelector("#connections");
    await page.route("**/api/cluster", (route) => route.fulfill({ json: view }));
    await page.clock.runFor(10_000);
    await page.waitForFunction(() => document.getElementById("broker").textContent === "Redis, away");
    check((await page.locator("#snapshot > div:visible").count()) === 2, "Figures are shown that the node did not tell.");
    await reads(page, "#state", /^Broker away$/);
    view.state = "deaf";
    await page.clock.runFor(10_000);
    await reads(page, "#reason", /^No messages come: the node does not hear Redis\.$/);
    await shoot(page, "state-apart");
    await checkAccessible(page, "the page without figures");
    const latency = { p50: 0.0004, p99: 0.0123 };
    const figures =
      { connections: 12345, queued_bytes: 3 << 20, deliveries_per_second: 1234.5, relay_latency_seconds: latency };
    view = { ...view, state: "up", figures };
    await page.clock.runFor(10_000);
    await page.waitForFunction(() => document.getElementById("broker").textContent === "Redis, up");
    const texts = await page.locator("#snapshot .figure dd").allTextContents();
    check(texts.join("; ") === "12,345; 1,235 / s; 0.4 ms · 12 ms; 3.0 MiB", `The figures read: ${texts.join("; ")}.`);
    await shoot(page, "state-figures");
    checkQuiet(faults, "The page");
  },

  async "the channel is in the address: it survives back, forward and a reload, with any characters"(browser) {
    const { page, faults } = await openAgainst(browser, echo);
    const odd = "r\u00e4ume/1:a#?%'\"";
    await page.fill("#channel", odd);
    await page.press("#channel", "Enter");
    await waitForState(page, "open");
    await page.goBack();
    check((await page.textContent("#current")) === "states", "Going back does not lead to the channel before.");
    await page.goForward();
    await page.reload();
    await waitForState(page, "open");
    const current = await page.textContent("#current");
    check(current === odd, `A reload leads to ${current}, not ${odd}.`);
    await page.fill("#channel", "metrics");
    await page.press("#channel", "Enter");
    check(/kept for the server/.test(await page.textContent("#channel-note")), "A path of the server's is taken as a channel.");
    checkQuiet(faults, "The page");
  },
};

await run(async (browser) => {
  for (const [guarantee, test] of Object.entries(CASES)) {
    console.log(guarantee);
    await test(browser);
  }
});
