// The messages that one client heard in one channel, against those that it was to hear.
//
// A sender numbers the messages of each of its connections from 1. A message names its connection
// (`from`), its number (`n`), and since when that connection stands (`since`). A receiver that stood before it must hear
// it from 1 on. Every receiver must hear, from the first number on, every number until its own connection ends. Missing
// numbers are remembered until then, because they may come late. A message that was sent between two connections of the
// receiver is not lost but missed.
import { cutOff, disordered, doubled, lost, missedAway } from './metrics.js';

export class Ledger {
  #senders = new Map();
  #connection = 0;
  #openedAt = 0;

  opened(at) {
    this.#connection += 1;
    this.#openedAt = at;
  }

  heard({ from, n, since }) {
    const sender = this.#sender(from, since, n - 1);
    if (sender.connection !== this.#connection) this.#afterReturn(sender, n);
    if (n > sender.last) {
      markMissing(sender, n - 1, lost);
      sender.last = n;
      return;
    }
    const missing = sender.missing.get(n);
    sender.missing.delete(n);
    if (missing === undefined) doubled.add(1);
    else if (missing === lost) disordered.add(1);
  }

  // The client is about to close its connection, in which it wrote up to `n`: it heard itself.
  sentAll(connection) {
    this.#expect(connection, lost);
  }

  // A sender's connection, which it did not close itself, ended after it had written up to `n`.
  sentBefore(connection) {
    this.#expect(connection, cutOff);
  }

  // The client's own connection is over, and heard all that it was to hear.
  closed() {
    for (const sender of this.#senders.values()) {
      for (const counter of sender.missing.values()) counter.add(1);
      sender.missing.clear();
    }
  }

  #expect({ from, n, since }, counter) {
    const sender = this.#sender(from, since, n);
    if (sender.connection === this.#connection) markMissing(sender, n, counter);
  }

  #sender(from, since, before) {
    let sender = this.#senders.get(from);
    if (sender === undefined) {
      const last = since >= this.#openedAt ? 0 : before;
      sender = { last, missing: new Map(), connection: this.#connection };
      this.#senders.set(from, sender);
    }
    return sender;
  }

  #afterReturn(sender, n) {
    if (n > sender.last + 1) missedAway.add(n - 1 - sender.last);
    sender.last = Math.max(sender.last, n - 1);
    sender.connection = this.#connection;
  }
}

// Each missing number counts as this, should it never come.
function markMissing(sender, upTo, counter) {
  for (let n = sender.last + 1; n <= upTo; n += 1) sender.missing.set(n, counter);
  sender.last = Math.max(sender.last, upTo);
}
