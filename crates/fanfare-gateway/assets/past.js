// The past of a channel with history: the place behind which the page's messages go on.
//
// Invariant: the position is that of the page's newest message. A channel's messages have consecutive offsets, so each
// that comes is the next. A message that is not kept has no offset, and a page that counts it asks for too little later.

const SHOWN = 20; // messages of before the page was opened
const TIMEOUT = 5_000; // milliseconds

let channel = "";
let features = { history: false, presence: false };
let position = null; // { epoch, offset }

/** The page shows another channel. */
export function forget(name) {
  channel = name;
  features = { history: false, presence: false };
  position = null;
}

/** The page's rights to read of the channel, as far as they are known. */
export const mayRead = () => features;

/** Whether messages that are missed now can be read later. */
export const isKept = () => position !== null;

/** A message came. */
export function count() {
  if (position) position.offset += 1;
}

/**
 * The parameter of the address with which the channel's messages go on behind the last one of the page, or begin with
 * the newest ones; "" where the channel has no history. `lost` is called where some are not kept any longer.
 */
export async function whereToBegin(lost) {
  const name = channel;
  const cluster = await read(`/api/cluster?channel=${encodeURIComponent(name)}`);
  if (name !== channel) return "";
  if (cluster) features = cluster.channel ?? { history: false, presence: false };
  if (features.history && !(await find(name, lost))) position = null;
  if (!features.history) position = null;
  return position ? `?since=${position.epoch}:${position.offset}` : "";
}

/** Finds the place where the messages go on. `false` where the history cannot be read. */
async function find(name, lost) {
  const history = `/api/history?channel=${encodeURIComponent(name)}`;
  if (position) {
    const { epoch, offset } = position;
    const next = await read(`${history}&since=${epoch}:${offset}&limit=1`);
    if (name !== channel) return false;
    const first = next?.result?.publications?.[0]?.offset;
    if (next?.result && (first === undefined || first === offset + 1)) return true;
    if (!next?.result) lost();
    else lost(first - offset - 1);
  }
  const newest = await read(`${history}&limit=0`);
  if (!newest?.result || name !== channel) return false;
  position = { epoch: newest.result.epoch, offset: Math.max(0, newest.result.offset - SHOWN) };
  return true;
}

/** An answer in JSON, or null without one. */
export async function read(path) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
