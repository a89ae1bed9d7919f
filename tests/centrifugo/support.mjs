// The ground that sdk.mjs stands on: tokens, calls of the API, a proxy that cuts, events that are waited for, and scenarios.

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { isDeepStrictEqual } from "node:util";

const PATIENCE = 40_000; // milliseconds until something awaited counts as missing

export function check(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

export function equal(found, expected) {
  check(isDeepStrictEqual(found, expected), `${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
}

export function within(promise, sentence) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not come: ${sentence}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits until `condition` holds. */
export async function until(condition, sentence) {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    check(Date.now() < end, `did not come: ${sentence}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const now = () => Math.floor(Date.now() / 1000);

/** A JWT (HS256). */
export function token(secret, claims) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Calls a method of the API. */
export async function call(node, key, method, body) {
  const answer = await fetch(`${node}/api/${method}`, {
    method: "POST",
    headers: { "X-API-Key": key },
    body: JSON.stringify(body),
  });
  check(answer.ok, `${method}: ${answer.status} ${await answer.clone().text()}`);
  return (await answer.json()).result;
}

/** The events of a client or of a subscription, from now on. */
export class Events {
  #seen = [];
  #waiting = new Set();

  constructor(emitter, ...names) {
    for (const name of names) {
      emitter.on(name, (context) => {
        this.#seen.push([name, context]);
        for (const look of [...this.#waiting]) look();
      });
    }
  }

  /** All contexts of this event so far. */
  all(name) {
    return this.#seen.filter(([seen]) => seen === name).map(([, context]) => context);
  }

  /** The next event of this name that `fits`; each is handed out once. */
  next(name, fits = () => true) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const event = this.#seen.find((one) => one[0] === name && !one.taken && fits(one[1]));
        if (!event) return;
        event.taken = true;
        this.#waiting.delete(look);
        resolve(event[1]);
      };
      this.#waiting.add(look);
      look();
    });
    const told = () => this.#seen.map(([seen, context]) => `${seen} ${JSON.stringify(context)}`).join("; ");
    return within(found, name)
      .catch((error) => {
        throw new Error(`${error.message} (seen: ${told()})`);
      })
      .finally(() => this.#waiting.delete(look));
  }
}

/** A TCP proxy before a node: `cut` ends its connections and takes no others before `mend`. */
export class Proxy {
  #sockets = new Set();
  #isCut = false;

  static async to(node) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(node);
    proxy.server = createServer((near) => {
      if (proxy.#isCut) return near.destroy();
      const far = connect(port, hostname);
      for (const [socket, other] of [[near, far], [far, near]]) {
        proxy.#sockets.add(socket);
        socket.pipe(other);
        socket.on("error", () => {});
        socket.on("close", () => {
          proxy.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

/** Runs a command in Redis, around the nodes. */
export async function inRedis(url, ...words) {
  const { hostname, port } = new URL(url);
  const socket = connect(port, hostname);
  const parts = words.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  socket.end(`*${words.length}\r\n${parts.join("")}`);
  await within(once(socket, "data"), "Redis' answer");
  socket.destroy();
}

/** The first of these that comes; the others may fail later, unheard. */
export function first(...promises) {
  for (const promise of promises) promise.catch(() => {});
  return Promise.race(promises);
}

/** Runs scenarios, and says `ok NAME` for each that holds. Exits with 1 if one fails. */
export async function run(scenarios, names) {
  let failed = 0;
  for (const name of names) {
    const leaving = [];
    try {
      check(scenarios[name], "this scenario does not exist");
      await first(scenarios[name]((end) => leaving.push(end)), late(name));
      console.log(`ok ${name}`);
    } catch (error) {
      failed = 1;
      console.error(`FAILED ${name}\n${error.stack ?? JSON.stringify(error)}`);
    }
    for (const end of leaving) end();
  }
  process.exit(failed);
}

const late = (name) =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(`${name} takes too long`)), 3 * PATIENCE).unref());
