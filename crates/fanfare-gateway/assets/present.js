// The clients in the channel, where its namespace lists them.

import { $, element, plural } from "./dom.js";
import { mayRead, read } from "./past.js";

const EVERY = 5_000; // milliseconds
const NAMED = 20; // users in the list

let timer = 0;

/** Reads and shows the clients in a channel, again and again. */
export async function watchPresent(channel) {
  stopWatching();
  $("present").hidden = !mayRead().presence;
  if (!mayRead().presence) return;
  const mine = setTimeout(() => watchPresent(channel), EVERY);
  timer = mine;
  const answer = await read(`/api/presence?channel=${encodeURIComponent(channel)}`);
  if (timer === mine) show(answer?.result?.presence);
}

/** Stops reading, until watchPresent() is called again. */
export function stopWatching() {
  clearTimeout(timer);
  timer = 0;
}

function show(presence) {
  if (!presence) {
    $("present-count").textContent = "It cannot be read at this moment.";
    return;
  }
  const clients = Object.values(presence);
  const users = new Map();
  for (const { user } of clients) users.set(user, (users.get(user) ?? 0) + 1);
  $("present-count").textContent = plural(clients.length, "connection");
  const names = [...users].filter(([user]) => user !== "").map(([user, count]) => (count > 1 ? `${user} (${count})` : user));
  const guests = users.get("") ?? 0;
  const shown = names.sort().slice(0, NAMED);
  if (names.length > NAMED) shown.push(`${plural(names.length - NAMED, "user")} more`);
  if (guests > 0) shown.push(`${plural(guests, "guest")} without a token`);
  $("present-list").replaceChildren(...shown.map((name) => element("li", "", name)));
}
