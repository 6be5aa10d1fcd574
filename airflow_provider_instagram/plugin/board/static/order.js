// What a user writes, in order: one edit after the other, each of which knows what those before it have written.

/** Return a function that does one thing after the other. @returns {<T>(work: () => Promise<T>) => Promise<T>} */
export function inTurn() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}

/** @typedef {Record<string, unknown>} Values */
const LIFE_MS = 120000; // Airflow has read the file by then
/** What this user has written, and what the page showed before that. @type {Map<string, { was: unknown, is: unknown, at: number }>} */
const own = new Map();
/** @param {unknown} one @param {unknown} other */
const same = (one, other) => JSON.stringify(one ?? "") === JSON.stringify(other ?? "");

/**
 * Return what a user has seen of a post: their own last values, where the page still shows those before.
 * @template {Values} Seen
 * @param {string} key @param {Seen} seen @returns {Seen}
 */
export function seenWithOwn(key, seen) {
  const entries = Object.entries(seen).map(([name, value]) => {
    const mine = own.get(`${key} ${name}`);
    const isCurrent = mine && Date.now() - mine.at < LIFE_MS && same(mine.was, value);
    return [name, isCurrent ? mine.is : value];
  });
  return Object.fromEntries(entries);
}

/** Remember what a user has written. @param {string} key @param {Values} seen What the page showed. @param {Values} fields */
export function wrote(key, seen, fields) {
  for (const [name, is] of Object.entries(fields))
    if (name in seen) own.set(`${key} ${name}`, { was: seen[name], is, at: Date.now() });
}
