// How the connection is, and the broker behind it: the head of the page, the banner, and the line under the box.
//
// Invariants: what is said is true of this moment, in one sentence; a connection whose node has lost its broker is never
// shown as well; the line under the box is the broker's while that is away, and else of whoever wrote it last.

import { $ } from "./dom.js";

// What may be wrong behind a node that answers: the head of the page, what it does to messages, and why.
const TROUBLES = {
  away: { head: "Broker away", effect: "No messages come or go", cause: (name) => `the node has lost ${name}` },
  deaf: { head: "Broker silent", effect: "No messages come", cause: (name) => `the node does not hear ${name}` },
  unready: { head: "No node ready", effect: "Messages may not come or go", cause: () => "no node takes clients now" },
};

let connection = { state: "connecting", text: "Connecting…", reason: "" };
let broker = { name: "the broker", state: "" };
let countdown = 0;

const trouble = () => TROUBLES[broker.state];

/** Whether nothing can be sent, as far as is known. */
export const brokerIsAway = () => broker.state === "away";

/** Why a channel cannot be joined now, or "". */
export const brokerRefuses = () =>
  trouble() ? `The channel cannot be joined: ${trouble().cause(broker.name)}.` : "";

/** The sentence of the banner, but for the broker's. */
export const reason = () => connection.reason;

/** `delay`: milliseconds until the next attempt, where there is one. */
export function showState(state, text, reason = "", delay = undefined) {
  connection = { state, text, reason };
  show();
  if (state === "open" || state === "connecting" || delay !== undefined) countDown(delay);
}

/** What is known of the broker: a name, and `up`, one of TROUBLES, or "" for nothing. Returns whether it came back. */
export function showBroker(seen) {
  const before = { trouble: trouble(), away: brokerIsAway() };
  broker = seen;
  show();
  if (brokerIsAway()) showNote(`Nothing can be sent: ${broker.name} is away.`);
  else if (before.away) showNote("");
  return Boolean(before.trouble) && broker.state === "up";
}

/** The line under the box. */
export function showNote(text) {
  if ($("note").textContent !== text) $("note").textContent = text;
}

function show() {
  let { state, text, reason } = connection;
  const found = state === "refused" ? undefined : trouble();
  if (found) {
    text = found.head;
    if (state === "open") reason = `${found.effect}: ${found.cause(broker.name)}.`;
    state = "away";
  }
  $("state").dataset.state = state;
  if ($("state").textContent !== text) $("state").textContent = text;
  if ($("reason").textContent !== reason) $("reason").textContent = reason;
  $("banner").classList.toggle("shown", reason !== "");
  $("retry").hidden = reason === "" || connection.state === "open";
}

/** The seconds stand outside the live region: a screen reader hears the state once, not each second. */
function countDown(delay) {
  clearInterval(countdown);
  $("countdown").textContent = "";
  if (delay === undefined) return;
  const until = performance.now() + delay;
  const tick = () => {
    const seconds = Math.ceil((until - performance.now()) / 1000);
    $("countdown").textContent = seconds > 0 ? `in ${seconds} s` : "";
  };
  countdown = setInterval(tick, 250);
  tick();
}
