// Settings come from the environment (`k6 run -e VUS=200`, or plainly VUS=200), and are checked here only: a run with
// a value that cannot be used does not begin, and all such values are named at once.

const UNITS = { ms: 1, s: 1000, m: 60000, h: 3600000 };

export const whole = (fallback, least = 1, most = 1000000) => ({
  fallback,
  want: `a whole number from ${least} to ${most}`,
  parse: (text) => (/^\d+$/.test(text) && +text >= least && +text <= most ? +text : undefined),
});

export const number = (fallback) => ({
  fallback,
  want: 'a number above 0',
  parse: (text) => (/^\d+(\.\d+)?$/.test(text) && +text > 0 ? +text : undefined),
});

// In milliseconds.
export const duration = (fallback) => ({
  fallback: milliseconds(fallback),
  want: 'a duration, as 500ms, 30s or 1.5h',
  parse: milliseconds,
});

function milliseconds(text) {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) || [];
  return amount === undefined ? undefined : amount * UNITS[unit];
}

// A client whose last message has not come back to it stays this many times SETTLE longer, at most.
export const MOST_SETTLES = 5;

const text = (fallback, pattern, want) => ({
  fallback,
  want,
  parse: (given) => (pattern.test(given) ? given.replace(/\/$/, '') : undefined),
});

const thresholds = {
  fallback: {},
  want: `JSON, as {"delivery_ms":["p(95)<250"],"lost":[]}`,
  parse(given) {
    try {
      const value = JSON.parse(given);
      const isList = (one) => Array.isArray(one) && one.every((expression) => typeof expression === 'string');
      return !Array.isArray(value) && Object.values(value).every(isList) ? value : undefined;
    } catch (_) {
      return undefined;
    }
  },
};

// Settings of every script; each adds its own.
const COMMON = {
  URL: text('ws://localhost:8080', /^wss?:\/\/[^/?#\s]+\/?$/, 'ws://HOST:PORT or wss://HOST:PORT, without a path'),
  CHANNEL: text('k6', /^[\w:.-]{1,64}$/, 'the first part of the names of channels: up to 64 letters, digits and _ : . -'),
  TOKEN: text('', /^[\w.-]+$/, 'a JWT'),
  SETTLE: duration('2s'),
  BACKOFF: duration('500ms'),
  BACKOFF_MAX: duration('10s'),
  SUMMARY: text('', /^.+$/, 'a path'),
  THRESHOLDS: thresholds,
};

export function settings(own) {
  const values = {};
  const wrong = [];
  for (const [name, kind] of Object.entries({ ...COMMON, ...own })) {
    const given = __ENV[name];
    values[name] = given ? kind.parse(given) : kind.fallback;
    // A token is a secret, also one with a slip in it.
    if (values[name] === undefined) wrong.push(`${name}${name === 'TOKEN' ? '' : `=${given}`}: want ${kind.want}`);
  }
  if (wrong.length > 0) throw new Error(`settings that cannot be used\n  ${wrong.join('\n  ')}\n`);
  return values;
}
