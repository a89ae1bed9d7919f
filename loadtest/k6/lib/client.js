// A client as an app has one: it joins a channel, sends, hears all that is sent there, and comes back with back-off
// and jitter whenever its connection ends.
import exec from 'k6/execution';
import { sleep } from 'k6';
import ws from 'k6/ws';
import { Ledger } from './ledger.js';
import * as count from './metrics.js';
import { MOST_SETTLES } from './settings.js';

const { now } = count;

// RFC 6455 §7.4.1: the purpose is fulfilled.
const DONE = 1000;

// In milliseconds, whether its last message has come back to a client that is about to leave.
const LOOK_AGAIN = 100;

// Tells this process' messages from those of other runs in the same channels.
const run = () => exec.scenario.startTime;

// A moment of the run for each client, evenly spread over `span` milliseconds.
export const turn = (span, clients) => (span * (exec.vu.idInTest - 1)) / clients;

// The number of one of `channels` channels, always the same for this client.
export const ownChannel = (channels) => 1 + (exec.vu.idInTest % channels);

export const waitUntil = (moment) => sleep(Math.max(0, moment - now()) / 1000);

export class Client {
  #settings;
  #connections = 0;

  constructor(settings) {
    this.#settings = settings;
  }

  // Is in the channel of that number from now until `until`, and gives whether it was connected at that moment.
  // What it sends, each message `size` bytes (or what its own fields need), until SETTLE before it leaves:
  // - with `hello` one when it comes in, whose way back to it is the time it took to join;
  // - with `pace`, from `loudFrom` on, one whenever the milliseconds are over that `pace` gives;
  // - with either a last one in the first half of SETTLE, so that a loss just before shows as a gap.
  // `tags` gives the tags of a delivery. Moments are those of `now`.
  stay(wanted) {
    const { CHANNEL, SETTLE } = this.#settings;
    const stay = {
      loudFrom: 0,
      size: 0,
      tags: () => ({}),
      ...wanted,
      channel: `${CHANNEL}-${wanted.channel}`,
      quietFrom: wanted.until - SETTLE,
      latest: wanted.until + MOST_SETTLES * SETTLE,
      ledger: new Ledger(),
    };
    let tries = 0;
    for (;;) {
      const visit = this.#visit(stay);
      if (visit.there) return true;
      tries = visit.opened ? 0 : tries + 1;
      const pause = Math.max(visit.retryAfter, this.#backoff(tries));
      if (now() + pause >= stay.until) {
        waitUntil(stay.until);
        return false;
      }
      sleep(pause / 1000);
    }
  }

  // Full jitter: those who were sent away together do not come back together.
  #backoff(tries) {
    const { BACKOFF, BACKOFF_MAX } = this.#settings;
    return Math.random() * Math.min(BACKOFF_MAX, BACKOFF * 2 ** tries);
  }

  #visit(stay) {
    const { URL, TOKEN } = this.#settings;
    const params = { tags: { name: 'relay' }, headers: TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {} };
    this.#connections += 1;
    const connection = new Connection(stay, `${run()}-${exec.vu.idInTest}-${this.#connections}`);
    const url = `${URL}/ws/${encodeURIComponent(stay.channel)}`;
    const answer = ws.connect(url, params, (socket) => connection.use(socket));
    const opened = answer.status === 101;
    count.upgradeFailed.add(!opened, { status: String(answer.status) });
    // RFC 9110 §10.2.3; a date, which no Fanfare sends, counts as none.
    return { opened, there: connection.there, retryAfter: 1000 * (+answer.headers['Retry-After'] || 0) };
  }
}

// One connection of a client.
class Connection {
  there = false;
  #stay;
  #from;
  #socket;
  #began = now();
  #since = 0;
  #sent = 0;
  #echoed = 0;
  #failed = false;

  constructor(stay, from) {
    this.#stay = stay;
    this.#from = from;
  }

  use(socket) {
    this.#socket = socket;
    socket.on('open', () => this.#opened());
    socket.on('message', (data) => this.#heard(data));
    socket.on('error', () => {
      this.#failed = true;
    });
    socket.on('close', (code) => this.#closed(code));
  }

  #opened() {
    const stay = this.#stay;
    this.#since = now();
    count.upgradeMs.add(this.#since - this.#began);
    if (stay.awaySince !== undefined) count.awayMs.add(this.#since - stay.awaySince);
    stay.ledger.opened(this.#since);
    if (stay.hello) this.#send();
    if (stay.pace) this.#sendFrom(Math.max(this.#since, stay.loudFrom) + Math.random() * stay.pace());
    // Not all at once: that would be a burst of its own.
    const last = stay.quietFrom + (Math.random() * (stay.until - stay.quietFrom)) / 2;
    if (stay.hello || stay.pace) this.#at(last, () => this.#send());
    this.#at(stay.until, () => this.#leave());
  }

  // An open loop: a message that is late does not delay the next ones.
  #sendFrom(moment) {
    if (moment >= this.#stay.quietFrom) return;
    this.#at(moment, () => {
      this.#send();
      this.#sendFrom(moment + this.#stay.pace());
    });
  }

  #at(moment, act) {
    this.#socket.setTimeout(act, Math.max(0.1, moment - now()));
  }

  #send() {
    const { channel, before, size } = this.#stay;
    const message = { run: run(), from: this.#from, n: this.#sent + 1, since: this.#since, channel, before, at: now() };
    this.#failed = false;
    this.#socket.send(JSON.stringify(message).padEnd(size));
    if (this.#failed) {
      count.unsent.add(1);
    } else {
      this.#sent += 1;
      count.published.add(1);
    }
  }

  #heard(data) {
    const at = now();
    const message = parse(data);
    if (message === undefined || message.run !== run()) return;
    const { channel, hello, ledger, tags } = this.#stay;
    count.delivered.add(1);
    count.deliveryMs.add(at - message.at, tags());
    if (message.channel !== channel) count.astray.add(1);
    ledger.heard(message);
    if (message.before) ledger.sentBefore(message.before);
    if (message.from !== this.#from) return;
    this.#echoed = Math.max(this.#echoed, message.n);
    if (hello && message.n === 1) count.joinMs.add(at - this.#began);
  }

  #leave() {
    if (this.#echoed < this.#sent && now() < this.#stay.latest) {
      this.#at(now() + LOOK_AGAIN, () => this.#leave());
      return;
    }
    this.there = true;
    this.#stay.ledger.sentAll(this.#written());
    this.#socket.close(DONE);
  }

  #closed(code) {
    const stay = this.#stay;
    stay.ledger.closed();
    if (this.there) return;
    count.closes.add(1, { code: String(code) });
    stay.awaySince = now();
    stay.before = this.#written();
  }

  #written() {
    return { from: this.#from, n: this.#sent, since: this.#since };
  }
}

// A channel may carry anything: undefined for a message that is not a JSON object.
function parse(data) {
  try {
    return JSON.parse(data) || undefined;
  } catch (_) {
    return undefined;
  }
}
