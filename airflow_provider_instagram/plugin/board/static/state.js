// What the page shows, as the address says it, and the posts that it has.

import { request } from "./api.js";
import { addDays, fromDay, isDay, length, monday, today, whenOf } from "./dates.js";
import { hostWindow, messageOf, say } from "./dom.js";

/**
 * @typedef {{ file: string, error: boolean, slow: boolean, since: number | null, plan: number | null }} Lost
 * @typedef {{ line: number | null, message: string, remedy: string, post: string | null }} Problem
 *
 * @typedef {object} Card What the page shows of a post. What is empty is left out.
 * @property {string} dag
 * @property {string} id
 * @property {string} account
 * @property {number} at Seconds since the epoch; 0 for a draft without a time.
 * @property {string} local The same in the calendar's zone, as 2030-05-06T08:30; empty for a draft without a time.
 * @property {string} state A key of `STATES`.
 * @property {string} [kind]
 * @property {string} [title]
 * @property {string} [caption]
 * @property {string} [why]
 * @property {boolean} [late] Whether its time has passed, and it goes out as soon as it can.
 * @property {boolean} [login] Whether it failed because Instagram no longer accepts the account's token.
 * @property {number} [until] Until when a person can answer, in seconds since the epoch.
 * @property {string} [cover]
 * @property {string[]} [tags]
 * @property {string} [note] What people have noted, which is never published.
 * @property {boolean} [dry]
 * @property {boolean} [asks]
 * @property {number} [line] Its line, if the file has its id twice.
 * @property {Problem[]} [problems]
 * @property {boolean} [saved] Whether it is shown as the file says, which Airflow has not read yet.
 *
 * @typedef {object} Calendar
 * @property {string} dag
 * @property {string} name
 * @property {string} file
 * @property {boolean} paused
 * @property {Lost | null} [lost] What is known of its DAG if Airflow cannot read that any more.
 * @property {boolean} read Whether its plan is on the server.
 * @property {boolean} dry
 * @property {boolean} edit Whether the user may edit its posts.
 * @property {Problem[]} problems
 * @property {number} more_problems
 * @property {number | null} first The time of its first post.
 * @property {number | null} last
 */

/** @type {Record<string, string>} */
export const VIEWS = {
  month: "Month",
  weeks: "Weeks",
  week: "Week",
  list: "List",
  profile: "Profile",
  results: "Results",
};
/** The periods of the results, which end at the chosen day. @type {Record<string, string>} */
export const PERIODS = { 28: "28 days", 90: "90 days", 365: "A year" };
export const WEEKS = 6; // the weeks begin with that of the chosen day
export const DAYS_IN_LIST = 31; // the list begins with the chosen day
const DAYS_IN_PROFILE = 45; // so many before the chosen day, and so many after it
/** @type {Record<string, string>} */
export const STATES = {
  planned: "Planned",
  in_work: "In work",
  waiting: "Waiting for approval",
  ready: "Ready",
  published: "Published",
  skipped: "Skipped",
  failed: "Failed",
  unknown: "Unknown",
  problem: "Needs correction",
  draft: "Draft",
};
/** What each state means. @type {Record<string, string>} */
export const MEANINGS = {
  planned: "It is in the plan, and nothing has been done for it yet.",
  in_work: "Its files are made ready, or Instagram is asked to publish it.",
  waiting: "Somebody has to approve it. Without an answer by its time, it does not go out.",
  ready: "It is prepared, and approved if it has to be. It goes out at its time.",
  published: "It is live on Instagram.",
  skipped: "It is not on Instagram, and nothing is done for it.",
  failed: "A step failed, and it is not live.",
  unknown: "It may be live or not, because Instagram's answer was lost. Somebody has to look at the account.",
  problem: "Something in the plan has to be corrected before it can go out.",
};
/** The states in which a post waits for somebody. */
export const NEEDS = ["waiting", "unknown", "failed"];

/** @typedef {typeof view} View */
export const view = {
  view: "weeks",
  day: today(),
  dag: "",
  account: "",
  state: "",
  kind: "",
  tag: "",
  q: "",
  zone: "",
  post: "",
  // what Results shows; empty is what it shows by itself
  metric: "",
  age: "",
  period: "",
  curve: "",
};
export const data = {
  /** @type {Map<string, Card>} */
  cards: new Map(),
  /** @type {Calendar[]} */
  calendars: [],
  still: false, // whether Airflow stands still
  etag: "",
  error: "",
  loaded: false,
};

/** @type {(() => void)[]} */
const listeners = [];
/** Call a function at each change of the view or of the posts. @param {() => void} listener */
export const listen = (listener) => listeners.push(listener);
export const changed = () => listeners.forEach((listener) => listener());

/** Read the view from the address: our own, or that of Airflow's frame around us. */
export function readAddress() {
  const own = new URLSearchParams(location.search);
  const outer = new URLSearchParams(hostWindow()?.location.search);
  for (const name of /** @type {(keyof View)[]} */ (Object.keys(view))) {
    view[name] = (own.get(name) ?? outer.get(name) ?? view[name]).slice(0, 300);
  }
  if (!VIEWS[view.view]) view.view = "weeks";
  if (!isDay(view.day)) view.day = today();
  if (!Object.hasOwn(PERIODS, view.period)) view.period = "";
}

/** Return whether the page is in a tab of a DAG, whose address names the DAG. */
export const isTab = () => hostWindow()?.location.pathname.includes("/dags/") ?? false;

/** Write the view into the address, so that it can be sent to a colleague. */
export function writeAddress() {
  const given = Object.entries(view).filter(([name, value]) => value && !(name === "view" && value === "weeks"));
  history.replaceState(history.state, "", `${location.pathname}?${new URLSearchParams(given)}`);
  const host = hostWindow();
  const outer = new URLSearchParams(given.filter(([name]) => name !== "dag" || !isTab()));
  host?.history.replaceState(host.history.state, "", `${host.location.pathname}?${outer}`);
}

/** Whether the view shows all posts that the search finds, whatever their days. */
export const isFound = () => view.view === "list" && view.q.trim() !== "";

/** Return the first and the last day of the view. */
export function span() {
  const { day } = view;
  if (view.view === "week") return { first: monday(day), last: addDays(monday(day), 6) };
  if (view.view === "list") return { first: day, last: addDays(day, DAYS_IN_LIST - 1) };
  if (view.view === "profile") return { first: addDays(day, -DAYS_IN_PROFILE), last: addDays(day, DAYS_IN_PROFILE) };
  if (view.view === "results") return { first: addDays(day, 1 - Number(view.period || 90)), last: day };
  return { first: monday(day), last: addDays(monday(day), 7 * WEEKS - 1) };
}

const asked = () => JSON.stringify([span(), view.dag]);

/** Change the view, and load the posts that it needs. @param {Partial<View>} changes */
export async function go(changes) {
  const before = asked();
  Object.assign(view, changes);
  writeAddress();
  changed();
  if (asked() !== before) await refresh();
}

/** Load the posts of the view. Return whether anything changed. */
async function load() {
  const { last, first } = view.view === "results" ? { first: view.day, last: view.day } : span(); // it needs no cards
  const from = String(fromDay(first).getTime() / 1000 - 86400);
  const to = String(fromDay(last).getTime() / 1000 + 2 * 86400);
  const given = Object.entries({ from, to, dag_id: view.dag, q: view.q }).filter(([, value]) => value);
  const query = new URLSearchParams(given);
  const answer = await request(`posts?${query}`, { headers: { "If-None-Match": data.etag } });
  const isNew = answer !== null || data.error !== "" || !data.loaded;
  Object.assign(data, { error: "", loaded: true });
  if (answer === null) return isNew;
  data.etag = answer.etag;
  data.calendars = answer.content.calendars;
  data.still = answer.content.still;
  data.cards = new Map(answer.content.cards.map((/** @type {Card} */ card) => [keyOf(card), card]));
  for (const [key, { values, until, isGone }] of edits) {
    const card = data.cards.get(key);
    if (isGone && card && Date.now() < until) {
      data.cards.delete(key);
      continue;
    }
    const isRead =
      card && Object.entries(values).every(([name, value]) => same(card[/** @type {keyof Card} */ (name)], value));
    if (!card || isRead || Date.now() > until) edits.delete(key);
    else data.cards.set(key, { ...card, ...values, saved: true });
  }
  return isNew;
}

const EDIT_LIFE_MS = 120000; // so long an edit is shown that Airflow does not read
/** @type {Map<string, { values: Partial<Card>, until: number, isGone?: boolean }>} */
const edits = new Map();
/** @param {unknown} one @param {unknown} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Show at once what was written into the calendar's file. @param {Card} card @param {Partial<Card>} values */
export const edited = (card, values) => editedAll([[card, values]]);

/** The same for several posts, which are drawn together. @param {[Card, Partial<Card>][]} all */
export function editedAll(all) {
  for (const [card, values] of all) {
    edits.set(keyOf(card), { values, until: Date.now() + EDIT_LIFE_MS });
    data.cards.set(keyOf(card), { ...card, ...values, saved: true });
  }
  changed();
}

/** Show at once that a post was removed, or brought back. @param {Card} card @param {boolean} isGone */
export function removed(card, isGone) {
  if (isGone) edits.set(keyOf(card), { values: {}, until: Date.now() + EDIT_LIFE_MS, isGone });
  else edits.delete(keyOf(card));
  if (isGone) data.cards.delete(keyOf(card));
  else data.cards.set(keyOf(card), { ...card, saved: true });
  changed();
}

/** @type {Promise<void> | null} */
let looking = null;
/** Look for changes, and tell of them. Of two calls at one moment, the second looks after the first. */
export async function refresh() {
  if (looking) await looking;
  looking = look();
  await looking;
}

async function look() {
  try {
    if (await load()) changed();
  } catch (error) {
    const text = messageOf(error);
    if (text !== data.error) say(text); // what was said last is not said again at each look
    data.error = text;
    const status = error instanceof Error && "status" in error ? error.status : 0;
    if (status === 403 || status === 404)
      Object.assign(data, { loaded: true, cards: new Map(), calendars: [], etag: "" });
    changed();
  } finally {
    looking = null;
  }
}

/** Return what tells a card from all others: its line, too, if the file has its id twice. @param {Card} card */
export const placeOf = (card) => (card.line ? `${card.id}:${card.line}` : card.id);
/** @param {Card} card */
export const keyOf = (card) => `${card.dag}/${placeOf(card)}`;

/** Return the short name of an account: most connections begin with the same word. @param {string} account */
export const short = (account) => account.replace(/^instagram[_-](?=.)/, "");

/** Return the words of a card's state, with the time that is left, or the reason. @param {Card} card */
export function stateText(card) {
  const word = STATES[card.state] ?? card.state;
  if (card.saved) return `${word}: saved in the file, Airflow reads it soon`;
  if (card.state === "waiting" && card.until) {
    const left = `${word}, ${length(card.until - Date.now() / 1000)} left`;
    return card.why ? `${left}: ${card.why}` : left;
  }
  if (card.late) return `${word}, late by ${length(Date.now() / 1000 - card.at)}: ${card.why}`;
  const still = card.asks && card.state === "planned" ? `${word}, needs an approval` : word;
  return card.why && card.state !== "in_work" ? `${still}: ${card.why}` : still;
}

/** Return the texts in which the search looks. @param {Card} card */
const textsOf = (card) => [card.id, card.caption || card.title, card.account, ...(card.tags ?? [])].join(" ");

/**
 * Whether a card passes a filter.
 * @type {Record<"account" | "state" | "kind" | "tag" | "q", (card: Card) => boolean>}
 */
const PASSES = {
  account: (card) => card.account === view.account,
  state: (card) => view.state.split(",").includes(card.state),
  kind: (card) => card.kind === view.kind,
  tag: (card) => (card.tags ?? []).includes(view.tag),
  q: (card) => textsOf(card).toLowerCase().includes(view.q.trim().toLowerCase()),
};
export const FILTERS = /** @type {(keyof typeof PASSES)[]} */ (Object.keys(PASSES));

/** Return the cards of the view in the order of their times. @param {string} except A filter to leave out. */
export function shown(except = "") {
  const { first, last } = span();
  const active = FILTERS.filter((name) => view[name] && name !== except);
  return [...data.cards.values()]
    .filter((card) => {
      if (!card.local) return false; // a draft without a time stands beside the views
      const { day } = whenOf(card, view.zone);
      const isShown = isFound() || (day >= first && day <= last);
      return isShown && active.every((name) => PASSES[name](card));
    })
    .sort((a, b) => a.at - b.at || a.id.localeCompare(b.id));
}

/** Return how many posts the search finds on days that the view does not show. */
export function foundElsewhere() {
  if (!view.q.trim() || isFound() || view.view === "results") return 0;
  const active = FILTERS.filter((name) => view[name]);
  const all = [...data.cards.values()].filter((card) => card.local && active.every((name) => PASSES[name](card)));
  return all.length - shown().length;
}

/** Return the posts without a time that pass the filters. @param {string} [only] The filters that count. */
export function drafts(only = "account,tag,q") {
  const active = FILTERS.filter((name) => view[name] && only.includes(name));
  return [...data.cards.values()].filter((card) => !card.local && active.every((name) => PASSES[name](card)));
}

/** Return the cards by day. @param {Card[]} cards */
export function byDay(cards) {
  /** @type {Map<string, Card[]>} */
  const days = new Map();
  for (const card of cards) {
    const { day } = whenOf(card, view.zone);
    const others = days.get(day);
    if (others) others.push(card);
    else days.set(day, [card]);
  }
  return days;
}
