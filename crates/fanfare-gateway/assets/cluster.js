// The panels beside the messages: the node that answers, and the cluster.
//
// Invariant: the server's answer enters the page as text. The page hides figures that the server does not give: metrics
// with a listener of their own are not on the page's listener.

import { $, bytes, element, millis, plural } from "./dom.js";

// Milliseconds. Rates need two reads, so the second read comes sooner.
const POLL = { every: 3_000, second: 1_100, timeout: 5_000 };

// The most partitions whose names are shown.
const SHOWN = 3;

let poll = { timer: 0, abort: null, readAt: null };
let tellBroker = () => {};

/** Calls `tell` at each read with the node's broker: a name, and `up`, `away` or `deaf`; `unready`: no node takes
    clients; "": unknown. */
export function watchBroker(tell) {
  tellBroker = tell;
}

/** The 503 of a balancer, or of a node that ends. */
class Unready extends Error {}

/** One GET /api/cluster, timed. Throws with a sentence. */
async function readCluster(signal) {
  const started = performance.now();
  const response = await fetch("/api/cluster", { cache: "no-store", signal });
  if (response.status === 503) throw new Unready("no node takes clients now");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const cluster = await response.json();
  if (!Array.isArray(cluster?.nodes)) throw new Error("the page does not understand the answer");
  return { cluster, took: performance.now() - started };
}

/** Reads and shows the cluster, again and again. Returns the cause of a failure, "" for success, null if overtaken. */
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

/** Stops reading, until pollCluster() is called again. */
export function stopPolling() {
  clearTimeout(poll.timer);
  poll.abort?.abort();
}

/** The partitions that are not up, few of them by name, and their servers where names do not say them. */
function troubles(partitions) {
  const troubled = partitions.filter((each) => each.state !== "up");
  const names = troubled.map((each) => String(each.name));
  const hidden = troubled.filter((each) => each.server && each.server !== each.name);
  const servers = [...new Set(hidden.map((each) => String(each.server)))];
  const which = names.length > SHOWN ? `${names.length} of ${partitions.length}` : names.join(", ");
  return servers.length ? `${which} on ${servers.join(", ")}` : which;
}

function showNode({ node, broker, state, server, partitions, channel, figures }) {
  const name = { memory: "Memory", redis: "Redis" }[broker] ?? String(broker);
  // Only the server of the channel matters to the channel.
  tellBroker({ name, state: String(channel?.state ?? state ?? "up") });
  $("node").textContent = String(node);
  const which = troubles(partitions ?? []) || (state === "up" ? "" : String(server ?? ""));
  $("broker").textContent = state ? `${name}, ${state}${which && ` (${which})`}` : name;
  $("broker").dataset.state = String(state ?? "");
  for (const row of document.querySelectorAll("#snapshot .figure")) row.hidden = !figures;
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
  for (const id of ["table", "snapshot"]) $(id).classList.remove("stale");
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
  const since = poll.readAt ? ` These figures are of ${poll.readAt.toLocaleTimeString()}.` : "";
  const note = `The cluster cannot be read: ${cause}.${since}`;
  if ($("cluster-note").textContent !== note) $("cluster-note").textContent = note;
  for (const id of ["table", "snapshot"]) $(id).classList.add("stale");
}
