// The panels beside the messages: the node that answers, at a glance, and the cluster.
//
// Invariant: what the server says enters the page as text. A figure that it does not tell is not shown: where metrics
// have listeners of their own, the page has none of them.

import { $, bytes, element, millis, plural } from "./dom.js";

// Milliseconds. What is of the time between two looks is known at the second: that comes sooner.
const POLL = { every: 3_000, second: 1_100, timeout: 5_000 };

let poll = { timer: 0, abort: null, readAt: null };
let tellBroker = () => {};

/** Tells at each look what the node says of its broker: a name, and `up`, `away` or `deaf`; `unready`: no node takes
    clients; "": nobody says. */
export function watchBroker(tell) {
  tellBroker = tell;
}

/** A balancer's answer, or a node's that goes away. */
class Unready extends Error {}

/** One GET /api/cluster, timed. Throws with a sentence. */
async function readCluster(signal) {
  const started = performance.now();
  const response = await fetch("/api/cluster", { cache: "no-store", signal });
  if (response.status === 503) throw new Unready("no node takes clients now");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const cluster = await response.json();
  if (!Array.isArray(cluster?.nodes)) throw new Error("the answer is not understood");
  return { cluster, took: performance.now() - started };
}

/** Reads and shows the cluster, and again in a while. Returns why it could not, "" if it could, null if overtaken. */
export async function pollCluster() {
  stopPolling();
  const abort = new AbortController();
  poll.abort = abort;
  const timeout = setTimeout(() => abort.abort(), POLL.timeout);
  let cause = "";
  let state = "";
  let next = POLL.every;
  try {
    const { cluster, took } = await readCluster(abort.signal);
    $("rtt-http").textContent = millis(took);
    showNode(cluster);
    showCluster(cluster);
    if (cluster.figures?.deliveries_per_second === null) next = POLL.second;
  } catch (error) {
    cause = error.name === "AbortError" || error instanceof TypeError ? "the server does not answer" : error.message;
    if (error instanceof Unready) state = "unready";
  }
  clearTimeout(timeout);
  if (poll.abort !== abort) return null;
  if (cause) tellBroker({ name: "the broker", state });
  if (document.hidden) return cause;
  if (cause) showFailure(cause);
  poll.timer = setTimeout(pollCluster, next);
  return cause;
}

/** Asks no more, until pollCluster() is called again. */
export function stopPolling() {
  clearTimeout(poll.timer);
  poll.abort?.abort();
}

function showNode({ node, broker, state, figures }) {
  const name = { memory: "Memory", redis: "Redis" }[broker] ?? String(broker);
  tellBroker({ name, state: String(state ?? "up") });
  $("node").textContent = String(node);
  $("broker").textContent = state ? `${name}, ${state}` : name;
  $("broker").dataset.state = String(state ?? "");
  for (const row of document.querySelectorAll("#glance .figure")) row.hidden = !figures;
  if (!figures) return;
  const { connections, deliveries_per_second: rate, relay_latency_seconds: latency, queued_bytes: queued } = figures;
  const digits = rate !== null && rate < 9.95 ? 1 : 0;
  $("connections").textContent = Number(connections).toLocaleString();
  $("deliveries").textContent =
    rate === null ? "–" : `${Number(rate).toLocaleString(undefined, { maximumFractionDigits: digits })} / s`;
  $("latency").textContent = latency ? `${millis(latency.p50 * 1000)} · ${millis(latency.p99 * 1000)}` : "–";
  $("queued").textContent = bytes(Number(queued));
}

function showCluster({ nodes }) {
  poll.readAt = new Date();
  const connections = nodes.reduce((sum, { connections }) => sum + (Number(connections) || 0), 0);
  $("total").textContent = `${plural(connections, "connection")} on ${plural(nodes.length, "node")}`;
  $("cluster-note").textContent = "";
  for (const id of ["table", "glance"]) $(id).classList.remove("stale");
  $("nodes").replaceChildren(...nodes.map((entry) => {
    const row = element("tr", entry.self ? "self" : "");
    const name = element("th");
    name.scope = "row";
    name.append(element("span", "node", String(entry.name)));
    if (entry.self) name.append(" ", element("span", "badge", "here"));
    const count = element("td", "number", (Number(entry.connections) || 0).toLocaleString());
    row.append(name, element("td", "version", String(entry.version)), count);
    return row;
  }));
}

function showFailure(cause) {
  const since = poll.readAt ? ` This was true at ${poll.readAt.toLocaleTimeString()}.` : "";
  const note = `The cluster cannot be read: ${cause}.${since}`;
  if ($("cluster-note").textContent !== note) $("cluster-note").textContent = note;
  for (const id of ["table", "glance"]) $(id).classList.add("stale");
}
