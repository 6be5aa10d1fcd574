// Results: what posts reached, as tables, and the curve of one of them.

import { ROOT, request } from "./api.js";
import { draw, drawable, save } from "./charts.js";
import { inWords, timeOfDay } from "./dates.js";
import { h, messageOf, outward, say } from "./dom.js";
import { openPost } from "./panel.js";
import { metricName } from "./sections.js";
import { PERIODS, data, go, span, view } from "./state.js";

/** @typedef {string | number | null} Cell */
/**
 * @typedef {object} Table
 * @property {string} name
 * @property {string} title
 * @property {string[]} columns
 * @property {Cell[][]} rows
 *
 * @typedef {object} Content
 * @property {string[]} accounts
 * @property {string[]} kinds
 * @property {string[]} tags
 * @property {string[]} metrics
 * @property {string[]} ages
 * @property {string} age
 * @property {string} zone
 * @property {string[]} notes
 * @property {Table[]} tables
 * @property {Record<string, string>} cards The keys of cards, by media id.
 */

const ENDS = 10; // so many of the best and of the worst posts are shown at first
const LEGEND = "Line: this post. Dashed: the median.";
const root = h("div", { class: "results" });
/** @type {Content | null} */
let content = null;
let asked = ""; // the query of the content, or of that which is on its way
let isWhole = false; // whether all posts are shown
let isCurveWanted = false; // whether the curve is brought into sight

// A chart has the colours of the theme that it was drawn in.
new MutationObserver(() => show()).observe(document.documentElement, { attributeFilter: ["data-theme"] });

/** Return the element of the view, which stays the same, so that a list of choices that is open stays open. */
export function resultsView() {
  load();
  return root;
}

/** The page's filter knows a kind that Instagram does not. */
const kindOf = () => (view.kind === "feed video" ? "reel" : view.kind);

function query() {
  const { first: from, last: to } = span();
  const { dag: dag_id, account, tag, metric, age, curve: post } = view;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const given = { from, to, dag_id, account, kind: kindOf(), tag, metric, age, post, zone };
  return String(new URLSearchParams(Object.entries(given).filter(([, value]) => value)));
}

async function load() {
  const wanted = query();
  if (wanted === asked) return;
  asked = wanted;
  root.setAttribute("aria-busy", "true");
  if (!content) root.replaceChildren(h("p", { class: "loading" }, "Loading …"));
  try {
    const answer = await request(`results?${wanted}`);
    if (wanted !== asked) return; // a later answer counts
    content = answer?.content;
    show();
  } catch (error) {
    if (wanted === asked) showProblem(messageOf(error));
  }
  root.removeAttribute("aria-busy");
}

/** @param {string} text */
function showProblem(text) {
  const again = () => {
    asked = "";
    load();
  };
  content = null;
  const button = h("button", { class: "btn", type: "button", click: again }, "Try again");
  root.replaceChildren(h("div", { class: "empty" }, h("h2", {}, "No results can be shown."), h("p", {}, text), button));
}

/**
 * Return a list of choices.
 * @param {keyof import("./state.js").View} name
 * @param {string} label
 * @param {[string, string][]} options The values and their words.
 * @param {string} [chosen]
 */
function choice(name, label, options, chosen = view[name]) {
  const items = options.map(([value, words]) => h("option", { value, selected: value === chosen }, words));
  return h(
    "label",
    {},
    h("span", {}, label),
    h("select", { "data-choice": name, change: (_, self) => go({ [name]: self.value }) }, items),
  );
}

/** @param {string[]} values @returns {[string, string][]} */
const pairs = (values) => values.map((value) => [value, value]);

/** @param {Content} of */
function choices(of) {
  /** @type {[string, string][]} */
  const calendars = data.calendars.map(({ dag, name }) => [dag, name]);
  return h(
    "div",
    { class: "choices" },
    calendars.length > 1 ? choice("dag", "Calendar", [["", "All calendars"], ...calendars]) : null,
    choice("account", "Account", [["", "All accounts"], ...pairs(of.accounts)]),
    choice("kind", "Kind", [["", "All kinds"], ...pairs(of.kinds)], kindOf()),
    of.tags.length ? choice("tag", "Tag", [["", "All tags"], ...pairs(of.tags)]) : null,
    choice(
      "metric",
      "Number",
      of.metrics.map((name) => [name, metricName(name)]),
      view.metric || "reach",
    ),
    of.ages.length ? choice("age", "At the age of", pairs(of.ages), of.age) : null,
    choice("period", "Period", Object.entries(PERIODS), view.period || "90"),
  );
}

function show() {
  if (!content) return;
  const of = content;
  const active = document.activeElement;
  const focused = active instanceof HTMLElement && root.contains(active) ? active.dataset.choice : undefined;
  const notes = [...of.notes, `Times are those of ${of.zone}.`].map((note) => h("p", {}, note));
  const tables = of.tables.filter((table) => table.rows.length).map((table) => section(table, of));
  root.replaceChildren(choices(of), h("div", { class: "notice", "data-state": "planned" }, notes), ...tables);
  /** @type {HTMLElement | null} */
  const again = focused ? root.querySelector(`[data-choice="${focused}"]`) : null;
  again?.focus();
  if (isCurveWanted) root.querySelector("[data-table=curve]")?.scrollIntoView({ block: "center" });
  isCurveWanted = false;
}

/** @param {Table} table @param {Content} of */
function section(table, of) {
  const { name, title } = table;
  const figure = h("figure", { class: "chart", role: "img", "aria-label": `Chart of the table below: ${title}` });
  const isDrawn = drawable(table);
  if (isDrawn) requestAnimationFrame(() => draw(figure, table).catch(() => figure.remove())); // once it has a width
  /** @param {string} text @param {string} label @param {() => unknown} click */
  const button = (text, label, click) =>
    h("button", { class: "btn", type: "button", "aria-label": label, click }, text);
  return h(
    "section",
    { class: "result", "data-table": name, "aria-label": title },
    h(
      "div",
      { class: "top" },
      h("h2", { dir: "auto" }, title),
      button("CSV", `Save the table as CSV: ${title}`, () => saveTable(name)),
    ),
    isDrawn ? [figure, h("p", { class: "hint" }, LEGEND)] : [],
    ["posts", "apart"].includes(name)
      ? postsTable(table, of)
      : tableElement(title, table.columns, table.rows.map(cellsOf)),
  );
}

const TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2})(?=$|, read too late$)/;
/** Write numbers and times as the browser's language does. @param {Cell} cell */
const words = (cell) =>
  typeof cell === "number"
    ? cell.toLocaleString()
    : (cell ?? "").replace(TIME, (_, day, time) => `${inWords(day, { dateStyle: "medium" })}, ${timeOfDay(time)}`);
/** Return how a cell is set: a long text is broken into lines. @param {Cell} cell */
function formOf(cell) {
  if (typeof cell === "number") return "number";
  const { length } = words(cell);
  return length > 60 ? "text wide" : length > 16 ? "text" : "";
}
/** @param {Cell[]} row */
const cellsOf = (row) => row.map((cell) => h("td", { class: formOf(cell), dir: "auto" }, words(cell)));

/** @param {string} title @param {string[]} columns @param {HTMLElement[][]} rows */
function tableElement(title, columns, rows) {
  const head = columns.map((column) => h("th", { scope: "col" }, column));
  const body = rows.map((cells) => h("tr", {}, cells));
  const table = h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
  return h(
    "div",
    {
      class: rows.length > 2 * ENDS ? "scroll long" : "scroll",
      tabindex: 0,
      role: "region",
      "aria-label": `Table: ${title}`,
    },
    table,
  );
}

/** @param {string} id */
function showCurve(id) {
  isCurveWanted = true;
  if (view.curve === id) show();
  else go({ curve: id });
}

/** Return posts: of many that are compared, the best and the worst. @param {Table} table @param {Content} of */
function postsTable({ name: table, title, columns, rows }, of) {
  const isCut = table === "posts" && !isWhole && rows.length > 2 * ENDS;
  const shown = isCut ? [...rows.slice(0, ENDS), ...rows.slice(-ENDS)] : rows;
  const elements = shown.map((row) => {
    const [link, id] = row.slice(-2).map(words);
    const key = of.cards[id ?? ""];
    const open = { class: "btn", type: "button", click: () => openPost(key ?? "") };
    const curve = { class: "btn", type: "button", click: () => showCurve(id ?? "") };
    const name = String(row[3] || id);
    const acts = [
      h("button", { ...curve, "aria-label": `Curve of ${name}` }, "Curve"),
      key ? h("button", { ...open, "aria-label": `Open ${name}` }, "Open") : null,
      link ? outward("Instagram", link) : null,
    ];
    return [...cellsOf(row.slice(0, -2)), h("td", {}, h("span", { class: "group" }, acts))];
  });
  const head = columns.map((name, at) => (at === 4 ? metricName(name) : name));
  const whole = () => {
    isWhole = true;
    show();
  };
  const more = h("button", { class: "btn", type: "button", click: whole }, `Show all ${rows.length} posts`);
  const which = h("p", { class: "hint" }, `The ${ENDS} that reached most and the ${ENDS} that reached least. `, more);
  return h("div", {}, isCut ? which : null, tableElement(title, [...head.slice(0, -2), "Look at"], elements));
}

/** @param {string} name */
async function saveTable(name) {
  try {
    const answer = await fetch(`${ROOT}/calendar/api/results.csv?${asked}&table=${name}`, {
      credentials: "same-origin",
    });
    if (!answer.ok) throw new Error("The table could not be read. Try again.");
    save(await answer.blob(), `${name}.csv`);
  } catch (error) {
    say(messageOf(error));
  }
}
