// Runs the programs of docs/streams.md as they stand there, but for address and channel: all at once in one channel, where
// each hears itself and the others. The service worker runs in Chromium, for a page of another origin.
//
//   blocks.mjs FOLDER NODE      the variable PYTHON names a Python with `requests`

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { check, until } from "../centrifugo/support.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGE = readFileSync(join(HERE, "../../docs/streams.md"), "utf8");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const [folder, node] = process.argv.slice(2);

const block = (file) => {
  const found = PAGE.match(new RegExp(`^\`\`\`\\w+\\n((?://|#) ${file}\\n.*?)^\`\`\`$`, "ms"));
  check(found, `docs/streams.md has no block ${file}`);
  return found[1].replaceAll("http://localhost:8080", node)
    .replaceAll('"chat"', '"docs"').replaceAll("/chat", "/docs");
};

const PROGRAMS = {
  "events.mjs": { command: ["node"], hello: "hello from EventSource" },
  "listen.sh": { command: ["sh"], hello: "hello from curl" },
  "poll.py": { command: [process.env.PYTHON ?? "python3", "-B"], hello: "hello from a poll" },
  "lines.py": { command: [process.env.PYTHON ?? "python3", "-B"], hello: "hello from a stream" },
};

function start(file) {
  const place = resolve(folder, file);
  mkdirSync(place, { recursive: true });
  symlinkSync(join(HERE, "node_modules"), join(place, "node_modules"));
  writeFileSync(join(place, file), block(file));
  const [program, ...args] = PROGRAMS[file].command;
  const child = spawn(program, [...args, file], { cwd: place, stdio: ["ignore", "pipe", "pipe"] });
  const started = { name: file, said: () => said, end: () => child.kill("SIGKILL") };
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
  return started;
}

/** The service worker in a page of its own. */
async function worker() {
  const { chromium } = await import("../browser/node_modules/playwright-core/index.mjs");
  const server = createServer(({ url }, answer) => {
    const isWorker = url === "/worker.js";
    answer.setHeader("Content-Type", isWorker ? "text/javascript" : "text/html");
    answer.end(isWorker ? block("worker.js") : "<!doctype html>");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
  ] });
  const page = await browser.newPage();
  let said = "";
  await page.exposeFunction("heard", (item) => (said += `${JSON.stringify(item)}\n`));
  await page.goto(`http://localhost:${server.address().port}/`);
  await page.evaluate(async () => {
    navigator.serviceWorker.addEventListener("message", ({ data }) => globalThis.heard(data));
    await navigator.serviceWorker.register("/worker.js");
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage("listen");
  });
  await until(() => said.includes('"subscribed"'), "the service worker listens");
  return { name: "worker.js", said: () => said, end: () => (browser.close(), server.close()) };
}

rmSync(folder, { recursive: true, force: true });
const running = [];
if (existsSync(CHROMIUM)) running.push(await worker());
else console.log("SKIPPED worker.js: Chromium is missing");
try {
  // Each says hello to all that run already.
  for (const file of Object.keys(PROGRAMS)) {
    running.push(start(file));
    const { hello } = PROGRAMS[file];
    for (const { name, said } of running) {
      await until(() => said().includes(hello), `${name} hears “${hello}” (it said: ${said()})`);
    }
  }
  const names = running.map(({ name }) => name);
  console.log(`docs/streams.md: ${names.join(", ")} hear each other`);
} finally {
  running.forEach(({ end }) => end());
}
process.exit(0);
