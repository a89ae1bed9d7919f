// What one client heard in one channel, held against what it was to hear.
//
// A sender numbers the messages of each of its connections from 1. A message says from which connection it is
// (`from`), its number (`n`), and since when that connection stands (`since`). So a receiver that stood before it must
// hear it from 1 on, and every receiver, from the first it hears, every number until its own connection ends. What is
// behind a gap is remembered until then, for it may come late. What was sent between two connections of the receiver
// is not lost but missed.
import { disordered, doubled, lost, missedAway } from './metrics.js';

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
      markMissing(sender, n - 1);
      sender.last = n;
    } else if (sender.missing.delete(n)) {
      disordered.add(1);
    } else {
      doubled.add(1);
    }
  }

  // That connection of a sender is over, and its messages up to `n` were taken.
  sent({ from, n, since }) {
    const sender = this.#sender(from, since, n);
    if (sender.connection === this.#connection) markMissing(sender, n);
  }

  // The client's own connection is over, and heard all that it was to hear.
  closed() {
    for (const sender of this.#senders.values()) {
      if (sender.missing.size > 0) lost.add(sender.missing.size);
      sender.missing.clear();
    }
  }

  #sender(from, since, before) {
    let sender = this.#senders.get(from);
    if (sender === undefined) {
      const last = since >= this.#openedAt ? 0 : before;
      sender = { last, missing: new Set(), connection: this.#connection };
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

function markMissing(sender, upTo) {
  for (let n = sender.last + 1; n <= upTo; n += 1) sender.missing.add(n);
  sender.last = Math.max(sender.last, upTo);
}
