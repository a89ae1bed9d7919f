// The examples, opened from disk as their heads say, on a real cluster.
//
//   BASE_URL=http://localhost:8080 REDIS_URL=redis://127.0.0.1:6379 node examples.mjs

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BASE_URL, check, checkAccessible, checkQuiet, openPage, reads, run, shootAll } from "./browser.mjs";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "fanfare-examples-"));

/** Opens an example, changed in its address only, and waits until it is connected. */
async function open(browser, name) {
  const file = join(folder, name);
  writeFileSync(file, readFileSync(new URL(name, EXAMPLES), "utf8").replaceAll("localhost:8080", BASE_URL.host));
  const opened = await openPage(browser);
  await opened.page.goto(pathToFileURL(file).href);
  await reads(opened.page, "#state", /^Connected$/);
  return opened;
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function chats(browser) {
  const [ada, ben] = [await open(browser, "chat.html"), await open(browser, "chat.html")];
  await ada.page.fill("#name", "Ada");
  await ben.page.fill("#name", "Ben");
  await say(ada.page, "Does this reach the other window?");
  await reads(ben.page, "li", /^AdaDoes this reach the other window\?$/);
  await say(ben.page, "<b>Yes</b> 🎺, and markup stays text: " + "long ".repeat(30));
  for (const { page } of [ada, ben]) await reads(page, "li", /<b>Yes<\/b>/);
  check((await ada.page.locator("li.own").count()) === 1, "The chat does not know its own message.");
  execFileSync("redis-cli", ["-u", process.env.REDIS_URL, "publish", "fanfare:example-chat", "A plain text from a backend"]);
  await reads(ada.page, "li", /^somebodyA plain text from a backend$/);
  await finish("example-chat", ada, ben);
}

async function followsCursors(browser) {
  const [ada, ben] = [await open(browser, "cursors.html"), await open(browser, "cursors.html")];
  await ada.page.mouse.move(900, 500);
  await reads(ben.page, "#count", /One other is/);
  await ada.page.mouse.move(320, 400, { steps: 20 });
  const arrived = ({ x, y }) => [...document.querySelectorAll(".cursor")].some((cursor) => {
    const place = cursor.getBoundingClientRect();
    return Math.abs(place.x - x) < 2 && Math.abs(place.y - y) < 2;
  });
  await ben.page.waitForFunction(arrived, { x: 320, y: 400 }).catch(() => {
    throw new Error("The other window's cursor does not arrive where its pointer is.");
  });
  await ben.page.mouse.move(1150, 640);
  await ben.page.waitForFunction(arrived, { x: 1150, y: 640 });
  await ben.page.keyboard.press("ArrowUp");
  await ben.page.waitForFunction(arrived, { x: 1150, y: 620 });
  await finish("example-cursors", ben, ada);
}

async function showsADashboard(browser) {
  const opened = await open(browser, "dashboard.html");
  for (let n = 0; n < 60; n += 1) {
    const values = { Orders: Math.round(40 + 25 * Math.sin(n / 5) + (n % 3)), Revenue: 1200 + n * 37.5, "Load of <the> node": 0.4 + 0.3 * Math.cos(n / 9), Errors: 0 };
    execFileSync("redis-cli", ["-u", process.env.REDIS_URL, "publish", "fanfare:example-dashboard", JSON.stringify(values)]);
  }
  await reads(opened.page, "section", /^\s*Revenue\s*3,413\s/);
  await reads(opened.page, "section h2", /^Load of <the> node$/);
  check((await opened.page.locator("section").count()) === 4, "The dashboard does not show four tiles.");
  await finish("example-dashboard", opened);
}

async function finish(name, ...opened) {
  await shootAll(opened[0].page, name);
  await checkAccessible(opened[0].page, name);
  for (const { context, faults } of opened) {
    checkQuiet(faults, name);
    await context.close();
  }
}

await run(async (browser) => {
  try {
    await chats(browser);
    await followsCursors(browser);
    await showsADashboard(browser);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
