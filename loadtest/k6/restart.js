// Reconnect storm: the nodes are restarted one after the other while clients talk; is each client soon back, and does
// it hear all that is said while it is there?
//
//   k6 run -e VUS=2000 -e RATE=200 -e DURATION=3m restart.js        and meanwhile restart the nodes
//
// k6 restarts no node. With a cluster of deploy/local/cluster.sh, `tests/k6.sh restart` does; else whatever does it in
// production: `systemctl restart`, `kubectl rollout restart`.
//
//   VUS         clients (200); all of them talk
//   CHANNELS    in which they are (20)
//   RATE        messages a second, of all of them together (50)
//   RAMP        over which the clients connect (5s)
//   DURATION    of the talk, from then on; longer than the restarts take (60s)
//
// Common to all scripts: URL, CHANNEL, TOKEN, SETTLE, BACKOFF, BACKOFF_MAX, SUMMARY, THRESHOLDS (loadtest/README.md).
//
// Thresholds: a client that was sent away is back within 10 s, nobody is cut off without a word (1006), somebody was
// sent away (else nothing was restarted), no upgrade fails; and those of all scripts (lib/metrics.js), among them that
// no message is refused.
import { Client, ownChannel, turn, waitUntil } from './lib/client.js';
import * as metrics from './lib/metrics.js';
import { duration, number, settings, whole } from './lib/settings.js';
import { summarize } from './lib/summary.js';

const given = settings({
  VUS: whole(200),
  CHANNELS: whole(20),
  RATE: number(50),
  RAMP: duration('5s'),
  DURATION: duration('60s'),
});
const until = given.RAMP + given.DURATION + given.SETTLE;

export const options = metrics.options(given, until, {
  away_ms: ['max<10000'],
  'closes{code:1006}': ['count==0'],
  'closes{code:1012}': ['count>0'],
  cut_off: ['count==0'],
  upgrade_failed: ['rate==0'],
});

export const handleSummary = summarize('restart', given);

export default function () {
  waitUntil(turn(given.RAMP, given.VUS));
  const pace = () => (1000 * given.VUS) / given.RATE;
  const channel = ownChannel(given.CHANNELS);
  metrics.thereAtEnd.add(new Client(given).stay({ channel, pace, loudFrom: given.RAMP, until }));
}
