// Steady fan-out: does everyone in one channel hear all that a few say, once and in order, and how late?
//
//   k6 run -e VUS=500 -e RATE=20 fanout.js
//
//   VUS         clients, all in one channel (50)
//   PUBLISHERS  the clients that send (1)
//   RATE        messages a second, of all of them together (10)
//   SIZE        bytes of a message; its own fields need about 150 (256)
//   RAMP        over which the clients connect (5s)
//   DURATION    of the sending, once all are there (30s)
//
// Common to all scripts: URL, CHANNEL, TOKEN, SETTLE, BACKOFF, BACKOFF_MAX, SUMMARY, THRESHOLDS (loadtest/README.md).
//
// Thresholds: p(95) of delivery below 250 ms, no upgrade fails, no connection ends; and those of all scripts
// (lib/metrics.js).
import exec from 'k6/execution';
import { Client, turn, waitUntil } from './lib/client.js';
import * as metrics from './lib/metrics.js';
import { duration, number, settings, whole } from './lib/settings.js';
import { summarize } from './lib/summary.js';

const given = settings({
  VUS: whole(50),
  PUBLISHERS: whole(1),
  RATE: number(10),
  SIZE: whole(256),
  RAMP: duration('5s'),
  DURATION: duration('30s'),
});
const until = given.RAMP + given.DURATION + given.SETTLE;

export const options = metrics.options(given, until, {
  delivery_ms: ['p(95)<250'],
  upgrade_failed: ['rate==0'],
  closes: ['count==0'],
});

export const handleSummary = summarize('fanout', given);

export default function () {
  waitUntil(turn(given.RAMP, given.VUS));
  const speaks = exec.vu.idInTest <= given.PUBLISHERS;
  const pace = speaks ? () => (1000 * given.PUBLISHERS) / given.RATE : undefined;
  const there = new Client(given).stay({ channel: 1, size: given.SIZE, pace, loudFrom: given.RAMP, until });
  metrics.thereAtEnd.add(there);
}
