// npm's centrifuge on one node that asks a backend, which is in this process: hooks.mjs json|protobuf NODE PORT

import { createServer } from "node:http";
import WebSocket from "ws";
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";
import { check, equal, Events, within } from "./support.mjs";

const [encoding, NODE, PORT] = process.argv.slice(2);
const isProtobuf = encoding === "protobuf";
const encode = (value) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(value)) : value);
const decode = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);

const asked = [];
const answers = {
  "/connect": () => ({ result: { user: "ada", data: { hello: 1 }, channels: ["mine"], meta: { plan: "x" } } }),
  "/rpc": ({ method, data }) =>
    method === "double" ? { result: { data: data * 2 } } : { error: { code: 404, message: "no such method" } },
  "/subscribe": ({ channel }) =>
    channel === "closed" ? { error: { code: 403, message: "closed" } } : { result: { data: { to: channel } } },
  "/publish": ({ data }) => ({ result: { data: { ...data, checked: true } } }),
};
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const question = JSON.parse(body);
  asked.push([request.url, question, request.headers]);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(answers[request.url](question)));
});
await new Promise((resolve) => server.listen(Number(PORT), "127.0.0.1", resolve));

class Socket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { headers: { "X-Test": "seen" } });
  }
}
const Centrifuge = isProtobuf ? Protobuf : Json;
const client = new Centrifuge(`${NODE.replace("http", "ws")}/connection/websocket`, {
  websocket: Socket,
  data: encode({ from: "page" }),
});
const events = new Events(client, "connected", "disconnected", "error", "subscribed");
client.connect();
const connected = await events.next("connected");
equal(decode(connected.data), { hello: 1 });
const [path, question, headers] = asked[0];
equal([path, question.data, question.protocol, headers["x-test"]], ["/connect", { from: "page" }, encoding, "seen"]);
equal((await events.next("subscribed")).channel, "mine");
equal(decode((await within(client.rpc("double", encode(21)), "the answer")).data), 42);
equal(asked.at(-1)[1].meta, { plan: "x" });
const error = await client.rpc("other", encode(1)).catch((error) => error);
equal([error.code, error.message], [404, "no such method"]);
const subscription = client.newSubscription("room");
const heard = new Events(subscription, "subscribed", "publication", "unsubscribed");
subscription.subscribe();
equal(decode((await heard.next("subscribed")).data), { to: "room" });
await subscription.publish(encode({ text: "hi" }));
equal(decode((await heard.next("publication")).data), { text: "hi", checked: true });
const closed = client.newSubscription("closed");
const refused = new Events(closed, "unsubscribed");
closed.subscribe();
equal((await refused.next("unsubscribed")).code, 403);
check(asked.every(([, { client: id }]) => id === connected.client), "every question names the client");
console.log(`ok hooks ${encoding}`);
process.exit(0);
