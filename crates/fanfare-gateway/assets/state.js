// The state of the connection, and of the broker behind it: the head of the page, the banner, the line under the box.
//
// Invariants: the page describes this moment, in one sentence; a connection whose node has lost its broker never looks
// connected; the line under the box is the broker's while the broker is away, otherwise its last writer's.

import { $ } from "./dom.js";

// Troubles behind a node that answers: the head of the page, the effect on messages, the cause.
const TROUBLES = {
  away: { head: "Broker away", effect: "No messages come or go", cause: (name) => `the node has lost ${name}` },
  deaf: { head: "Broker silent", effect: "No messages come", cause: (name) => `the node does not hear ${name}` },
  unready: { head: "No node ready", effect: "Messages may not come or go", cause: () => "no node takes clients now" },
};

let connection = { state: "connecting", text: "Connecting…", reason: "" };
let broker = { name: "the broker", state: "" };
let countdown = 0;

const trouble = () => TROUBLES[broker.state];

/** Whether the broker is known to be away, so that nothing can be sent. */
export const brokerIsAway = () => broker.state === "away";

/** Why a channel cannot be joined now, or "". */
export const brokerRefuses = () =>
  trouble() ? `The channel cannot be joined: ${trouble().cause(broker.name)}.` : "";

/** The sentence of the banner, without the broker's. */
export const reason = () => connection.reason;

/** `delay`: milliseconds until the next attempt, where there is one. */
export function showState(state, text, reason = "", delay = undefined) {
  connection = { state, text, reason };
  show();
  if (state === "open" || state === "connecting" || delay !== undefined) countDown(delay);
}

/** The broker as far as known: a name, and `up`, one of TROUBLES, or "". Returns whether the broker came back. */
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

/** The seconds are outside the live region: a screen reader reads the state once, not each second. */
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
