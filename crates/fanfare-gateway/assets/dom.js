// Functions by which all parts of the page make elements and texts.

export const $ = (id) => document.getElementById(id);
export const plural = (n, word) => `${n.toLocaleString()} ${word}${n === 1 ? "" : "s"}`;
export const millis = (ms) => `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms).toLocaleString()} ms`;

/** `512 B`, `1.5 MiB`. */
export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1023.5 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit > 0 && count < 9.95 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

/** A new element with a class and a text. */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
