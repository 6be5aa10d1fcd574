// What a user has typed and not sent. A reload, a lost session and a closed tab keep it: it is offered, and never sent
// by itself.

import { meta } from "./api.js";

const PREFIX = `instagram-posts/${meta("user")}/`;
const LIFE_MS = 30 * 86400000;

/**
 * Return what was typed into a form, unless that is long ago.
 * @param {string} key @returns {any} With the time `at`, in milliseconds.
 */
export function unsavedOf(key) {
  try {
    const draft = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    return draft && Date.now() - draft.at < LIFE_MS ? draft : null;
  } catch {
    return null; // the browser keeps nothing, or something else is in its place
  }
}

/** Keep what was typed into a form, or nothing. @param {string} key @param {Record<string, unknown> | null} draft */
export function keepUnsaved(key, draft) {
  try {
    if (draft) localStorage.setItem(PREFIX + key, JSON.stringify({ ...draft, at: Date.now() }));
    else localStorage.removeItem(PREFIX + key);
  } catch {
    // the browser keeps nothing: what was typed stays in the form
  }
}
