// Soak: do connections last for hours, and is a message at the end as quick as at the beginning?
//
//   k6 run -e VUS=1000 -e DURATION=8h soak.js
//
//   VUS         clients (200)
//   CHANNELS    in which they are (20)
//   TALK        between two messages of a client (30s)
//   RAMP        over which the clients connect (10s)
//   DURATION    from then on (1h)
//
// It does not see what the nodes need meanwhile: look at their memory in `fanfare top` or Prometheus. k6 itself keeps 8
// bytes for each delivery.
//
// Common to all scripts: URL, CHANNEL, TOKEN, SETTLE, BACKOFF, BACKOFF_MAX, SUMMARY, THRESHOLDS (loadtest/README.md).
//
// Thresholds: p(95) of delivery below 250 ms in the first and in the last quarter, no upgrade fails, no connection
// ends; and those of all scripts (lib/metrics.js).
import { Client, ownChannel, turn, waitUntil } from './lib/client.js';
import * as metrics from './lib/metrics.js';
import { duration, settings, whole } from './lib/settings.js';
import { summarize } from './lib/summary.js';

const given = settings({
  VUS: whole(200),
  CHANNELS: whole(20),
  TALK: duration('30s'),
  RAMP: duration('10s'),
  DURATION: duration('1h'),
});
const until = given.RAMP + given.DURATION + given.SETTLE;

export const options = metrics.options(given, until, {
  'delivery_ms{quarter:1}': ['p(95)<250'],
  'delivery_ms{quarter:4}': ['p(95)<250'],
  upgrade_failed: ['rate==0'],
  closes: ['count==0'],
});

export const handleSummary = summarize('soak', given);

const quarter = () => ({ quarter: String(Math.min(4, 1 + Math.floor((4 * metrics.now()) / until))) });

export default function () {
  waitUntil(turn(given.RAMP, given.VUS));
  const channel = ownChannel(given.CHANNELS);
  metrics.thereAtEnd.add(new Client(given).stay({ channel, pace: () => given.TALK, tags: quarter, until }));
}
