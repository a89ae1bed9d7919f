// The built-in page: the messages of a channel. The panels beside them are in cluster.js, the head is in state.js.
//
// Invariants: data from the network enters the page as text, never as markup; the page has at most KEPT messages; a
// message of ours is in `pending` from send() until it comes back or its connection ends.

import { pollCluster, stopPolling, watchBroker } from "./cluster.js";
import { $, element, millis, plural } from "./dom.js";
import { Link, why } from "./link.js";
import { count, forget, isKept, whereToBegin } from "./past.js";
import { KEPT_PATHS, LOBBY } from "./paths.js";
import { stopWatching, watchPresent } from "./present.js";
import { brokerIsAway, brokerRefuses, reason, showBroker, showNote, showState } from "./state.js";

const KEPT = 300; // messages in the page
const SHOWN = 4000; // characters of one message in the page
const PENDING = 100; // own messages awaited: a namespace may not echo at all
const CAUGHT_UP = 5_000; // milliseconds: the past has come long before
const DOUBT = 30_000; // milliseconds: the server answers long before that
// First path segments of channels without this page at their path: the server's, and those that a browser resolves.
const NO_PAGES = new Set([...KEPT_PATHS, ".", ".."]);

// ---- Messages ------------------------------------------------------------------------------------------------------

let incoming = [];
let received = 0;
let drawing = false;
let following = true; // the newest message is kept in view, until the reader scrolls up
let lastTop = 0;

/** Takes one row for the page. Rows are drawn once per frame, and never more than the page keeps. */
function add(row) {
  incoming.push({ at: new Date(), ...row });
  if (incoming.length > KEPT) incoming.shift();
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  const list = $("messages");
  if (incoming.some((row) => row.own)) following = true;
  list.append(...incoming.map(rowElement));
  incoming = [];
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  $("empty").hidden = list.childElementCount > 0;
  const kept = received > KEPT ? `, the last ${KEPT} are kept` : "";
  $("count").textContent = received ? plural(received, "message") + kept : "No messages yet";
  follow();
  $("newest").hidden = following;
}

function follow() {
  const list = $("messages");
  if (following) list.scrollTop = list.scrollHeight;
  lastTop = list.scrollTop;
}

/** Only a move up is the reader's: the position also moves when rows leave the page or the list changes its height. */
function scrolled() {
  const { scrollTop, scrollHeight, clientHeight } = $("messages");
  if (scrollHeight - scrollTop - clientHeight < 48) following = true;
  else if (scrollTop < lastTop) following = false;
  lastTop = scrollTop;
  if (following) $("newest").hidden = true;
}

function rowElement({ event, text, bytes, own, at }) {
  if (event) return element("p", "event", event);
  const row = element("div", own ? "message own" : "message");
  const body = element("div", "body");
  body.dir = "auto";
  if (bytes !== undefined) {
    row.classList.add("binary");
    body.textContent = `${plural(bytes, "byte")} (binary)`;
  } else {
    fillBody(body, text);
  }
  const time = element("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = at.toISOString();
  row.append(body, time);
  return row;
}

/** The unchanged text; a `name: ` at its head only looks different. */
function fillBody(body, text) {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${plural(text.length, "character")})` : text;
  const name = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._'-]{0,31}(?=: )/u.exec(shown)?.[0];
  if (name) {
    body.append(element("b", "", name), element("span", "visually-hidden", ": "), shown.slice(name.length + 2));
  } else {
    body.textContent = shown === "" ? "(empty)" : shown;
  }
}

/** Own messages that have not come back: { message, typed, at }. */
let pending = [];

function messageArrived(data) {
  received += 1;
  count();
  if (typeof data !== "string") return add({ bytes: data.byteLength });
  const index = pending.findIndex(({ message }) => message === data);
  if (index >= 0) {
    const [{ at }] = pending.splice(index, 1);
    $("rtt-message").textContent = millis(performance.now() - at);
  }
  add({ text: data, own: index >= 0 });
}

/** The beginning of the last pending message. */
function lastOfPending() {
  const last = pending.at(-1)?.message ?? "";
  return last.length > 80 ? `${last.slice(0, 80)}…` : last;
}

/** Messages that were sent before `until` and did not come back may be lost: the page says so. */
function givePendingUp(until = performance.now()) {
  const later = pending.filter(({ at }) => at > until);
  pending = pending.filter(({ at }) => at <= until);
  if (pending.length > 0) {
    const messages = plural(pending.length, "message");
    add({ event: `${messages} of yours did not come back and may be lost; the last: “${lastOfPending()}”` });
  }
  pending = later;
}

/** The server does not know the outcome of the last messages. */
function doubtPending() {
  const sentence = `The outcome of your last message is unknown: it may still be delivered. “${lastOfPending()}”`;
  pending = [];
  return sentence;
}

/** The server refused the last messages: their texts go back to the box, ahead of newer text. */
function takePendingBack() {
  const texts = pending.filter(({ at }) => performance.now() - at < DOUBT).map(({ typed }) => typed);
  pending = [];
  if (texts.length === 0) return "Your message was refused and reached nobody.";
  $("text").value = [...texts, $("text").value].filter((text) => text !== "").join("\n");
  if (texts.length === 1) return "Your message was refused and reached nobody. It is back in the box: send it again.";
  return `Your last ${texts.length} messages were refused, or did not come back. They are back in the box.`;
}

// ---- The channel ---------------------------------------------------------------------------------------------------

let channel = "";
let lostAt = 0; // the end of a connection that comes back
let failed = false; // the last attempt did not get through

/** The mistake in a channel name, or "". The server has the last word. */
function problemWith(name) {
  if (/[\s\p{Cc}\p{Cs}]/u.test(name)) return "A channel name cannot have spaces.";
  if (new TextEncoder().encode(name).length > 255) return "A channel name can have 255 bytes at most.";
  if (NO_PAGES.has(name.split("/")[0])) return `“${name}” is kept for the server itself: choose another name.`;
  return "";
}

function channelOfPage() {
  const path = location.pathname.slice(1);
  try {
    return decodeURIComponent(path) || LOBBY;
  } catch {
    return path;
  }
}

function join(name) {
  givePendingUp();
  channel = name;
  lostAt = 0;
  failed = false;
  received = 0;
  incoming = [];
  following = true;
  $("messages").replaceChildren();
  $("empty").hidden = false;
  $("newest").hidden = true;
  $("count").textContent = "No messages yet";
  $("channel").value = name;
  $("current").textContent = name;
  $("text").placeholder = `To everyone in ${name}`;
  $("channel-note").textContent = "";
  document.title = `${name} · Fanfare`;
  showSnippets(name);
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  forget(name);
  const address = `${scheme}//${location.host}/ws/${encodeURIComponent(name)}`;
  link.join(async () => address + (await whereToBegin(lost)));
}

/** Messages are not kept any longer: `number` of them, where that is known. */
function lost(number) {
  const which = number === undefined ? "Some messages of that time" : plural(number, "message") + " of that time";
  add({ event: `${which} cannot be shown: the channel does not keep them any longer.` });
}

function showSnippets(name) {
  const url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/${encodeURIComponent(name)}`;
  $("client").textContent = `ws = new WebSocket("${url}"); ws.onmessage = (event) => console.log(event.data)`;
  const body = JSON.stringify({ channel: name, data: "hello" }).replaceAll("'", "'\\''");
  $("publish").textContent =
    `curl -X POST ${location.origin}/api/publish -H 'content-type: application/json' -d '${body}'`;
}

const link = new Link({
  connecting: () => showState("connecting", "Connecting…", lostAt || failed ? reason() : ""),
  open() {
    failed = false;
    showState("open", "Connected");
    if (!brokerIsAway()) showNote("");
    if (lostAt) {
      const away = plural(Math.ceil((performance.now() - lostAt) / 1000), "second");
      const missed = isKept() ? "Messages from that time follow." : "Messages from that time are not shown.";
      add({ event: `Connected again after ${away}. ${missed}` });
    }
    // With history, the messages that were taken come first.
    const until = lostAt;
    if (until) setTimeout(() => givePendingUp(until), CAUGHT_UP);
    lostAt = 0;
    pollCluster();
    watchPresent(channel);
  },
  message: messageArrived,
  closed(end) {
    if (!end.opened) return handshakeFailed(end);
    lostAt = performance.now();
    const sentence = sentenceOf(end);
    add({ event: sentence });
    if (!isKept()) givePendingUp(); // else those that were taken come back behind the connection
    if (end.delay === undefined) return showState("refused", "Refused", sentence);
    showState("reconnecting", "Reconnecting", sentence, end.delay);
    pollCluster(); // the broker may be the cause
  },
});

/** A client that reads too slowly gets 1013 too. */
function sentenceOf(end) {
  if (end.code === 1013 && /refused/.test(end.reason)) return takePendingBack();
  if (end.code === 1013 && /unknown/.test(end.reason) && pending.length > 0) return doubtPending();
  return why(end);
}

/** A browser hides why a handshake failed; the state of the server explains some failures. */
async function handshakeFailed(end) {
  failed = true;
  if (end.delay === undefined) return showState("refused", "Refused", why(end));
  showState("reconnecting", "Reconnecting", reason(), end.delay);
  const silence = await pollCluster();
  if (silence === null || !failed) return;
  if (brokerRefuses()) showState("reconnecting", "Reconnecting", brokerRefuses());
  else if (silence) showState("reconnecting", "Reconnecting", `No connection: ${silence}.`);
  else showState("refused", "Refused, trying again", "The server answers, but refused this connection. Its log says why.");
}

watchBroker((broker) => {
  if (showBroker(broker)) link.hurry();
});

// ---- The forms -----------------------------------------------------------------------------------------------------

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("channel").value.trim() || LOBBY;
  const problem = problemWith(name);
  $("channel-note").textContent = problem;
  $("channel").setAttribute("aria-invalid", String(problem !== ""));
  if (problem) return $("channel").focus();
  if (name !== channel) history.pushState(null, "", name === LOBBY ? "/" : `/${encodeURIComponent(name)}`);
  if (name !== channel || !link.isOpen) join(name);
  $("text").focus();
});

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").focus();
  if (text.trim() === "") return;
  if (brokerIsAway()) return pollCluster(); // the line under the box says so, and the text stays
  const name = $("name").value.trim();
  const message = name ? `${name}: ${text}` : text;
  if (!link.send(message)) return showNote("Not sent: this page is not connected. Your text stays here.");
  pending.push({ message, typed: text, at: performance.now() });
  if (pending.length > PENDING) pending.shift();
  $("text").value = "";
  showNote("");
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("compose").requestSubmit();
});

/** Storage may be forbidden; then the page forgets the name. */
function stored(action) {
  try {
    return action(localStorage);
  } catch {
    return null;
  }
}

function friendlyName() {
  const pick = (words) => words.split(" ")[Math.floor(Math.random() * words.split(" ").length)];
  return `${pick("Amber Brisk Calm Clever Eager Gentle Jolly Keen Lucky Merry Quiet Sunny Swift Witty")} ` +
    pick("Badger Crane Dolphin Finch Fox Heron Lynx Magpie Marten Otter Owl Puffin Robin Wren");
}

$("name").value = stored((storage) => storage.getItem("fanfare.name")) ?? friendlyName();
const rememberName = () => stored((storage) => storage.setItem("fanfare.name", $("name").value));
$("name").addEventListener("change", rememberName);
$("name").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  $("text").focus();
});
rememberName();

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = $(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      $("copied").textContent = "Copied.";
    } catch {
      // Without TLS or permission the page has no clipboard: the reader copies the selection.
      getSelection().selectAllChildren(source);
      $("copied").textContent = "Selected: copy it with Ctrl + C.";
    }
    setTimeout(() => ($("copied").textContent = ""), 4000);
  });
}

$("messages").addEventListener("scroll", scrolled);
new ResizeObserver(follow).observe($("messages"));
// The chat fills the window below the head and the banner.
new ResizeObserver(() => {
  const { offsetTop } = document.querySelector("main");
  document.documentElement.style.setProperty("--above", `${offsetTop}px`);
}).observe($("above"));
$("newest").addEventListener("click", () => {
  following = true;
  follow();
  $("newest").hidden = true;
  $("text").focus();
});
$("retry").addEventListener("click", () => {
  $("text").focus();
  link.retry();
});
addEventListener("popstate", () => join(channelOfPage()));
addEventListener("online", () => link.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stopPolling();
    stopWatching();
  } else {
    link.hurry();
    pollCluster();
    watchPresent(channel);
  }
});

join(channelOfPage());
