// Everyone hears everyone: clients of every dialect in one channel on two nodes, each message published by each way that
// there is, and what each client hears of it, as the table of the dialects says. A new dialect is one entry of HEARS,
// and one of SAYS where it publishes.
//
//   everyone.mjs NODE1 NODE2 REDIS KEY

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { Centrifuge } from "centrifuge";
import { EventSource } from "eventsource";
import WebSocket from "ws";
import { call, check, inRedis, until } from "../centrifugo/support.mjs";

const [NODE1, NODE2, REDIS, KEY] = process.argv.slice(2);
const CHANNEL = `kept:${randomUUID().slice(0, 8)}`;
const NAMED = encodeURIComponent(CHANNEL);

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const socket = (node, path) => `${node.replace("http", "ws")}${path}`;

/** A message as a JSON value. */
const asJson = ({ text, json, bytes }) => text ?? json ?? { b64: base64(bytes) };

/** A message as an item of `/stream`, `/poll` and `/sse?channel=`. */
const asItem = (message) => ({ channel: CHANNEL, ...(message.event && { event: message.event }), data: asJson(message) });

/** Hands on each item of a stream of lines. */
async function readLines(response, take) {
  let unread = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (unread + part).split("\n");
    unread = lines.pop();
    lines.filter(Boolean).map((line) => JSON.parse(line)).forEach(take);
  }
}

const item = ({ cursor, ...rest }) => rest;

/** The clients: `open` resolves once the client hears everything, and `form` is what it hears of a message. */
const HEARS = {
  websocket: {
    form: ({ text, json, bytes }) => text ?? (json ? JSON.stringify(json) : base64(bytes)),
    open: (node, hear) => new Promise((resolve) => {
      const client = new WebSocket(socket(node, `/ws/${NAMED}`));
      client.on("message", (data, isBinary) => hear(isBinary ? base64(data) : `${data}`));
      client.on("open", () => resolve((message) => client.send(message.text ?? Buffer.from(message.bytes))));
    }),
    says: ["text", "bytes"],
  },
  centrifugo: {
    form: (message) => ({ data: asJson(message), ...(message.event && { tags: { event: message.event } }) }),
    open: (node, hear) => new Promise((resolve) => {
      const client = new Centrifuge(socket(node, "/connection/websocket"), { websocket: WebSocket });
      const subscription = client.newSubscription(CHANNEL);
      subscription.on("publication", ({ data, tags }) => hear({ data, ...(tags && { tags }) }));
      subscription.on("subscribed", () => resolve((message) => subscription.publish(message.text ?? message.json)));
      subscription.subscribe();
      client.connect();
    }),
    says: ["text", "json"],
  },
  "centrifugo over SSE": {
    form: (message) => HEARS.centrifugo.form(message),
    open: (node, hear) => new Promise((resolve) => {
      const transports = [{ transport: "sse", endpoint: `${node}/connection/sse` }];
      const emulationEndpoint = `${node}/emulation`;
      const client = new Centrifuge(transports, { eventsource: EventSource, fetch, emulationEndpoint });
      const subscription = client.newSubscription(CHANNEL);
      subscription.on("publication", ({ data, tags }) => hear({ data, ...(tags && { tags }) }));
      subscription.on("subscribed", () => resolve((message) => subscription.publish(message.text ?? message.json)));
      subscription.subscribe();
      client.connect();
    }),
    says: ["text", "json"],
  },
  sse: {
    form: ({ event, ...message }) => ({
      event: event ?? "message",
      data: message.text ?? JSON.stringify(asJson(message)),
    }),
    open: (node, hear) => new Promise((resolve) => {
      const source = new EventSource(`${node}/sse/${NAMED}`);
      for (const event of ["message", "joke"]) source.addEventListener(event, ({ data }) => hear({ event, data }));
      source.addEventListener("fanfare", () => resolve());
    }),
  },
  "sse of several channels": {
    form: asItem,
    open: (node, hear) => new Promise((resolve) => {
      const source = new EventSource(`${node}/sse?channel=${NAMED}&channel=other`);
      for (const event of ["message", "joke"]) source.addEventListener(event, ({ data }) => hear(JSON.parse(data)));
      source.addEventListener("fanfare", ({ data }) => JSON.parse(data).channel === "other" && resolve());
    }),
  },
  stream: {
    form: asItem,
    open: (node, hear) => new Promise((resolve) => {
      const body = JSON.stringify({ channels: [CHANNEL] });
      fetch(`${node}/stream`, { method: "POST", body })
        .then((response) => readLines(response, (line) => (line.type ? resolve() : hear(item(line)))));
    }),
  },
  poll: {
    form: asItem,
    async open(node, hear) {
      const poll = async (cursor) =>
        (await fetch(`${node}/poll?channel=${NAMED}&cursor=${cursor}`)).json();
      let { cursor } = await poll("");
      (async () => {
        for (;;) {
          const answer = await poll(cursor);
          answer.messages.forEach(hear);
          cursor = answer.cursor;
        }
      })();
    },
  },
};

/** Ways to publish that have no client of their own: what each can say, and how. */
const SAYS = {
  "POST /publish": {
    says: ["text", "json", "bytes"],
    async say({ text, json, bytes }) {
      const type = text ? "text/plain" : json ? "application/json" : "application/octet-stream";
      const body = text ?? (json ? JSON.stringify(json) : Buffer.from(bytes));
      const answer = await fetch(`${NODE1}/publish/${NAMED}`, { method: "POST", headers: { "Content-Type": type }, body });
      check(answer.ok, `POST /publish: ${answer.status} ${await answer.clone().text()}`);
    },
  },
  "the API": {
    says: ["text", "json", "bytes", "event"],
    say: ({ text, json, bytes, event }) =>
      call(NODE2, KEY, "publish", { channel: CHANNEL, event, ...(bytes ? { b64data: base64(bytes) } : { data: text ?? json }) }),
  },
  "redis-cli PUBLISH": {
    says: ["text"],
    async say({ text }) {
      // It is not kept: a poll has to be there.
      await pollsWait();
      await inRedis(REDIS, "PUBLISH", `fanfare:${CHANNEL}`, text);
    },
  },
};

const MESSAGES = {
  text: (from) => ({ text: `text of ${from}` }),
  json: (from) => ({ json: { json: from } }),
  bytes: (from) => ({ bytes: [0xff, 0x00, ...Buffer.from(from)] }),
  event: (from) => ({ text: `event of ${from}`, event: "joke" }),
};

/** Until every poll waits at its node. */
async function pollsWait() {
  const waiting = async (node) => {
    const metrics = await (await fetch(`${node}/metrics`)).text();
    return Number(metrics.match(/^fanfare_connections\{dialect="poll",transport="poll"\} (\d+)$/m)?.[1] ?? 0);
  };
  await until(async () => (await waiting(NODE1)) === 1 && (await waiting(NODE2)) === 1, "a poll at each node");
}

const clients = [];
for (const [name, dialect] of Object.entries(HEARS)) {
  for (const [number, node] of [NODE1, NODE2].entries()) {
    const client = { name: `${name} on node ${number + 1}`, dialect, heard: [] };
    client.say = await dialect.open(node, (message) => client.heard.push(message));
    clients.push(client);
  }
}
const publishers = [
  ...clients.filter(({ dialect }) => dialect.says).map(({ name, say, dialect: { says } }) => ({ name, say, says })),
  ...Object.entries(SAYS).map(([name, { says, say }]) => ({ name, says, say })),
];
const said = [];
for (const { name, says, say } of publishers) {
  for (const kind of says) {
    const message = MESSAGES[kind](name);
    said.push(message);
    await say(message);
    for (const { name: reader, dialect, heard } of clients) {
      const expected = said.map(dialect.form);
      await until(() => heard.length >= said.length, `${reader} hears the ${kind} of ${name}: it has ${JSON.stringify(heard.at(-1))}`);
      const wrong = expected.findIndex((one, at) => !isDeepStrictEqual(heard[at], one));
      check(heard.length === said.length && wrong < 0,
        `${reader} heard ${JSON.stringify(heard[wrong])}, not ${JSON.stringify(expected[wrong])}, of the ${kind} of ${name}`);
    }
  }
}
console.log(`everyone: ${clients.length} clients heard ${said.length} messages of ${publishers.length} publishers, each once`);
process.exit(0);
