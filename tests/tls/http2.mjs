// Streams of one HTTP/2 connection, by Node's own client: over TLS (ALPN), and without it (prior knowledge).
//
//     http2.mjs URL METRICS    the addresses of a node, and of its metrics
import assert from "node:assert/strict";
import http2 from "node:http2";

const [url, metrics] = process.argv.slice(2);
const STREAMS = 120;
const connection = http2.connect(url);

const asked = (headers, body) =>
  new Promise((resolve, reject) => {
    const stream = connection.request(headers);
    stream.on("error", reject);
    stream.on("response", (answer) => stream.once("data", (data) => resolve({ stream, status: answer[":status"], data: String(data) })));
    stream.end(body);
  });

async function connections() {
  const text = await (await fetch(metrics)).text();
  const series = text.matchAll(/^fanfare_connections\{dialect="centrifugo",transport="[a-z_]+"\} (\d+)/gm);
  return [...series].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function until(expected) {
  for (let found; (found = await connections()) !== expected; ) {
    console.log(`${found} connections, not ${expected} yet`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const opening = Array.from({ length: STREAMS }, () =>
  asked({ ":method": "POST", ":path": "/connection/http_stream" }, JSON.stringify({ id: 1, connect: {} })));
const streams = await Promise.all(opening);
const clients = new Set(streams.map(({ status, data }) => {
  assert.equal(status, 200);
  return JSON.parse(data).connect.client;
}));
assert.equal(clients.size, STREAMS);
await until(STREAMS);
const { status, data } = await asked({ ":path": "/readyz" });
assert.deepEqual([status, JSON.parse(data).ok], [200, true]);
assert.equal((await asked({ ":path": "/api/nothing" })).status, 404);
streams[0].stream.close(http2.constants.NGHTTP2_CANCEL);
await until(STREAMS - 1);
connection.destroy();
await until(0);
console.log(`ok: ${STREAMS} streams of one connection`);
