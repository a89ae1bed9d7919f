// Rooms: do people who talk in rooms, and move from one to the next, hear all of their room and nothing of the others,
// and how long until they are in?
//
//   k6 run -e VUS=500 -e CHANNELS=50 rooms.js
//
//   VUS         clients (100)
//   CHANNELS    rooms (10)
//   TALK        between two messages of a client, on average (5s)
//   STAY        in one room before it goes to another, on average (20s); more than twice SETTLE
//   RAMP        over which the clients connect (5s)
//   DURATION    of it all, from then on (60s)
//
// Common to all scripts: URL, CHANNEL, TOKEN, SETTLE, BACKOFF, BACKOFF_MAX, SUMMARY, THRESHOLDS (loadtest/README.md).
//
// Thresholds: p(95) of delivery below 250 ms and of joining (from the connect until a client hears itself) below
// 1 s, no upgrade fails, no connection ends but by its client; and those of all scripts (lib/metrics.js).
import { Client, turn, waitUntil } from './lib/client.js';
import * as metrics from './lib/metrics.js';
import { duration, settings, whole } from './lib/settings.js';
import { summarize } from './lib/summary.js';

const given = settings({
  VUS: whole(100),
  CHANNELS: whole(10),
  TALK: duration('5s'),
  STAY: duration('20s'),
  RAMP: duration('5s'),
  DURATION: duration('60s'),
});
// Nobody talks in the last SETTLE of a stay, and half of STAY is the shortest.
if (given.STAY <= 2 * given.SETTLE) throw new Error('STAY: want more than twice SETTLE');
const until = given.RAMP + given.DURATION;

export const options = metrics.options(given, until, {
  delivery_ms: ['p(95)<250'],
  join_ms: ['p(95)<1000'],
  upgrade_failed: ['rate==0'],
  closes: ['count==0'],
});

export const handleSummary = summarize('rooms', given);

// From half of the average to one and a half of it.
const about = (average) => average * (0.5 + Math.random());

export default function () {
  waitUntil(turn(given.RAMP, given.VUS));
  const client = new Client(given);
  let there = true;
  while (there && metrics.now() < until) {
    const leave = metrics.now() + about(given.STAY);
    // Where less is left for another room than anybody stays, this is the last.
    const last = leave + 0.5 * given.STAY > until;
    const channel = 1 + Math.floor(Math.random() * given.CHANNELS);
    there = client.stay({ channel, hello: true, pace: () => about(given.TALK), until: last ? until : leave });
  }
  metrics.thereAtEnd.add(there);
}
