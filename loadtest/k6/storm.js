// Connect storm: all clients come at once, as after an outage; is each let in, and when does it hear the first message?
//
//   k6 run -e VUS=5000 storm.js
//
//   VUS         clients (500)
//   ROOM        clients that share a channel (10)
//   DURATION    that they stay (20s)
//
// Common to all scripts: URL, CHANNEL, TOKEN, SETTLE, BACKOFF, BACKOFF_MAX, SUMMARY, THRESHOLDS (loadtest/README.md).
//
// Thresholds: p(95) of joining (from the first connect until a client hears itself) below 5 s, less than 1 % of the
// upgrades fail, no connection ends; and those of all scripts (lib/metrics.js).
import { Client, ownChannel } from './lib/client.js';
import * as metrics from './lib/metrics.js';
import { duration, settings, whole } from './lib/settings.js';
import { summarize } from './lib/summary.js';

const given = settings({ VUS: whole(500), ROOM: whole(10), DURATION: duration('20s') });
const until = given.DURATION + given.SETTLE;

export const options = metrics.options(given, until, {
  join_ms: ['p(95)<5000'],
  upgrade_failed: ['rate<0.01'],
  closes: ['count==0'],
});

export const handleSummary = summarize('storm', given);

export default function () {
  const channel = ownChannel(Math.ceil(given.VUS / given.ROOM));
  metrics.thereAtEnd.add(new Client(given).stay({ channel, hello: true, until }));
}
