// The sections of the side panel below the preview: the facts of a post, its history, and its lines in the file.

import { inWords, moment, timeOfDay } from "./dates.js";
import { h, outward } from "./dom.js";
import { data } from "./state.js";

/** @typedef {import("./panel.js").Detail} Detail */
/** @typedef {import("./panel.js").PostDetail} PostDetail */
/** @typedef {import("./dom.js").Child} Child */
/** @typedef {import("./state.js").Problem} Problem */

/** @param {string} heading @param {(Child | Child[])[]} content */
const section = (heading, ...content) => h("section", {}, h("h3", {}, heading), ...content);

/** @param {[string, Child | Child[]][]} pairs @param {string} more */
const factList = (pairs, more = "") =>
  h(
    "dl",
    { class: `facts${more}` },
    pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );

// A Map, because a name may be anything that is stored.
const METRICS = new Map([
  ["total_interactions", "Interactions"],
  ["ig_reels_avg_watch_time", "Average watch time (ms)"],
  ["ig_reels_video_view_total_time", "Watch time (ms)"],
  ["reels_skip_rate", "Skip rate (%)"],
]);
/** @param {string} name */
const capital = (name) => `${name.slice(0, 1).toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
/** @param {string} name */
export const metricName = (name) => METRICS.get(name) ?? capital(name);

/** @param {PostDetail} content */
export function insightsSection({ insights }) {
  if (!insights) return null;
  /** @type {[string, string][]} */
  const pairs = insights.values.map(([name, value]) => [metricName(name), value.toLocaleString()]);
  const hint = h("p", { class: "hint" }, `Read for the age of ${insights.age}, on ${moment(insights.at)}.`);
  return section("Insights", factList(pairs, " insights"), hint);
}

/** @param {PostDetail} content */
export function factsSection(content) {
  const { card, media } = content;
  const date = /** @type {const} */ ({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const calendarTime = `${inWords(card.local.slice(0, 10), date)}, ${timeOfDay(card.local.slice(11))} ${content.zone}`;
  const options = Object.entries(content.options).filter(([name]) => !["placement", "alt_text"].includes(name));
  /** @type {([string, Child | Child[]] | false | undefined | null | "")[]} */
  const facts = [
    ["Time in the plan", calendarTime],
    ["Your time", moment(card.at * 1000, { ...date, timeZoneName: "short" })],
    ["Account", card.account],
    ["Kind", content.kind],
    [media.length > 1 ? "Files" : "File", media.map((item) => item.file).join(", ")],
    content.comment ? ["First comment", content.comment] : null,
    card.asks && ["Approval", "required"],
    card.dry && ["Dry run", "not published"],
    ...options.map(
      ([name, value]) =>
        /** @type {[string, string]} */ ([
          name.replaceAll("_", " "),
          typeof value === "string" ? value : JSON.stringify(value),
        ]),
    ),
    card.tags && ["Tags", card.tags.map((tag) => h("span", { class: "tag" }, tag))],
  ];
  return section("Post", factList(facts.flatMap((fact) => (fact ? [fact] : []))));
}

const TIERS = new Map([
  ["pass", "Left as it is: it complies already."],
  ["remux", "Copied into a new file, without encoding."],
  ["audio", "Only the sound was encoded."],
  ["full", "Encoded."],
]);

/** @param {PostDetail} content */
export function transcodeSection({ report }) {
  const reports = (Array.isArray(report) ? report : [report]).filter((one) => one && typeof one === "object");
  if (!reports.length) return null;
  /** @param {unknown} texts */
  const items = (texts) => (Array.isArray(texts) ? texts : []).map((text) => h("li", {}, `• ${text}`));
  const parts = reports.map(({ tier, reasons, warnings }, index) => {
    const which = reports.length > 1 ? `Item ${index + 1}. ` : "";
    const warned = items(warnings);
    return h(
      "div",
      {},
      h("p", {}, which, TIERS.get(tier) ?? String(tier || "")),
      h("ul", {}, items(reasons)),
      warned.length ? h("ul", { class: "error" }, warned) : null,
    );
  });
  return section("What the transcode did", parts);
}

/** @param {PostDetail} content */
export function historySection({ history }) {
  if (!history.length) return null;
  const items = history.map(({ at, what, detail, link }) => {
    const event = h("div", {}, link ? outward(what, link) : what, detail ? `: ${detail}` : "");
    return h("li", {}, h("div", {}, event, h("div", { class: "at" }, at ? moment(at, { second: "2-digit" }) : "")));
  });
  return section("History", h("ol", { class: "history" }, items));
}

/** @param {Detail} content */
export function linesSection({ line, lines }) {
  if (!lines) return null;
  const code = h("pre", { class: "mono", tabindex: 0, "aria-label": "Lines of the file" }, lines);
  const copy = async (/** @type {Event} */ _, /** @type {HTMLElement} */ button) => {
    try {
      await navigator.clipboard.writeText(lines);
      button.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(code);
    }
  };
  const button = h("button", { class: "btn", type: "button", click: copy }, "Copy");
  return section(`In the calendar's file, line ${line}`, h("div", { class: "lines" }, code, button));
}

/** Return what people have noted. @param {import("./state.js").Card} card */
export const noteSection = ({ note }) =>
  note ? section("Note, never published", h("p", { class: "note", dir: "auto" }, note)) : null;

/** @param {import("./state.js").Card} card */
export function problemSection({ dag, problems }) {
  if (!problems) return null;
  const file = data.calendars.find((one) => one.dag === dag)?.file ?? "";
  const items = problems.map((problem) => problemElement(file, { ...problem, post: null }));
  return section("What has to be corrected", h("ul", { class: "notice", "data-state": "problem" }, items));
}

/** @param {string} file @param {Problem} problem */
export function problemElement(file, problem) {
  return h(
    "li",
    {},
    h("code", { class: "where" }, problem.line ? `${file}:${problem.line}` : file),
    problem.post ? h("b", {}, `${problem.post}: `) : null,
    problem.message,
    h("span", { class: "remedy" }, problem.remedy),
  );
}
