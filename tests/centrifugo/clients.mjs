// Clients of the SDK that sdk.mjs runs, with their subscriptions and events, by its arguments.

import { randomUUID } from "node:crypto";
import WebSocket from "ws";
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";
import { call, check, equal, Events, token, until } from "./support.mjs";

export const [encoding, NODE1, NODE2, REDIS, KEY, SECRET, ...names] = process.argv.slice(2);
export const isProtobuf = encoding === "protobuf";
const Centrifuge = isProtobuf ? Protobuf : Json;
export const encode = (value) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(value)) : value);
export const decode = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
export const information = (data) => (data === undefined || data === null ? undefined : decode(data));
export const fresh = (namespace) => (namespace ? `${namespace}:` : "") + randomUUID().slice(0, 8);
export const api = (method, body) => call(NODE2, KEY, method, body);
export const signed = (claims) => token(SECRET, claims);
const STATES = ["connecting", "connected", "disconnected", "error"];
export const OF_SUBSCRIPTIONS = ["subscribing", "subscribed", "unsubscribed", "publication", "join", "leave", "error"];

/** A client of a node, and its events. It is not connected yet. */
export function client(end, node, options = {}) {
  const url = `${node.replace("http", "ws")}/connection/websocket`;
  const made = new Centrifuge(url, { websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 500, ...options });
  end(() => made.disconnect());
  return { client: made, events: new Events(made, ...STATES, ...OF_SUBSCRIPTIONS.filter((name) => name !== "error")) };
}

/** A connected client, and its id. */
export async function connected(end, node, options) {
  const made = client(end, node, options);
  made.client.connect();
  made.id = (await made.events.next("connected")).client;
  return made;
}

/** A subscription of a client, its events, and what the server said of it. */
export async function subscribed({ client: of }, channel, options) {
  const subscription = of.newSubscription(channel, options);
  const events = new Events(subscription, ...OF_SUBSCRIPTIONS);
  subscription.subscribe();
  const context = await events.next("subscribed");
  return { subscription, events, context };
}

export const published = async ({ events }) => {
  const publication = await events.next("publication");
  return { ...publication, value: decode(publication.data) };
};

/** The clients in a channel, once they fit. The list follows an answer of the node after a moment. */
export async function present(subscription, fits) {
  let found;
  await until(async () => fits((found = (await subscription.presence()).clients)), "the clients in a channel");
  return found;
}

export const values = ({ events }) => events.all("publication").map(({ data }) => decode(data));

export async function fails(promise, code) {
  const error = await promise.then(
    () => check(false, `it did not fail with ${code}`),
    (error) => error,
  );
  equal(error.code ?? error, code);
}
