// npm's centrifuge on one node that asks and tells a backend, which is in this process, with the programs of docs/hooks.md
// that check signatures: hooks.mjs json|protobuf NODE PORT SECRET

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import WebSocket from "ws";
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";
import { check, equal, Events, until, within } from "./support.mjs";

const [encoding, NODE, PORT, SECRET] = process.argv.slice(2);
const isProtobuf = encoding === "protobuf";
const encode = (value) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(value)) : value);
const decode = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);

const page = readFileSync(new URL("../../docs/hooks.md", import.meta.url), "utf8");
const program = (language) => page.split(`\`\`\`${language}\n`)[1].split("```")[0];
const { verify } = await import(`data:text/javascript,${encodeURIComponent(program("js"))}`);
const python = `import sys\n${program("python")}\nprint(verify(sys.argv[1], sys.argv[2].encode(), sys.argv[3]))`;

const asked = [];
const told = [];
const signed = [];
const answers = {
  "/connect": () => ({
    result: {
      user: "ada",
      data: { hello: 1 },
      channels: ["mine"],
      subs: { terms: { data: { welcome: 1 }, info: { role: "host" }, allow: ["pub"] } },
      caps: [{ channels: ["closed:a*"], allow: ["pub"], match: "wildcard" }],
      meta: { plan: "x" },
    },
  }),
  "/rpc": ({ method, data }) =>
    method === "double" ? { result: { data: data * 2 } } : { error: { code: 404, message: "no such method" } },
  "/subscribe": ({ channel }) =>
    channel === "closed" ? { error: { code: 403, message: "closed" } } : { result: { data: { to: channel } } },
  "/publish": ({ data }) => ({ result: { data: { ...data, checked: true } } }),
};
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  signed.push([request.headers["fanfare-signature"], body]);
  const question = JSON.parse(body);
  if (request.url === "/events") {
    told.push(...question.events);
    response.statusCode = 204;
    return response.end();
  }
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
equal(question.transport, "websocket");
const [mine, terms] = [await events.next("subscribed"), await events.next("subscribed")].sort((a, b) =>
  a.channel.localeCompare(b.channel),
);
equal([mine.channel, terms.channel, decode(terms.data)], ["mine", "terms", { welcome: 1 }]);
await within(client.publish("closed:ab", encode(1)), "a publish that `caps` allow");
const notAllowed = await client.publish("closed:b", encode(1)).catch((error) => error);
equal(notAllowed.code, 103);
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
subscription.unsubscribe();
client.disconnect();
for (const path of ["uni_sse", "uni_http_stream", "uni_websocket"]) {
  const stop = new AbortController();
  if (path === "uni_websocket") {
    const listener = new WebSocket(`${NODE.replace("http", "ws")}/connection/${path}`);
    listener.on("open", () => listener.send("{}"));
    stop.signal.onabort = () => listener.terminate();
  } else {
    await fetch(`${NODE}/connection/${path}`, { method: "POST", body: "{}", signal: stop.signal });
  }
  await until(() => asked.at(-1)[1].transport === path, `a question for ${path}`);
  stop.abort();
}
const ofClient = ({ client: id, event }) => event === "disconnected" && id === connected.client;
for (let waited = 0; !told.some(ofClient) || told.filter(({ channel }) => channel === "room").length < 4; waited += 1) {
  check(waited < 200, `events come: ${JSON.stringify(told)}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const room = told.filter(({ channel }) => channel === "room");
equal(room.map(({ event, user }) => [event, user]), [
  ["channel_occupied", undefined],
  ["member_joined", "ada"],
  ["member_left", "ada"],
  ["channel_vacated", undefined],
]);
const end = told.find(ofClient);
equal([end.user, end.code, end.reason], ["ada", undefined, "client"]);
for (const [header, body] of signed) {
  check(verify(header, body, SECRET) && !verify(header, `${body} `, SECRET), "each request is signed");
}
const checked = spawnSync(process.env.PYTHON, ["-c", python, ...signed.at(-1), SECRET], { encoding: "utf8" });
equal([checked.stdout.trim(), checked.stderr], ["True", ""]);
console.log(`ok hooks ${encoding}`);
process.exit(0);
