// Two browsers on two nodes behind a balancer chat through the built-in page, and with a tutorial page opened from
// disk.
//
//   BASE_URL=http://localhost:8080 node chat.mjs
//
// The balancer pins a browser to a node by a cookie; each page here has cookies of its own.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  BASE_URL, check, checkAccessible, checkQuiet, openChannel, openPage, run, say, sees, shoot,
} from "./browser.mjs";

const CONTEXTS = 10; // opened at most until two are on different nodes

/** The page a tutorial shows, word for word: no library, no path of ours. */
const tutorial = (host) => `<!doctype html>
<title>Chat</title>
<ul id="log"></ul>
<form id="form"><input id="text"><button>Send</button></form>
<script>
  const socket = new WebSocket("ws://${host}/chat");
  socket.onopen = () => { document.title = "Chat (open)"; };
  socket.onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("log").append(item);
  };
  document.getElementById("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(document.getElementById("text").value);
  };
</script>
`;

/** Opens the channel; says which node the page is on. */
async function openOnSomeNode(browser, channel) {
  const opened = await openPage(browser);
  await openChannel(opened.page, channel);
  await opened.page.waitForSelector("#nodes tr");
  const node = await opened.page.textContent("#node");
  const nodes = await opened.page.locator("#nodes tr").count();
  console.log(`  a page on node ${node}, which knows of ${nodes}`);
  return { ...opened, node };
}

/** Two pages on different nodes. */
async function openOnTwoNodes(browser, channel) {
  const first = await openOnSomeNode(browser, channel);
  for (let count = 2; count <= CONTEXTS; count += 1) {
    const second = await openOnSomeNode(browser, channel);
    if (second.node !== first.node) return [first, second];
    await second.context.close();
  }
  throw new Error(`All of ${CONTEXTS} browsers were on node ${first.node}: is there a balancer before two nodes?`);
}

async function crossesNodes(browser) {
  console.log("Two browsers on two nodes");
  const [first, second] = await openOnTwoNodes(browser, "demo-room");
  await say(first.page, "Ada", `from ${first.node} <b>& \u2713</b>`);
  await say(second.page, "Ben", `from ${second.node}`);
  for (const { page, node } of [first, second]) {
    await sees(page, `the page on ${node}`, `Ada: from ${first.node} <b>& \u2713</b>`);
    await sees(page, `the page on ${node}`, `Ben: from ${second.node}`);
    check(/ms$/.test(await page.textContent("#rtt-message")), `The page on ${node} shows no message round trip.`);
  }
  await checkGlance(first);
  await shoot(first.page, "chat-light");
  await second.page.emulateMedia({ colorScheme: "dark" });
  await shoot(second.page, "chat-dark");
  await checkAccessible(first.page, "the chat");
  await checkSmall(second.page);
  for (const { page, faults, node } of [first, second]) {
    checkQuiet(faults, `The page on ${node}`);
    await page.close();
  }
}

/** The panel tells what its node does, once there were two looks. */
async function checkGlance({ page, node }) {
  const shown = { broker: /^Redis, up$/, connections: /^[1-9]/, deliveries: /^[\d.,]+ \/ s$/, queued: /^0 B$/ };
  for (const [id, wanted] of Object.entries(shown)) {
    const matches = ({ id, source }) => new RegExp(source).test(document.getElementById(id).textContent);
    await page.waitForFunction(matches, { id, source: wanted.source }).catch(async () => {
      throw new Error(`At ${node} the panel shows as ${id}: “${await page.textContent(`#${id}`)}”.`);
    });
  }
  console.log(`  the panel shows ${node}`);
}

async function checkSmall(page) {
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  check(width <= 360, `At 360 px the page is ${width} px wide.`);
  await shoot(page, "chat-small");
  await checkAccessible(page, "the chat at 360 px");
}

async function tutorialWorks(browser) {
  console.log("A tutorial page opened from disk");
  const folder = mkdtempSync(join(tmpdir(), "fanfare-tutorial-"));
  try {
    const file = join(folder, "chat.html");
    writeFileSync(file, tutorial(BASE_URL.host));
    const ours = await openOnSomeNode(browser, "chat");
    const theirs = await openPage(browser);
    await theirs.page.goto(pathToFileURL(file).href);
    await theirs.page.waitForFunction(() => document.title === "Chat (open)").catch(() => {
      throw new Error(`The tutorial page does not connect: ${theirs.faults.join(" | ") || "no reason is given"}`);
    });
    await theirs.page.fill("#text", "hello from a file");
    await theirs.page.click("button");
    await say(ours.page, "Ada", "hello from the built-in page");
    for (const text of ["hello from a file", "Ada: hello from the built-in page"]) {
      await sees(ours.page, "the built-in page", text);
      await theirs.page.locator("#log li", { hasText: text }).waitFor().catch(() => {
        throw new Error(`The tutorial page does not show “${text}”.`);
      });
      console.log(`  the tutorial page shows “${text}”`);
    }
    await shoot(theirs.page, "tutorial");
    await shoot(ours.page, "tutorial-built-in");
    checkQuiet(ours.faults, "The built-in page");
    checkQuiet(theirs.faults, "The tutorial page");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await run(async (browser) => {
  await crossesNodes(browser);
  await tutorialWorks(browser);
});
