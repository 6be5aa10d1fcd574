// The bar above the posts: where we are, the views and the filters; and the notices below it.

import { addDays, inWords, isDay, moment, today } from "./dates.js";
import { byId, counted, h, icon, isLow, isNarrow, roving } from "./dom.js";
import { fillTimes } from "./edit.js";
import { addPost } from "./form.js";
import { draftsButton } from "./drafts.js";
import { importButton } from "./importing.js";
import { openPost } from "./panel.js";
import { problemElement } from "./sections.js";
import { chooseByClick, tryAgain } from "./select.js";
import {
  DAYS_IN_LIST,
  FILTERS,
  MEANINGS,
  NEEDS,
  STATES,
  VIEWS,
  WEEKS,
  data,
  foundElsewhere,
  go,
  isFound,
  isTab,
  keyOf,
  refresh,
  shown,
  span,
  stateText,
  view,
} from "./state.js";
import { editable } from "./writes.js";

/** @typedef {import("./state.js").Calendar} Calendar */
/** @typedef {import("./state.js").Card} Card */
/** @typedef {import("./state.js").Problem} Problem */

function title() {
  if (isFound()) return `${counted(shown().length, "post")} found`;
  const { first, last } = span();
  const isOneMonth = first.slice(0, 7) === last.slice(0, 7);
  const begin = inWords(first, isOneMonth ? { day: "numeric" } : { day: "numeric", month: "short" });
  return `${begin} – ${inWords(last, { day: "numeric", month: "short", year: "numeric" })}`;
}

/** How many days a step goes. The last week of the weeks stays in sight. @type {Record<string, number>} */
const STEPS = {
  month: 7 * (WEEKS - 1),
  weeks: 7 * (WEEKS - 1),
  week: 7,
  list: DAYS_IN_LIST,
  profile: DAYS_IN_LIST,
  results: 28,
};
/** Go on or back by what the view shows. @param {1 | -1} direction */
const step = (direction) => go({ day: addDays(view.day, (STEPS[view.view] ?? 7) * direction) });

/**
 * Return a list of choices for a filter.
 * @param {"dag" | "account" | "kind" | "tag" | "zone"} name
 * @param {string} label
 * @param {(string | undefined)[]} values
 * @param {Map<string, string>} names What is shown of a value.
 */
function select(name, label, values, names = new Map()) {
  const isZone = name === "zone";
  const options = [...new Set([...values, view[name]])]
    .filter(Boolean)
    .sort()
    .map((value) => h("option", { value, selected: value === view[name] }, names.get(value ?? "") ?? value));
  const all = h("option", { value: "" }, isZone ? "The plan's time" : label);
  return h(
    "select",
    { "aria-label": label, "data-filter": name, change: (_, self) => go({ [name]: self.value }) },
    all,
    options,
  );
}

let drawnBar = "";
export function drawBar() {
  const bar = byId("bar");
  const active = /** @type {HTMLInputElement | null} */ (document.activeElement);
  const typed = active?.dataset.filter === "q" ? active.selectionStart : null;
  const focused = active?.dataset.filter || active?.dataset.go;
  const drawn = h("div", {}, h("h1", {}, title()), tools(), view.view === "results" ? null : filters());
  if (drawn.innerHTML === drawnBar) return; // a list of choices that is open stays open
  drawnBar = drawn.innerHTML;
  bar.replaceChildren(...drawn.childNodes);
  /** @type {HTMLInputElement | null} */
  const again = focused ? bar.querySelector(`[data-filter="${focused}"], [data-go="${focused}"]`) : null;
  again?.focus();
  if (typed !== null) again?.setSelectionRange(typed, typed);
}

const tools = () => roving(h("div", { class: "tools", role: "toolbar", "aria-label": "View" }, steps(), views()));

let isUnfolded = false; // whether a user has unfolded the filters, which a small page folds
function filters() {
  const all = h("div", { class: "filters" }, search(), elsewhere(), selects(), chips());
  if (!isNarrow() && !isLow()) return all;
  const active = FILTERS.filter((name) => view[name]).length;
  const unfold = (/** @type {Event} */ _, /** @type {HTMLDetailsElement} */ self) => {
    isUnfolded = self.open;
  };
  return h(
    "details",
    { class: "fold", open: isUnfolded, toggle: unfold },
    h("summary", { "data-go": "filters" }, active ? `Filters (${active})` : "Filters"),
    all,
  );
}

function steps() {
  /** @param {string} name @param {string} label @param {1 | -1} direction */
  const square = (name, label, direction) =>
    h(
      "button",
      {
        class: "btn square",
        type: "button",
        "aria-label": label,
        title: label,
        "data-go": label,
        click: () => step(direction),
      },
      icon(name),
    );
  const now = { class: "btn", type: "button", "data-go": "today", title: "Key t", click: () => go({ day: today() }) };
  return h(
    "div",
    { class: "group" },
    square("left", "Earlier", -1),
    h("button", now, "Today"),
    square("right", "Later", 1),
    h("input", {
      type: "date",
      "aria-label": "Go to a day",
      "data-filter": "day",
      title: "Key g",
      tabindex: -1, // its day, month and year are a stop of the Tab key each
      value: view.day,
      change: (_, self) => isDay(self.value) && go({ day: self.value }),
    }),
  );
}

function views() {
  const buttons = Object.entries(VIEWS).map(([name, text]) =>
    h(
      "button",
      { type: "button", "aria-pressed": view.view === name, "data-go": name, click: () => go({ view: name }) },
      text,
    ),
  );
  const day = view.day < today() ? today() : view.day;
  const add = { class: "btn", type: "button", "data-go": "add", click: () => addPost(day) };
  const fill = { class: "btn", type: "button", "data-go": "fill", click: fillTimes };
  const select = { class: "btn", type: "button", "data-go": "select", title: "Key x on a post", click: chooseByClick };
  return h(
    "div",
    { class: "group push" },
    editable().length ? [h("button", add, "Add post"), h("button", fill, "Fill in times"), importButton()] : null,
    draftsButton(),
    data.cards.size && view.view !== "results" ? h("button", select, "Select") : null,
    h("div", { class: "tabs" }, buttons),
  );
}

/** Return where the other posts are that the search finds. */
function elsewhere() {
  const more = foundElsewhere();
  const list = () => go({ view: "list" });
  const text = `${more} more on other days`;
  return more ? h("button", { class: "btn", type: "button", "data-go": "found", click: list }, text) : null;
}

const SEARCH_AFTER_MS = 250;
let searching = 0;
function search() {
  const words = { placeholder: "Search", "aria-label": "Search in captions, ids and tags" };
  const field = h("input", {
    type: "search",
    ...words,
    value: view.q,
    "data-filter": "q",
    input: (_, self) => {
      go({ q: self.value });
      clearTimeout(searching);
      searching = setTimeout(refresh, SEARCH_AFTER_MS); // which finds it on all days
    },
  });
  return h("label", { class: "search" }, icon("search"), field);
}

function selects() {
  const cards = [...data.cards.values()];
  const accounts = cards.map((card) => card.account);
  const kinds = cards.map((card) => card.kind);
  const tags = cards.flatMap((card) => card.tags ?? []);
  const names = new Map(data.calendars.map((one) => [one.dag, one.name]));
  const isChoice = data.calendars.length > 1 || (view.dag && !isTab());
  const all = h(
    "div",
    { class: "selects", role: "group", "aria-label": "Filters" },
    isChoice ? select("dag", "All calendars", [...names.keys()], names) : null,
    select("account", "All accounts", accounts),
    select("kind", "All kinds", kinds),
    tags.length ? select("tag", "All tags", tags) : null,
    select("zone", "Time zone", ["mine"], new Map([["mine", "My time"]])),
  );
  return roving(all);
}

/** Return a button for each state that a post of the view is in, with their number. */
function chips() {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const card of shown("state")) counts.set(card.state, (counts.get(card.state) ?? 0) + 1);
  const chosen = view.state.split(",").filter(Boolean);
  const names = Object.entries(STATES).filter(([name]) => counts.has(name) || chosen.includes(name));
  const buttons = names.map(([name, text]) => {
    const isChosen = chosen.includes(name);
    const turn = () => go({ state: (isChosen ? chosen.filter((one) => one !== name) : [...chosen, name]).join(",") });
    const about = { "data-state": name, "data-go": `state-${name}`, "aria-pressed": isChosen, click: turn };
    const number = h("b", {}, String(counts.get(name) ?? 0));
    return h("button", { class: "chip", type: "button", title: MEANINGS[name], ...about }, `${text} `, number);
  });
  return roving(h("div", { class: "chips", role: "group", "aria-label": "States" }, buttons));
}

/** @param {string} state @param {string} text */
const notice = (state, text) => h("div", { class: "notice", "data-state": state }, text);

const NOT_HERE =
  "Airflow has not read this calendar yet, or its plan is not on this machine. If this stays, set [instagram] calendar_snapshots to a folder or object storage that the API server shares with the workers.";
const PAUSED = "This calendar is paused. Nothing is published until it is unpaused.";
const STILL =
  "Airflow stands still, so no post goes on. Tell whoever maintains it: Airflow's home page shows which part.";
const ONLY_DRY = "This calendar makes dry runs only. Nothing is published.";

/** @param {import("./state.js").Lost} lost */
function lostText({ file, error, slow, since, plan }) {
  const at = since ? ` since ${moment(since * 1000)}` : "";
  const shows = plan ? ` You see the plan of ${moment(plan * 1000)}.` : "";
  if (slow)
    return `Airflow gave up reading the DAG file ${file}${at}, because it took too long. Nothing is published until it is read.${shows} Tell whoever maintains your Airflow: the machine is busy, or [core] dagbag_import_timeout is too short.`;
  return error
    ? `Airflow cannot read the DAG file ${file}${at}, because it has an error. Nothing is published until it is fixed.${shows} Tell its author: Airflow's home page shows the error.`
    : `Airflow no longer finds the DAG of this calendar in ${file}${at}. Nothing is published until it is back.${shows} Tell its author. If it was removed on purpose, delete the DAG in Airflow, and it leaves this page.`;
}

export function drawNotices() {
  const notices = data.calendars.flatMap((calendar) => {
    const name = data.calendars.length > 1 ? `${calendar.name}: ` : "";
    return [
      calendar.lost && notice("failed", name + lostText(calendar.lost)),
      !calendar.read && !calendar.problems.length && notice("waiting", name + NOT_HERE),
      calendar.paused && notice("waiting", name + PAUSED),
      calendar.dry && notice("skipped", name + ONLY_DRY),
      calendar.problems.length > 0 && problemsElement(calendar, name),
    ];
  });
  const active = document.activeElement;
  const focused = active instanceof HTMLElement ? active.dataset.waits : undefined;
  byId("notices").replaceChildren(
    ...[
      data.error && notice("failed", data.error),
      data.still && notice("failed", STILL),
      ...loginElements(),
      waitingElement(),
      ...notices,
    ].filter((one) => one instanceof Node),
  );
  /** @type {HTMLElement | null} */
  const again = focused ? document.querySelector(`[data-waits="${CSS.escape(focused)}"]`) : null;
  again?.focus();
}

/** Return the posts of each account that failed because Instagram no longer accepts its token, if they are several. */
function postsWithoutLogin() {
  /** @type {Map<string, Card[]>} */
  const all = new Map();
  for (const card of data.cards.values())
    if (card.login) all.set(card.account, [...(all.get(card.account) ?? []), card]);
  return new Map([...all].filter(([, cards]) => cards.length > 1));
}

/** Return a line for each account whose token ended, in place of one for each of its posts. */
function loginElements() {
  return [...postsWithoutLogin()].map(([account, cards]) => {
    const text = `${cards.length} posts failed because Instagram no longer accepts the token of ${account}. Connect the account again, then try them again. `;
    const again = { class: "btn", type: "button", "data-waits": account, click: () => tryAgain(cards) };
    const line = notice("failed", text);
    line.append(h("button", again, `Try all ${cards.length} again`));
    return line;
  });
}

const FEW_WAITING = 4; // so many posts are named above the others
/** Return the posts about which a person has to decide, whatever days the view shows. */
function waitingElement() {
  const withoutLogin = new Set([...postsWithoutLogin().values()].flat());
  const cards = [...data.cards.values()].filter((card) => NEEDS.includes(card.state) && !withoutLogin.has(card));
  cards.sort((a, b) => a.at - b.at);
  const [first] = cards;
  if (!first) return null;
  const buttons = cards.slice(0, FEW_WAITING).map((card) => {
    const about = { class: "btn", type: "button", "data-state": card.state, "data-waits": keyOf(card) };
    const words = `${(card.title || card.id).replace(/\.$/, "")}. ${stateText(card)}`;
    const open = () => openPost(keyOf(card));
    return h("button", { ...about, title: words, click: open }, h("span", { class: "cut" }, words));
  });
  const all = () => go({ view: "list", day: first.local.slice(0, 10), state: NEEDS.join() });
  const more = cards.length > FEW_WAITING || isNarrow() || isLow();
  const text = `${cards.length} ${cards.length === 1 ? "post needs" : "posts need"} you`;
  const waits = h(
    "div",
    { class: "notice waits", role: "group", "aria-label": text, "data-state": first.state },
    h("b", {}, text),
    isNarrow() || isLow() ? null : buttons,
    more ? h("button", { class: "btn", type: "button", "data-waits": "all", click: all }, "Show all") : null,
  );
  return roving(waits);
}

const FEW_PROBLEMS = 3; // so few are shown at once
/**
 * The calendars whose problems a user has shown or hidden.
 * @type {Map<string, boolean>}
 */
const unfolded = new Map();

/** @param {Calendar} calendar @param {string} name */
function problemsElement(calendar, name) {
  const { dag, file, problems, more_problems: more } = calendar;
  const number = problems.length + more;
  const open = unfolded.get(dag) ?? (problems.length <= FEW_PROBLEMS && !isNarrow() && !isLow());
  const items = problems.map((problem) => problemElement(file, problem));
  return h(
    "details",
    { class: "notice", "data-state": "problem", open, toggle: (_, self) => unfolded.set(dag, self.open) },
    h("summary", {}, `${name}${counted(number, "problem")} in ${file}`),
    h("ul", {}, items, more ? h("li", {}, `… and ${more} more`) : null),
  );
}
