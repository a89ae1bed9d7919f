// A WebSocket that comes back, without dependencies, for browsers, Node and the gateway's own page.
//
// Invariants: at most one attempt is current, and other attempts are ignored; a wait and an attempt exclude each other;
// queued messages go out in their order, ahead of every later message, and only to their own URL.

const BACKOFF = { base: 500, cap: 10_000, stable: 5_000, handshake: 15_000 }; // milliseconds
const EXPIRED = 4001;

/** Whether the server decided this close: the same connection would be closed again. */
const isDecision = (code) => code === 1008 || (code >= 4400 && code <= 4499);

/**
 * A WebSocket that reconnects when it closes, after an exponential back-off with full jitter. The back-off starts over
 * only after a connection stayed up for a while, so a server that accepts and drops is not flooded. See link.d.ts.
 */
export class Link {
  #events;
  #Socket;
  #protocols;
  #bound;
  #url = "";
  #current = null;
  #wait = 0;
  #failures = 0;
  #queue = [];

  constructor(events = {}, { protocols = [], queue = 0, WebSocket: Socket = globalThis.WebSocket } = {}) {
    if (!Socket) throw new TypeError("this runtime has no WebSocket: pass one, as { WebSocket } (Node before 22: npm's ws)");
    this.#events = events;
    this.#protocols = protocols;
    this.#bound = queue;
    this.#Socket = Socket;
  }

  get isOpen() {
    return this.#current?.socket?.readyState === 1;
  }

  join(url) {
    this.#giveQueueUp();
    this.#url = url;
    this.#failures = 0;
    this.#connect();
  }

  send(data) {
    if (this.isOpen) {
      this.#current.socket.send(data);
      return true;
    }
    if (this.#url === "" || this.#queue.length >= this.#bound) return false;
    this.#queue.push(data);
    return true;
  }

  hurry() {
    if (this.#wait) this.#connect();
  }

  retry() {
    if (this.#url !== "" && !this.#current) this.#connect();
  }

  close(code = 1000, reason = "") {
    this.#url = "";
    this.#stopWaiting();
    this.#leave(code, reason);
    this.#giveQueueUp();
  }

  async #connect() {
    this.#stopWaiting();
    this.#leave(1000);
    const attempt = { socket: null, openedAt: 0, timeout: 0 };
    this.#current = attempt;
    this.#events.connecting?.();
    let url = this.#url;
    let protocols = this.#protocols;
    try {
      if (typeof url === "function") url = await url();
      if (typeof protocols === "function") protocols = await protocols();
    } catch (error) {
      this.#closed(attempt, 1006, `no address to connect to: ${error?.message ?? error}`);
      return;
    }
    if (attempt === this.#current) this.#open(attempt, url, protocols);
  }

  #open(attempt, url, protocols) {
    let socket;
    try {
      socket = new this.#Socket(url, protocols);
    } catch (error) {
      // The URL or a subprotocol is malformed: the next attempt would fail in the same way.
      this.#closed(attempt, 1006, error.message, false);
      return;
    }
    attempt.socket = socket;
    attempt.timeout = setTimeout(() => socket.close(), BACKOFF.handshake);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      clearTimeout(attempt.timeout);
      if (attempt !== this.#current) return;
      attempt.openedAt = performance.now();
      for (const data of this.#queue.splice(0)) socket.send(data);
      this.#events.open?.();
    };
    socket.onmessage = ({ data }) => {
      if (attempt === this.#current) this.#events.message?.(data);
    };
    socket.onerror = () => {}; // a close follows; npm's ws throws without a listener
    socket.onclose = ({ code, reason }) => {
      clearTimeout(attempt.timeout);
      this.#closed(attempt, code, reason);
    };
  }

  #closed(attempt, code, reason, again = this.#comesBack(code)) {
    if (attempt !== this.#current) return;
    this.#current = null;
    const opened = attempt.openedAt > 0;
    const stable = opened && performance.now() - attempt.openedAt >= BACKOFF.stable;
    if (stable) this.#failures = 0;
    if (!again) {
      this.#events.closed?.({ code, reason, opened, delay: undefined });
      this.#giveQueueUp();
      return;
    }
    const ceiling = Math.min(BACKOFF.cap, BACKOFF.base * 2 ** this.#failures);
    // A node that restarts sends its clients to the others: they reconnect soon, not all at the same moment.
    const delay = Math.random() * (code === 1012 && stable ? 2 * BACKOFF.base : ceiling);
    this.#failures += 1;
    this.#wait = setTimeout(() => this.#connect(), delay);
    this.#events.closed?.({ code, reason, opened, delay });
  }

  /** An expired token is final, unless each attempt asks for a new token. */
  #comesBack(code) {
    const renews = typeof this.#url === "function" || typeof this.#protocols === "function";
    return code === EXPIRED ? renews : !isDecision(code);
  }

  #stopWaiting() {
    clearTimeout(this.#wait);
    this.#wait = 0;
  }

  #leave(code, reason) {
    const left = this.#current;
    this.#current = null;
    clearTimeout(left?.timeout);
    left?.socket?.close(code, reason);
  }

  #giveQueueUp() {
    const unsent = this.#queue.splice(0);
    if (unsent.length > 0) this.#events.unsent?.(unsent);
  }
}

const CODES = new Map([
  [1000, "The server closed the connection."],
  [1001, "The server went away."],
  [1006, "The connection broke."],
  [1008, "The server does not permit this connection."],
  [1009, "The last message was larger than the server takes."],
  [1011, "The server met an error."],
  [1012, "The node restarts; another node takes over."],
  [1013, "The last message was refused, or its outcome is unknown."],
  [4000, "No message came or went for too long."],
  [EXPIRED, "The token expired."],
]);

/** A sentence for a closed connection. */
export function why({ code, reason }) {
  const what = code >= 4400 && code <= 4499 ? "refused" : "closed";
  if (reason) return `The server ${what} the connection: ${reason} (${code})`;
  return CODES.get(code) ?? `The connection was closed with code ${code}.`;
}
