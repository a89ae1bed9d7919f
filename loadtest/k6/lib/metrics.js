// The figures of the clients. All clients of a process share its monotonic clock: a latency is the time between two
// readings of it, by whichever clients.
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { MOST_SETTLES } from './settings.js';

// Milliseconds since the run began.
export const now = () => exec.instance.currentTestRunDuration;

// From before the connect until the 101, and until the client first heard itself.
export const upgradeMs = new Trend('upgrade_ms', true);
export const joinMs = new Trend('join_ms', true);
// From the sender's send to the receiver's handler.
export const deliveryMs = new Trend('delivery_ms', true);
// From the close of a connection that the client had not left, to its next 101.
export const awayMs = new Trend('away_ms', true);

// The share of tries to connect that got no 101, tagged with the HTTP status (0: without an answer).
export const upgradeFailed = new Rate('upgrade_failed');
// The share of clients that were connected at their end.
export const thereAtEnd = new Rate('there_at_end');

export const published = new Counter('published');
// Not written, because the connection was ending: nobody heard it, and the client knows.
export const unsent = new Counter('unsent');
export const delivered = new Counter('delivered');
// Sent and to be heard while the receiver was connected, and not heard.
export const lost = new Counter('lost');
// The last messages of a connection that its client did not close, if others heard the ones before: they were on their
// way when the close came.
export const cutOff = new Counter('cut_off');
// Heard twice, also by way of a reconnect.
export const doubled = new Counter('doubled');
// Heard after a later one of the same connection.
export const disordered = new Counter('disordered');
// Heard in another channel than it was sent to.
export const astray = new Counter('astray');
// Published while the receiver was between two connections: no fault of a relay without history.
export const missedAway = new Counter('missed_away');
// Connections that ended otherwise than by their client, tagged with the close code (1006: without a close frame).
export const closes = new Counter('closes');

// Each gets a line of its own in the summary.
const CODES = [1001, 1006, 1008, 1009, 1011, 1012, 1013, 4000, 4001];

// Thresholds of every journey: all that was to be heard was heard, once and in order; all clients came to the end (a
// client that hangs ends no iteration) and were connected there; and the run was not empty.
const ALWAYS = (clients) => ({
  delivered: ['count>0'],
  lost: ['count==0'],
  doubled: ['count==0'],
  disordered: ['count==0'],
  astray: ['count==0'],
  'closes{code:1013}': ['count==0'], // refused, unknown, or too slow a reader
  there_at_end: ['rate==1'],
  iterations: [`count==${clients}`],
});

// k6's options for clients that live from the beginning to the end of the run, `lasts` milliseconds. THRESHOLDS beats
// the script's thresholds, and those beat the ones that always hold; an empty list takes one away.
export function options(given, lasts, thresholds) {
  // A metric that has no list here and is never counted would be missing in the summary.
  const codes = CODES.map((code) => `closes{code:${code}}`);
  const shown = ['upgrade_failed', 'unsent', 'cut_off', 'missed_away', 'closes', ...codes].map((name) => [name, []]);
  return {
    scenarios: {
      clients: {
        executor: 'per-vu-iterations',
        vus: given.VUS,
        iterations: 1,
        maxDuration: `${Math.ceil((lasts + MOST_SETTLES * given.SETTLE) / 1000) + 30}s`,
        gracefulStop: '5s',
      },
    },
    thresholds: { ...Object.fromEntries(shown), ...ALWAYS(given.VUS), ...thresholds, ...given.THRESHOLDS },
    summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max', 'count'],
  };
}
