// The browser's blocks of docs/clients.md, checked by tsc, bundled with the packed client, and opened in Chromium: on a
// real cluster, then against a far end that is played.
//
//   BASE_URL=http://localhost:8080 BLOCKS=folder node copied.mjs

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { block } from "../clients/docs/blocks.mjs";
import { installClient } from "../clients/docs/client.mjs";
import { BASE_URL, check, checkQuiet, openPage, reads, run } from "./browser.mjs";

const MODULES = fileURLToPath(new URL("node_modules", import.meta.url));
const folder = resolve(process.env.BLOCKS ?? fileURLToPath(new URL("../../.work/browser-blocks", import.meta.url)));
const PLACE = { host: BASE_URL.host, channel: "copied" };

// The page around the blocks.
const CHAT = '<output id="state"></output><ul id="log"></ul><form id="say"><input></form>';
const MOUNT = `import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat";

createRoot(document.querySelector("main")!).render(<StrictMode><Chat /></StrictMode>);
`;
const TSCONFIG = {
  compilerOptions: {
    strict: true, noEmit: true, target: "es2022", module: "esnext", moduleResolution: "bundler", jsx: "react-jsx",
    lib: ["es2022", "dom", "dom.iterable"], types: [],
  },
  files: ["chat.ts", "token.ts", "mount.tsx"],
};

function write() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  installClient(folder);
  for (const name of ["react", "react-dom", "@types"]) symlinkSync(join(MODULES, name), join(folder, "node_modules", name));
  for (const name of ["chat.ts", "token.ts", "Chat.tsx"]) writeFileSync(join(folder, name), block(name, PLACE));
  writeFileSync(join(folder, "mount.tsx"), MOUNT);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
}

function checkTypes() {
  try {
    execFileSync(join(MODULES, ".bin/tsc"), ["-p", folder], { stdio: ["ignore", "pipe", "inherit"] });
  } catch (error) {
    throw new Error(`tsc refuses the blocks of docs/clients.md: ${error.stdout}`);
  }
  console.log("  the blocks' types are right");
}

/** A page from disk that runs the block. */
async function page(name, body) {
  const define = { "process.env.NODE_ENV": '"production"' };
  const outfile = join(folder, `${name}.js`);
  await build({ entryPoints: [join(folder, name)], bundle: true, outfile, define, jsx: "automatic", logLevel: "error" });
  const file = join(folder, `${name}.html`);
  writeFileSync(file, `<!doctype html><meta charset="utf-8"><main>${body}</main><script src="${name}.js"></script>`);
  return pathToFileURL(file).href;
}

async function say(tab, text) {
  await tab.fill("form input", text);
  await tab.press("form input", "Enter");
}

async function chats(browser, url, name) {
  const { page: tab, context, faults } = await openPage(browser);
  await tab.goto(url);
  await reads(tab, "output", /^Connected$/);
  await say(tab, `typed into ${name}`);
  await reads(tab, "li", new RegExp(`^typed into ${name}$`));
  check((await tab.inputValue("form input")) === "", `${name} does not empty its box.`);
  await fetch(new URL("/api/publish", BASE_URL), { method: "POST", body: JSON.stringify({ channel: "copied", data: "from a backend" }) });
  await reads(tab, "li", /^from a backend$/);
  checkQuiet(faults, name);
  await context.close();
}

/** 1012 and 1013 are come back from, 1008 is not; React's strict mode makes one connection more at the beginning. */
async function comesBack(browser, url, name) {
  const { page: tab, context, faults } = await openPage(browser);
  const codes = [1012, 1013];
  await tab.routeWebSocket(/\/ws\//, (socket) => socket.onMessage((text) => {
    if (text === "stop") return socket.close({ code: 1008, reason: "not permitted here" });
    const code = codes.shift();
    if (code) socket.close({ code, reason: `closed with ${code}` });
    else socket.send(text);
  }));
  await tab.goto(url);
  for (const code of [...codes]) {
    await reads(tab, "output", /^Connected$/);
    await say(tab, "hello");
    await reads(tab, "output", new RegExp(`closed with ${code}|Connected`));
  }
  await reads(tab, "output", /^Connected$/);
  await say(tab, "back again");
  await reads(tab, "li", /^back again$/);
  await say(tab, "stop");
  await reads(tab, "output", /not permitted here \(1008\)$/);
  await say(tab, "kept");
  check((await tab.inputValue("form input")) === "kept", `${name} loses a text that it could not send.`);
  check(codes.length === 0, `${name} did not come back each time.`);
  checkQuiet(faults, name);
  await context.close();
}

/** The gateway agrees to the subprotocol beside the token, and never says the token. */
async function offersAToken(browser, url) {
  const { page: tab, context, faults } = await openPage(browser);
  await tab.addInitScript(() => {
    window.fetch = async () => new Response("a.b.c");
    window.WebSocket = class extends WebSocket {
      constructor(...how) {
        super(...how);
        this.addEventListener("open", () => (document.title = `${how[1]} → ${this.protocol}`));
      }
    };
  });
  await tab.goto(url);
  await tab.waitForFunction(() => document.title === "fanfare,token.a.b.c → fanfare").catch(async () => {
    throw new Error(`token.ts does not offer its token: “${await tab.title()}”.`);
  });
  checkQuiet(faults, "token.ts");
  await context.close();
}

await run(async (browser) => {
  write();
  checkTypes();
  const pages = { "chat.ts": await page("chat.ts", CHAT), "Chat.tsx": await page("mount.tsx", "") };
  for (const [name, url] of Object.entries(pages)) {
    await chats(browser, url, name);
    await comesBack(browser, url, name);
    console.log(`  ${name} chats, and comes back`);
  }
  await offersAToken(browser, await page("token.ts", ""));
  console.log("  token.ts offers its token");
});
