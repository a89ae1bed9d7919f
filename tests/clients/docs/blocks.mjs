// The blocks of docs/clients.md: a block whose first line is a comment with a file name is that file.

import { readFileSync } from "node:fs";

const PAGE = new URL("../../../docs/clients.md", import.meta.url);
const BLOCK = /^```(\w+)\n((?:<\?php )?(?:\/\/|#) (\S+)\n.*?)^```$/gms;

/** File name → text. */
export const blocks = new Map(
  [...readFileSync(PAGE, "utf8").matchAll(BLOCK)].map(([, , text, name]) => [name, text]),
);

/** The block, with another address and channel in place of the ones of the page. */
export function block(name, { host, channel }) {
  const text = blocks.get(name);
  if (!text) throw new Error(`docs/clients.md has no block ${name}`);
  return text.replaceAll("localhost:8080", host).replaceAll("/ws/chat", `/ws/${channel}`)
    .replaceAll('"chat"', `"${channel}"`).replaceAll('\\"chat\\"', `\\"${channel}\\"`);
}
