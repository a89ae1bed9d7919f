// Checks the built-in page in a channel with history and presence: the messages of before, those that were missed, and who
// is there. The cluster has the namespace `kept` for it.
//
//   BASE_URL=http://localhost:8080 node past.mjs

import { BASE_URL, check, checkQuiet, openChannel, openPage, run, say, sees, shoot, tells } from "./browser.mjs";

const CHANNEL = `kept:${Date.now()}`;

/** A call of the API, of which the cluster asks no key. */
async function call(method, body) {
  const response = await fetch(new URL(`/api/${method}`, BASE_URL), { method: "POST", body: JSON.stringify(body) });
  const answer = await response.json();
  check(response.ok, `POST /api/${method} answered ${response.status}: ${answer.error?.message}`);
  return answer.result;
}

await run(async (browser) => {
  for (let number = 1; number <= 25; number += 1) await call("publish", { channel: CHANNEL, data: `old ${number}` });
  const ada = await openPage(browser);
  await openChannel(ada.page, CHANNEL);
  await sees(ada.page, "Ada", "old 25");
  await sees(ada.page, "Ada", "old 6");
  check((await ada.page.getByText("old 5", { exact: true }).count()) === 0, "The page shows more than the last 20 messages.");
  await ada.page.locator("#present-count", { hasText: "1 connection" }).waitFor();

  const { connections } = await call("connections", { channel: CHANNEL });
  check(connections.length === 1, `There are ${connections.length} connections, not 1.`);
  await call("disconnect", { client: connections[0].client, code: 3001, reason: "cut" });
  await call("publish", { channel: CHANNEL, data: "missed" });
  await tells(ada.page, /Messages from that time follow/);
  await sees(ada.page, "Ada", "missed");
  await say(ada.page, "Ada", "live");
  await sees(ada.page, "Ada", "Ada: live");
  const shown = await ada.page.$$eval("#messages .message .body", (all) => all.map((body) => body.textContent));
  const expected = [...Array(20).keys()].map((number) => `old ${number + 6}`).concat("missed", "Ada: live");
  check(shown.join("|") === expected.join("|"), `The page shows ${shown.join(", ")}.`);
  await shoot(ada.page, "past");
  checkQuiet(ada.faults, "Ada");
});
