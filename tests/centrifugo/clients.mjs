// Clients of the SDK that sdk.mjs runs, with their subscriptions and events, by its arguments.

import { randomUUID } from "node:crypto";
import { call, check, equal, Events, token, until } from "./support.mjs";
import * as ways from "./ways.mjs";

export const [way, NODE1, NODE2, REDIS, KEY, SECRET, ...names] = process.argv.slice(2);
export const isProtobuf = ways.isProtobuf(way);
export const overHttp = ways.overHttp(way);
export const encode = (value) => ways.encode(way, value);
export const decode = (data) => ways.decode(way, data);
export const information = (data) => (data === undefined || data === null ? undefined : decode(data));
export const fresh = (namespace) => (namespace ? `${namespace}:` : "") + randomUUID().slice(0, 8);
export const api = (method, body) => call(NODE2, KEY, method, body);
export const signed = (claims) => token(SECRET, claims);
const STATES = ["connecting", "connected", "disconnected", "error"];
export const OF_SUBSCRIPTIONS = ["subscribing", "subscribed", "unsubscribed", "publication", "join", "leave", "error"];

/** A client of a node, and its events. It is not connected yet. What it sends by requests goes to the other node. */
export function client(end, node, options = {}) {
  const made = ways.speak(way, node, node === NODE2 ? NODE1 : NODE2, options);
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
