/** The data of a link: text as a string, binary as bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** The end of a connection, or of an attempt. */
export interface End {
  /** The close code: 1006 for a connection that broke, or was refused before it stood. */
  code: number;
  /** The server's sentence, or `""`. */
  reason: string;
  /** Whether the connection was open. */
  opened: boolean;
  /** Milliseconds until the next attempt; undefined if the link does not reconnect by itself. */
  delay: number | undefined;
}

/** The events of a link. Each is optional. */
export interface LinkEvents {
  /** An attempt begins. */
  connecting?(): void;
  /** The connection is open: everything published from now on arrives. Queued messages have been sent. */
  open?(): void;
  /** A message: text as a string, binary as an ArrayBuffer. */
  message?(data: string | ArrayBuffer): void;
  /** The connection, or the attempt, ended, but not by `join` or `close`. */
  closed?(end: End): void;
  /** Queued messages that will not be sent: the link was closed, refused, or joined another URL. */
  unsent?(messages: Sendable[]): void;
}

/** A value, or a function that makes a value for each attempt: a new token, for example. */
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
  /** The number of messages that may wait while the link is away. Default: 0, so that `send` refuses them. */
  queue?: number;
  /** Default: the global one. */
  WebSocket?: WebSocketClass;
}

/**
 * A WebSocket that reconnects: after 0 to 500 ms, then up to twice as long each time, up to 10 s. Close codes 1008, 4001,
 * 4400 to 4499 end it. After 4001 (the token expired) it still reconnects if `url` or `protocols` is a function.
 */
export class Link {
  /** @throws TypeError without a WebSocket class. */
  constructor(events?: LinkEvents, options?: LinkOptions);
  /** Whether a message would be sent at once. */
  readonly isOpen: boolean;
  /** Connects, and leaves the connection before. */
  join(url: PerAttempt<string | URL>): void;
  /** Sends a message, or queues it while the link is away. Returns false if it did neither: it is still yours. */
  send(data: Sendable): boolean;
  /** Ends the wait for the next attempt: call it when the network is back, or the page is visible again. */
  hurry(): void;
  /** Connects at once, also after a refusal, unless a connection is open or on its way. */
  retry(): void;
  /** Closes the link, until the next `join`. */
  close(code?: number, reason?: string): void;
}

/** A sentence for a closed connection. */
export function why(end: Pick<End, "code" | "reason">): string;
