// Shared by the browser tests: the browser, pages that report their errors, and checks that end the run with a sentence.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

/** Where the gateway, or the balancer before it, is reached. */
export const BASE_URL = new URL(process.argv[2] ?? process.env.BASE_URL ?? "http://localhost:8080");

const SHOTS = process.env.SHOTS ?? new URL("../../.work/screenshots", import.meta.url).pathname;
const TIMEOUT = 30_000; // milliseconds until something awaited counts as missing
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Ends the run with this sentence unless `condition` holds. */
export function check(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/** Runs `body` with a browser; prints the sentence it failed with, if it did, and sets the exit code. */
export async function run(body) {
  const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const executablePath = places.find((path) => path && existsSync(path));
  let browser;
  try {
    check(executablePath, "No Chromium was found: install the package chromium, or name one in CHROMIUM.");
    mkdirSync(SHOTS, { recursive: true });
    browser = await chromium.launch({ executablePath, args: [
      "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--no-first-run",
    ] });
    await body(browser);
    console.log("ok");
  } catch (error) {
    console.error(`FAILED: ${error.message.split("\n", 1)[0]}`);
    process.exitCode = 1;
  } finally {
    await browser?.close();
  }
}

/** A page in a context of its own, so with cookies of its own. `faults` gathers what its console complained of. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  // A violation that is only reported does not reach the console as an error.
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`)));
  return { context, page, faults };
}

/** Goes to a channel's page, and waits until it is connected. */
export async function openChannel(page, channel) {
  const url = new URL(`/${encodeURIComponent(channel)}`, BASE_URL).href;
  const response = await page.goto(url).catch(() => {
    throw new Error(`Nothing answers at ${url}: name the gateway in BASE_URL.`);
  });
  check(response.ok(), `GET /${channel} answered ${response.status()}.`);
  const policy = response.headers()["content-security-policy"] ?? "";
  check(policy.includes("default-src 'none'"), `The page's Content-Security-Policy is not strict: “${policy}”.`);
  await waitForState(page, "open");
}

/** Waits for a state of the connection: connecting, open, reconnecting, refused. */
export async function waitForState(page, state) {
  const reached = page.waitForSelector(`#state[data-state="${state}"]`);
  await reached.catch(async () => {
    const says = `${await page.textContent("#state")} ${await page.textContent("#reason")}`;
    throw new Error(`The page did not become ${state}; it says: ${says}`);
  });
}

/** Types a message and sends it by keyboard. */
export async function say(page, name, text) {
  await page.fill("#name", name);
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/** Waits until the built-in page shows a message, exactly this text. */
export async function sees(page, who, text) {
  const shown = (wanted) =>
    [...document.querySelectorAll("#messages .body")].some(({ textContent }) => textContent === wanted);
  await page.waitForFunction(shown, text).catch(() => {
    throw new Error(`${who} does not show “${text}”.`);
  });
  console.log(`  ${who} shows “${text}”`);
}

/** Waits until the page's log tells something that matches. */
export async function tells(page, pattern) {
  await page.locator("#messages .event", { hasText: pattern }).first().waitFor().catch(() => {
    throw new Error(`The page does not tell ${pattern}.`);
  });
}

/** Saves a screenshot. */
export async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** Saves a screenshot in light and in dark, wide and narrow; nothing may stick out of the narrow one. */
export async function shootAll(page, name) {
  const { width, height } = page.viewportSize();
  for (const [across, down] of [[1280, 800], [360, 740]]) {
    await page.setViewportSize({ width: across, height: down });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= across, `${name} at ${across} px is ${wide} px wide.`);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await shoot(page, `${name}-${colorScheme}-${across}`);
    }
  }
  await page.setViewportSize({ width, height });
}

/** Waits until an element's text matches. */
export async function reads(page, selector, pattern) {
  await page.locator(selector, { hasText: pattern }).first().waitFor().catch(async () => {
    const texts = await page.locator(selector).allTextContents();
    throw new Error(`${selector} does not read ${pattern}; it reads: ${texts.slice(0, 5).join(" | ")}`);
  });
}

/** No serious or critical finding of axe in light and in dark. */
export async function checkAccessible(page, what) {
  const axe = readFileSync(AXE, "utf8");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const words = grave.map(({ help, nodes }) => `${help} (${nodes[0].target})`).join("; ");
    check(grave.length === 0, `${what} in ${colorScheme}: ${words}`);
    console.log(`  ${what} in ${colorScheme}: no serious finding of axe`);
  }
}

/** Nothing was written to the page's console as an error. */
export function checkQuiet(faults, who) {
  check(faults.length === 0, `${who} has errors in its console: ${faults.join(" | ")}`);
}
