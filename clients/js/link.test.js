// The promises of link.d.ts, against a far end that is played here, with a clock that stands until it is told to go.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, mock, test } from "node:test";
import { Link, why } from "./link.js";

let sockets;
let told;
let clock;
let chance;

class FarEnd {
  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    if (url === "malformed") throw new SyntaxError("the URL 'malformed' is invalid");
    Object.assign(this, { url, protocols });
    sockets.push(this);
  }

  send(data) {
    this.sent.push(data);
  }

  close(code) {
    this.left = code;
  }

  accept() {
    this.readyState = 1;
    this.onopen();
  }

  end(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

beforeEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  [sockets, told, clock, chance] = [[], [], 1, 0.999];
  mock.method(performance, "now", () => clock);
  mock.method(Math, "random", () => chance);
});

const pass = (milliseconds) => {
  clock += milliseconds;
  mock.timers.tick(milliseconds);
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

function link(options) {
  const tell = (name) => (what) => told.push([name, what]);
  const names = ["connecting", "open", "message", "closed", "unsent"];
  return new Link(Object.fromEntries(names.map((name) => [name, tell(name)])), { WebSocket: FarEnd, ...options });
}

const ends = () => told.filter(([name]) => name === "closed").map(([, end]) => end);

test("each event is told in its order", () => {
  link().join("ws://far/chat");
  sockets[0].accept();
  sockets[0].onmessage({ data: "hello" });
  sockets[0].end(1012, "the node restarts");
  assert.deepEqual(told.map(([name]) => name), ["connecting", "open", "message", "closed"]);
  const [{ code, reason, opened }] = ends();
  assert.deepEqual({ code, reason, opened }, { code: 1012, reason: "the node restarts", opened: true });
  assert.equal(sockets[0].binaryType, "arraybuffer");
});

test("the wait doubles up to ten seconds", () => {
  chance = 0.5;
  link().join("ws://far/chat");
  for (let attempt = 0; attempt < 7; attempt += 1) {
    sockets.at(-1).end(1006);
    pass(ends().at(-1).delay);
  }
  assert.deepEqual(ends().map(({ delay }) => delay), [250, 500, 1000, 2000, 4000, 5000, 5000]);
  assert.equal(sockets.length, 8);
});

test("a server that accepts and drops is not hammered", () => {
  link().join("ws://far/chat");
  for (const code of [1013, 1012, 4000]) {
    sockets.at(-1).accept();
    sockets.at(-1).end(code);
    pass(ends().at(-1).delay);
  }
  assert.deepEqual(ends().map(({ delay }) => Math.round(delay)), [500, 999, 1998]);
});

test("a stable connection starts the waits over", () => {
  link().join("ws://far/chat");
  for (let attempt = 0; attempt < 5; attempt += 1) {
    sockets.at(-1).end(1006);
    pass(ends().at(-1).delay);
  }
  sockets.at(-1).accept();
  pass(5000);
  sockets.at(-1).end(1012);
  assert.ok(ends().at(-1).delay < 1000);
});

test("a refused link waits until it is asked", () => {
  for (const code of [1008, 4001, 4400, 4403]) {
    const asked = link();
    asked.join("ws://far/chat");
    const count = sockets.length;
    sockets.at(-1).accept();
    sockets.at(-1).end(code, "no");
    pass(60_000);
    assert.equal(ends().at(-1).delay, undefined, `${code}`);
    assert.equal(sockets.length, count, `${code}`);
    asked.hurry();
    assert.equal(sockets.length, count, `${code}`);
    asked.retry();
    assert.equal(sockets.length, count + 1, `${code}`);
    asked.close();
  }
});

test("an expired token is renewed where it can be", async () => {
  let tokens = 0;
  link({ protocols: async () => ["fanfare", `token.${(tokens += 1)}`] }).join("ws://far/chat");
  await settled();
  sockets[0].accept();
  sockets[0].end(4001, "your token expired");
  pass(ends()[0].delay);
  await settled();
  assert.deepEqual(sockets.map(({ protocols }) => protocols[1]), ["token.1", "token.2"]);
});

test("a token that cannot be had is tried again", async () => {
  let down = true;
  link().join(async () => {
    if (down) throw new Error("the backend answered 500");
    return "ws://far/chat?token=1";
  });
  await settled();
  assert.match(ends()[0].reason, /the backend answered 500/);
  down = false;
  pass(ends()[0].delay);
  await settled();
  assert.equal(sockets[0].url, "ws://far/chat?token=1");
});

test("a malformed URL is told and not tried again", () => {
  link().join("malformed");
  pass(60_000);
  assert.match(ends()[0].reason, /is invalid/);
  assert.equal(ends()[0].delay, undefined);
  assert.equal(ends().length, 1);
});

test("without a queue a message is refused while away", () => {
  const away = link();
  assert.equal(away.send("before"), false);
  away.join("ws://far/chat");
  assert.equal(away.send("early"), false);
  sockets[0].accept();
  assert.equal(away.send("now"), true);
  sockets[0].end(1012);
  assert.equal(away.send("late"), false);
  pass(ends()[0].delay);
  sockets[1].accept();
  assert.deepEqual(sockets.map(({ sent }) => sent), [["now"], []]);
});

test("a queue keeps its order and its bound", () => {
  const away = link({ queue: 2 });
  away.join("ws://far/chat");
  assert.deepEqual(["1", "2", "3"].map((text) => away.send(text)), [true, true, false]);
  sockets[0].accept();
  away.send("4");
  assert.deepEqual(sockets[0].sent, ["1", "2", "4"]);
});

test("queued messages that will not go are handed back", () => {
  const away = link({ queue: 9 });
  for (const leave of [() => away.join("ws://far/b"), () => sockets.at(-1).end(1008), () => away.close()]) {
    away.join("ws://far/a");
    away.send("kept");
    told = [];
    leave();
    assert.deepEqual(told.filter(([name]) => name === "unsent"), [["unsent", ["kept"]]]);
  }
  assert.ok(sockets.every(({ sent }) => sent.length === 0));
});

test("only the current connection is heard", () => {
  const moving = link();
  moving.join("ws://far/a");
  sockets[0].accept();
  moving.join("ws://far/b");
  assert.equal(sockets[0].left, 1000);
  told = [];
  sockets[0].onmessage({ data: "from a" });
  sockets[0].end(1000);
  assert.deepEqual(told, []);
  assert.equal(sockets.length, 2);
});

test("after close nothing comes back", () => {
  const closing = link();
  closing.join("ws://far/chat");
  sockets[0].end(1006);
  closing.close();
  pass(60_000);
  closing.retry();
  assert.equal(closing.send("late"), false);
  assert.equal(sockets.length, 1);
});

test("hurry ends a wait and disturbs no connection", () => {
  const hurried = link();
  hurried.join("ws://far/chat");
  hurried.hurry();
  assert.equal(sockets.length, 1);
  sockets[0].end(1006);
  hurried.hurry();
  assert.equal(sockets.length, 2);
  pass(60_000);
  assert.equal(sockets.length, 2);
});

test("a handshake that hangs is left", () => {
  link().join("ws://far/chat");
  pass(15_000);
  assert.equal("left" in sockets[0], true);
});

test("a runtime without a WebSocket is told what to do", () => {
  assert.throws(() => new Link({}, { WebSocket: null }), /pass one/);
});

test("a close reads as a sentence", () => {
  assert.equal(why({ code: 1013, reason: "refused" }), "The server closed the connection: refused (1013)");
  assert.match(why({ code: 4403, reason: "no" }), /refused the connection: no/);
  assert.equal(why({ code: 4000, reason: "" }), "No message came or went for too long.");
  assert.equal(why({ code: 3999, reason: "" }), "The connection was closed with code 3999.");
});

test("the package is of the release, under its licence", () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
  const [, version] = /^version = "(.*)"$/m.exec(read("../../Cargo.toml"));
  assert.equal(JSON.parse(read("package.json")).version, version);
  assert.equal(read("LICENSE"), read("../../LICENSE"));
});
