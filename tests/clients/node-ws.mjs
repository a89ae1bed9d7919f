// Node's `ws`: node-ws.mjs URL-A URL-B. The first subprotocol offered is echoed; a browser insists on that.
import assert from "node:assert";
import { on, once } from "node:events";
import WebSocket from "ws";

const MiB = 1024 * 1024;
const pattern = (n) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 31 + 7) % 256));
const texts = ["hello", "🎺 fanfare 𝄞", "", "🎺".repeat(MiB / 4)];
const binaries = [0, 1, 125, 126, 65535, 65536, MiB].map(pattern);

async function join(url) {
  const socket = new WebSocket(url, ["chat.v2", "chat.v1"]);
  await once(socket, "open");
  assert.equal(socket.protocol, "chat.v2");
  return { socket, messages: on(socket, "message") };
}

async function exchange(from, to, payload) {
  from.socket.send(payload);
  for (const { messages } of [from, to]) {
    const [data, isBinary] = (await messages.next()).value;
    assert.equal(isBinary, typeof payload !== "string");
    assert.ok(data.equals(Buffer.from(payload)), `${data.length} bytes came back changed`);
  }
}

const [a, b] = await Promise.all(process.argv.slice(2).map(join));
for (const payload of [...texts, ...binaries]) {
  await exchange(a, b, payload);
  await exchange(b, a, payload);
}
a.socket.close();
b.socket.close();
console.log("Node ws: ok");
