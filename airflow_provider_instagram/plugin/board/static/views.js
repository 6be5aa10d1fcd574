// Weeks, week, list and profile.

import { ROOT } from "./api.js";
import { addDays, asDay, inWords, longDay, monday, today, whenOf } from "./dates.js";
import { counted, h, icon, isNarrow } from "./dom.js";
import { resultsView } from "./results.js";
import { FILTERS, MEANINGS, NEEDS, byDay, data, go, keyOf, short, shown, span, stateText, view } from "./state.js";

/** @typedef {import("./state.js").Card} Card */

const IN_A_DAY = 3; // cards of a day in the weeks and in the month; the others are one click away
const IN_A_LIST = 150; // rows that are drawn at first

/**
 * The elements of the cards: one that did not change keeps its element, with its picture.
 * @type {Map<string, { signature: string, element: HTMLElement }>}
 */
const elements = new Map();

/**
 * Return the element of a card.
 * @param {Card} card
 * @param {string} form The view whose form it has.
 */
function cardElement(card, form = view.view) {
  const { day, time } = whenOf(card, view.zone);
  const key = keyOf(card);
  const state = stateText(card);
  const signature = JSON.stringify([card, form, day, time, state]);
  const known = elements.get(key);
  if (known && known.signature === signature) return known.element;
  const about = {
    class: "card",
    type: "button",
    tabindex: -1,
    "data-key": key,
    "data-state": card.state,
    "data-late": card.late,
  };
  const element = h(
    "button",
    { ...about, title: `${card.title || card.id}. ${state}.\n${MEANINGS[card.state] ?? ""}` },
    form === "month" ? null : thumb(card, form),
    ...(form === "month"
      ? lineParts(card, time, state)
      : form === "list"
        ? rowParts(card, time, state)
        : cellParts(card, time, state, form)),
    h("span", { class: "spoken" }, ` ${[longDay(day), ...hiddenWords(card, form)].filter(Boolean).join(", ")}`),
  );
  elements.set(key, { signature, element });
  return element;
}

/** Return what a card does not show in a form, for those who only hear the page. @param {Card} card @param {string} form */
function hiddenWords(card, form) {
  if (form === "list") return [];
  return [short(card.account) === card.account ? "" : card.account, card.kind || "post"];
}

/** @param {Card} card */
const titleOf = (card) => h("span", { class: "title cut", dir: "auto" }, card.title || card.id);
/** @param {string} state */
const badgeOf = (state) => h("span", { class: "badge" }, h("span", { class: "cut" }, state));

/** @param {Card} card @param {string} time @param {string} state */
function rowParts(card, time, state) {
  const words = [card.id, ...(card.tags ?? []).map((tag) => `#${tag}`)].join("  ");
  const whose = [h("span", { class: "cut" }, card.account), h("span", { class: "sub" }, card.kind || "post")];
  const foot = h("span", { class: "foot" }, h("span", { class: "sub cut" }, words));
  return [
    h("span", { class: "time" }, time),
    h("span", { class: "whose" }, whose),
    h("span", { class: "text" }, titleOf(card), foot),
    badgeOf(state),
  ];
}

/** Return a card in one line: the sign of its state, its time and its title. @param {Card} card @param {string} time @param {string} state */
const lineParts = (card, time, state) => [
  icon(card.late ? "late" : card.state),
  h("b", {}, time),
  h("span", { class: "spoken" }, ` ${short(card.account)} `),
  titleOf(card),
  h("span", { class: "spoken" }, ` ${state}`),
];

/** @param {Card} card @param {string} time @param {string} state @param {string} form */
function cellParts(card, time, state, form) {
  if (form === "profile") {
    const { day } = whenOf(card, view.zone);
    const at = `${inWords(day, { day: "numeric", month: "short" })}, ${time}`;
    const sign =
      card.state === "published" ? null : h("span", { class: "sign" }, icon(card.late ? "late" : card.state));
    const text = h("span", { class: "text", "aria-hidden": "true" }, h("b", {}, at), badgeOf(state));
    return [h("span", { class: "spoken" }, `${card.title || card.id}, ${at}, ${state}`), sign, text].filter(Boolean);
  }
  const kind = form === "week" && card.kind ? h("span", { class: "cut what" }, card.kind) : null;
  const when = h("span", { class: "when" }, h("b", {}, time), h("span", { class: "cut" }, short(card.account)), kind);
  const foot = h("span", { class: "foot" }, badgeOf(state));
  return [h("span", { class: "text" }, when, titleOf(card), foot)];
}

/** Return the cover of a card, or the sign of its kind. @param {Card} card @param {string} form */
function thumb(card, form) {
  const box = h("span", { class: "thumb" }, icon(card.state === "problem" ? "problem" : card.kind));
  if (!card.cover) return box;
  const size = form === "week" || form === "profile" ? "large" : "small";
  const src = `${ROOT}/covers/${card.cover}.jpg?size=${size}`;
  // Lazy before its address: else a browser that has read it before reads each one at once.
  const image = h("img", { loading: "lazy", src, alt: "", decoding: "async", error: (_, self) => self.remove() });
  box.append(image, h("span", { class: "kind" }, icon(card.kind)));
  return box;
}

/** @param {Card[]} cards */
function weeksView(cards) {
  const { first, last } = span();
  const days = byDay(cards);
  const grid = h("div", { class: view.view === "month" ? "month low" : "month" });
  for (let weekday = 0; weekday < 7; weekday += 1) {
    grid.append(h("div", { class: "weekday" }, inWords(addDays(first, weekday), { weekday: "short" })));
  }
  for (let day = first; day <= last; day = addDays(day, 1)) {
    grid.append(isNarrow() ? narrowDay(day, days.get(day) ?? []) : monthDay(day, days));
  }
  if (!isNarrow()) return grid;
  const chosen = days.get(view.day);
  const nothing = `Nothing on ${inWords(view.day, { day: "numeric", month: "long" })}.`;
  const list = h(
    "div",
    { class: "chosen list" },
    chosen ? dayRows(view.day, chosen) : h("p", { class: "empty" }, nothing),
  );
  return h("div", {}, grid, list);
}

/** @param {string} day @param {string} more */
const dayClass = (day, more = "") => `day${day < today() ? " other" : ""}${day === today() ? " today" : ""}${more}`;
/** Return the number of a day, with its month on the first one that is shown and at the start of each. @param {string} day */
const dayName = (day) =>
  day === span().first || day.endsWith("-01")
    ? inWords(day, { day: "numeric", month: "short" })
    : String(+day.slice(8));

/**
 * Return a day of the weeks. A week that is over and has no posts is low, so that today is in sight.
 * @param {string} day
 * @param {Map<string, Card[]>} days
 */
function monthDay(day, days) {
  const cards = days.get(day) ?? [];
  const week = [0, 1, 2, 3, 4, 5, 6].map((later) => addDays(monday(day), later));
  const isOver = addDays(monday(day), 6) < today() && !week.some((other) => days.has(other));
  const isLow = view.view === "month"; // which has a line for three cards, or for two and how many more there are
  const most = isLow && cards.length > IN_A_DAY ? IN_A_DAY - 1 : IN_A_DAY;
  const more = cards.length - most;
  const count = more > 0 ? h("span", { class: "count" }, String(cards.length)) : null;
  const list = () => go({ view: "list", day });
  return h(
    "section",
    { class: dayClass(day, isOver ? " over" : ""), "aria-label": longDay(day), "data-day": day },
    h("div", { class: "date" }, h("span", {}, dayName(day)), count),
    (more === 1 ? cards : cards.slice(0, most)).map((card) => cardElement(card)),
    more > 1 ? h("button", { class: "more", type: "button", click: list }, `${more} more`) : null,
  );
}

/** Whether somebody has to look at a post. @param {Card} card */
const needs = (card) => card.late || [...NEEDS, "problem"].includes(card.state);

/** @param {string} day @param {Card[]} cards */
function narrowDay(day, cards) {
  const dots = cards
    .slice(0, 6)
    .map((card) => h("i", { "data-state": card.state, "data-late": card.late }, needs(card) ? "!" : ""));
  const open = cards.filter(needs).length;
  const label = `${inWords(day, { day: "numeric", month: "long" })}, ${counted(cards.length, "post")}${open ? `, ${open} to look at` : ""}`;
  return h(
    "button",
    {
      class: dayClass(day),
      type: "button",
      "data-day": day,
      "aria-pressed": day === view.day,
      "aria-label": label,
      click: () => go({ day }),
    },
    h("span", { class: "date" }, h("span", {}, String(+day.slice(8)))),
    h("span", { class: "dots" }, dots),
  );
}

/** @param {Card[]} cards */
function weekView(cards) {
  const { first } = span();
  const days = byDay(cards);
  const week = h("div", { class: "week" });
  for (let offset = 0; offset < 7; offset += 1) {
    const day = addDays(first, offset);
    const posts = days.get(day) ?? [];
    const name = h("span", {}, inWords(day, { weekday: "short", day: "numeric" }));
    const date = h("div", { class: "date" }, name, posts.length ? h("span", {}, String(posts.length)) : null);
    const about = { class: dayClass(day, posts.length ? "" : " bare"), "aria-label": longDay(day), "data-day": day };
    week.append(
      h(
        "section",
        about,
        date,
        posts.slice(0, IN_A_LIST).map((card) => cardElement(card)),
      ),
    );
  }
  return week;
}

/** @param {string} day @param {Card[]} cards */
function dayRows(day, cards) {
  const count = h("span", {}, counted(cards.length, "post"));
  const rows = cards.map((card) => h("li", {}, cardElement(card, "list")));
  return h("section", { "data-day": day }, h("h2", {}, longDay(day), count), h("ul", { class: "rows" }, rows));
}

/** How many rows of a list are drawn. */
const rows = { most: IN_A_LIST, of: "" };

/** @param {Card[]} cards */
function listView(cards) {
  const of = JSON.stringify({ ...view, post: "" });
  if (of !== rows.of) Object.assign(rows, { most: IN_A_LIST, of });
  const list = h("div", { class: "list" });
  for (const [day, posts] of byDay(cards.slice(0, rows.most))) list.append(dayRows(day, posts));
  const more = (/** @type {Event} */ _, /** @type {HTMLElement} */ button) => {
    rows.most += 4 * IN_A_LIST;
    button.parentElement?.replaceWith(listView(cards));
  };
  const left = cards.length - rows.most;
  if (left > 0) list.append(h("button", { class: "btn", type: "button", click: more }, `Show ${left} more`));
  return list;
}

const MOST_PROFILES = 6; // the others are one filter away
/** What a profile does not show: a story, and what does not go out. @param {Card} card */
const isInProfile = (card) =>
  card.kind && card.kind !== "story" && !["skipped", "failed", "problem"].includes(card.state);

/** Return the posts as the grid of each account's profile will show them, the newest first. @param {Card[]} cards */
function profileView(cards) {
  /** @type {Map<string, Card[]>} */
  const profiles = new Map();
  for (const card of cards.filter(isInProfile))
    profiles.set(card.account, [card, ...(profiles.get(card.account) ?? [])]);
  const all = [...profiles].sort();
  const sections = all.slice(0, MOST_PROFILES).map(([account, posts]) => {
    const planned = posts.filter((card) => card.state !== "published").length;
    const about = h("span", {}, `${counted(posts.length, "post")}, ${planned} still to come`);
    const tiles = posts.slice(0, IN_A_LIST).map((card) => h("li", {}, cardElement(card, "profile")));
    return h("section", {}, h("h2", {}, account, about), h("ul", { class: "tiles" }, tiles));
  });
  const more = all.length - sections.length;
  const others =
    more > 0 ? h("p", {}, `${counted(more, "more account")}: choose one in the filters to see its profile.`) : null;
  return sections.length ? h("div", { class: "profile" }, sections, others) : emptyView();
}

function emptyView() {
  const isFiltered = FILTERS.some((name) => view[name]);
  if (isFiltered) {
    const unfilter = () => go(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    const button = h("button", { class: "btn", type: "button", click: unfilter }, "Remove the filters");
    return h("div", { class: "empty" }, h("h2", {}, "No post passes the filters."), button);
  }
  const near = nearestDay();
  const [first, ...others] = data.calendars;
  const where = near
    ? h(
        "button",
        { class: "btn", type: "button", click: () => go({ day: near }) },
        `Go to ${inWords(near, { month: "long", year: "numeric" })}`,
      )
    : first && !others.length && h("p", {}, `Posts appear here when they are in ${first.file}.`);
  return h("div", { class: "empty" }, h("h2", {}, "Nothing is planned here."), where);
}

/** Return the day of the nearest post outside of the view, if there is any. */
function nearestDay() {
  const ends = data.calendars.flatMap(({ first, last }) => (first && last ? [first, last] : []));
  const days = ends.map((at) => asDay(new Date(at * 1000))).sort();
  const { first, last } = span();
  return days.find((day) => day > last) ?? days.filter((day) => day < first).pop();
}

/** Return the element of the view, with its posts. */
export function viewElement() {
  if (view.view === "results") return resultsView();
  const cards = shown();
  const isEmpty = cards.length === 0 && !(["month", "weeks"].includes(view.view) && isNarrow());
  const isFiltered = FILTERS.some((name) => view[name]);
  if (isEmpty && (view.view === "list" || !data.cards.size || isFiltered)) return emptyView();
  if (view.view === "list") return listView(cards);
  if (view.view === "profile") return profileView(cards);
  return view.view === "week" ? weekView(cards) : weeksView(cards);
}
