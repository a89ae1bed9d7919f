/** What goes over a link: text as a string, binary as bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** How a connection, or an attempt at one, ended. */
export interface End {
  /** The close code: 1006 where the connection broke, or was refused before it stood. */
  code: number;
  /** The server's sentence, or `""`. */
  reason: string;
  /** Whether the connection stood. */
  opened: boolean;
  /** Milliseconds until the next attempt; undefined: the link does not come back by itself. */
  delay: number | undefined;
}

/** What a link tells. Each is optional. */
export interface LinkEvents {
  /** An attempt begins. */
  connecting?(): void;
  /** The connection stands: everything that is published from now on arrives. What was queued has been sent. */
  open?(): void;
  /** A message: text as a string, binary as an ArrayBuffer. */
  message?(data: string | ArrayBuffer): void;
  /** The connection, or the attempt, ended; not told of what `join` and `close` leave. */
  closed?(end: End): void;
  /** Queued messages that will not be sent: the link was closed, refused, or joined another URL. */
  unsent?(messages: Sendable[]): void;
}

/** A value, or what makes one for each attempt: a new token, for example. */
export type PerAttempt<T> = T | (() => T | Promise<T>);

/** The part of a WebSocket class that a link needs: the browser's, Node's from 22 on, or npm's `ws`. */
export type WebSocketClass = new (url: string | URL, protocols?: string | string[]) => {
  binaryType: string;
  readonly readyState: number;
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: any): void;
  close(code?: number, reason?: string): void;
};

export interface LinkOptions {
  /** Subprotocols: `["fanfare", "token." + jwt]` carries a token. Default: none. */
  protocols?: PerAttempt<string | string[]>;
  /** How many messages may wait while the link is away. Default: 0, so that `send` refuses them. */
  queue?: number;
  /** Default: the global one. */
  WebSocket?: WebSocketClass;
}

/**
 * A WebSocket that comes back: after 0 to 500 ms, then up to twice as long each time, up to 10 s. Close codes 1008, 4001
 * and 4400 to 4499 end it, except that after 4001 (the token expired) it comes back where `url` or `protocols` is a
 * function.
 */
export class Link {
  /** @throws TypeError where there is no WebSocket class. */
  constructor(events?: LinkEvents, options?: LinkOptions);
  /** Whether a message would be sent at once. */
  readonly isOpen: boolean;
  /** Connects, and leaves what it was connected to. */
  join(url: PerAttempt<string | URL>): void;
  /** Sends a message, or queues it while the link is away. Returns false where it did neither: it is still yours. */
  send(data: Sendable): boolean;
  /** Ends the wait for the next attempt, if there is one: when the network is back, or the page is looked at again. */
  hurry(): void;
  /** Connects at once, also after a refusal, unless a connection stands or is on its way. */
  retry(): void;
  /** Leaves for good, until the next `join`. */
  close(code?: number, reason?: string): void;
}

/** A closed connection in a sentence. */
export function why(end: Pick<End, "code" | "reason">): string;
