// The summary of a run, in place of k6's own: one line for each figure, one for each threshold. The same as JSON goes to
// the file that SUMMARY names.

// Metrics of k6 itself.
const BUILT_IN = /^(data_|iteration|vus|ws_)/;

// A `handleSummary` for that script.
export const summarize = (script, settings) => (data) => {
  const summary = {
    script,
    settings: { ...settings, TOKEN: settings.TOKEN && '(given)' },
    seconds: data.state.testRunDurationMs / 1000,
    metrics: figures(data.metrics),
    thresholds: thresholds(data.metrics),
  };
  summary.passed = summary.thresholds.every((one) => one.ok);
  const files = { stdout: text(summary) };
  if (settings.SUMMARY) files[settings.SUMMARY] = `${JSON.stringify(summary, null, 2)}\n`;
  return files;
};

function figures(metrics) {
  const named = Object.entries(metrics).filter(([name]) => !BUILT_IN.test(name));
  named.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(named.map(([name, { type, values }]) => [name, { type, ...values }]));
}

function thresholds(metrics) {
  const all = Object.entries(metrics).flatMap(([metric, { thresholds: own = {} }]) =>
    Object.entries(own).map(([expression, { ok }]) => ({ metric, expression, ok })),
  );
  return all.sort((a, b) => a.ok - b.ok || (a.metric < b.metric ? -1 : 1));
}

function text({ script, seconds, settings, metrics, thresholds: all, passed }) {
  const given = Object.entries(settings).filter(([, value]) => value !== '' && typeof value !== 'object');
  const counted = Object.entries(metrics).filter(([, one]) => one.count !== 0);
  const failed = all.filter((one) => !one.ok);
  return [
    `\n${script}, ${seconds.toFixed(1)} s: ${passed ? 'passed' : 'FAILED'}`,
    `  ${given.map(([name, value]) => `${name}=${value}`).join(' ')}\n`,
    ...counted.map(([name, one]) => `  ${name.padEnd(22)} ${figure(one, seconds)}`),
    '',
    ...all.map(({ metric, expression, ok }) => `  ${ok ? 'ok    ' : 'FAILED'} ${metric} ${expression}`),
    `\nthresholds: ${all.length - failed.length} of ${all.length} passed\n\n`,
  ].join('\n');
}

function figure(one, seconds) {
  switch (one.type) {
    case 'trend':
      return ['med', 'p(95)', 'p(99)', 'max'].map((name) => `${name} ${one[name].toFixed(1)} ms`).join('  ');
    case 'rate':
      return `${one.passes} of ${one.passes + one.fails}`;
    default:
      return `${one.count}  (${(one.count / seconds).toFixed(1)} a second)`;
  }
}
