// A WebSocket that comes back. It knows nothing of the page.
//
// Invariants: at most one socket is current, and only the current one is heard; a wait and a socket that is open or
// opening exclude each other.

const BACKOFF = { base: 500, cap: 10_000, stable: 5_000, handshake: 15_000 }; // milliseconds

/**
 * A WebSocket that is opened again when it closes: exponential back-off with full jitter, which starts over only after
 * a connection stayed up for a while, so that a server that accepts and drops is not hammered.
 */
export class Link {
  #url = "";
  #socket = null;
  #wait = 0;
  #attempt = 0;
  #events;

  /** `events`: connecting(), open(), message(data), closed({ code, reason, opened, delay }); no delay: no retry. */
  constructor(events) {
    this.#events = events;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  join(url) {
    this.#url = url;
    this.#attempt = 0;
    this.#connect();
  }

  send(text) {
    this.#socket.send(text);
  }

  /** Ends the wait, if there is one. */
  hurry() {
    if (this.#wait) this.#connect();
  }

  /** Connects at once, unless a socket is open or opening. */
  retry() {
    if (!this.#socket) this.#connect();
  }

  #connect() {
    clearTimeout(this.#wait);
    this.#wait = 0;
    const left = this.#socket;
    this.#events.connecting();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    left?.close(1000);
    socket.binaryType = "arraybuffer";
    let openedAt = 0;
    const patience = setTimeout(() => socket.close(), BACKOFF.handshake);
    socket.onopen = () => {
      clearTimeout(patience);
      if (socket !== this.#socket) return;
      openedAt = performance.now();
      this.#events.open();
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#events.message(data);
    socket.onclose = ({ code, reason }) => {
      clearTimeout(patience);
      if (socket === this.#socket) this.#closed(code, reason, openedAt);
    };
  }

  #closed(code, reason, openedAt) {
    const opened = openedAt > 0;
    const stable = opened && performance.now() - openedAt >= BACKOFF.stable;
    if (stable) this.#attempt = 0;
    this.#socket = null;
    // 1008 is a decision of the server's: the same connection would meet it again.
    if (code === 1008) return this.#events.closed({ code, reason, opened });
    const ceiling = Math.min(BACKOFF.cap, BACKOFF.base * 2 ** this.#attempt);
    // A node that restarts sends its clients to the others: come back soon, not all at the same moment.
    const delay = Math.random() * (code === 1012 && stable ? 2 * BACKOFF.base : ceiling);
    this.#attempt += 1;
    this.#wait = setTimeout(() => this.#connect(), delay);
    this.#events.closed({ code, reason, opened, delay });
  }
}

const CODES = new Map([
  [1000, "The server closed the connection."],
  [1001, "The server went away."],
  [1006, "The connection broke."],
  [1008, "The server does not permit this connection."],
  [1009, "The last message was larger than the server takes."],
  [1011, "The server met an error."],
  [1012, "The node restarts; another one takes over."],
  [1013, "The last message was refused, or nobody knows whether it was taken."],
]);

/** A closed connection in a sentence. */
export function why({ code, reason }) {
  if (reason) return `The server closed the connection: ${reason} (${code})`;
  return CODES.get(code) ?? `The connection was closed with code ${code}.`;
}
