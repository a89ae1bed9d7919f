// A gateway that is played, so that each close code and each answer comes when it should, and a door before it that can
// lead to a real one.

import { createServer } from "node:http";
import { connect, createServer as createDoor } from "node:net";
import { WebSocketServer } from "ws";

export const REASON = "publishing to this channel is not permitted";
const CODES = [1012, 1013, 4000, 4001, 1008];

/**
 * Starts it. `came` lists the paths of connections and the published bodies; `mood` says what is done with them:
 *
 * "codes"  each path's connections are closed with one of CODES after the other; publishes get 503, then 200
 * "no"     connections get 403 in place of the upgrade, publishes 504
 */
export async function farEnd() {
  const far = { mood: "codes", came: { connections: [], published: [] } };
  const server = createServer((request, response) => answer(request, response, far));
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const { connections } = far.came;
    connections.push(request.url);
    if (far.mood === "no") return refuse(socket);
    sockets.handleUpgrade(request, socket, head, (client) => meet(client, count(connections, request.url)));
  });
  far.port = await listening(server);
  return far;
}

/** A port that leads to the port of the moment: `door.to`. */
export async function openDoor(to) {
  const door = { to };
  const server = createDoor((near) => {
    const far = connect(door.to, "localhost");
    for (const socket of [near, far]) socket.on("error", () => [near, far].forEach((end) => end.destroy()));
    near.pipe(far).pipe(near);
  });
  door.host = `localhost:${await listening(server)}`;
  return door;
}

const listening = (server) =>
  new Promise((resolve) => server.listen(0, "localhost", () => resolve(server.address().port)));

export const count = (list, wanted) => list.filter((entry) => entry === wanted).length;

function meet(client, nth) {
  client.send(`🎺 ${nth}`);
  const code = CODES[nth - 1] ?? 1008;
  client.close(code, code === 1008 ? REASON : "come back");
}

function refuse(socket) {
  const body = `${REASON}\n`;
  socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

async function answer(request, response, { mood, came: { published } }) {
  const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
  published.push({ ...body, mood, key: request.headers["x-api-key"] });
  const nth = published.filter(({ channel }) => channel === body.channel).length;
  const say = (status, result, headers = {}) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(result));
  if (mood === "no") say(504, { error: { code: 100, reason: "outcome_unknown" } });
  else if (nth === 1) say(503, { error: { code: 100, reason: "refused" } }, { "retry-after": "1" });
  else say(200, { result: {} });
}
