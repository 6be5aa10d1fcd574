// Posts that are added at once: the rows of a sheet. The server says what would be written.

import { send } from "./api.js";
import { counted, h, messageOf, say } from "./dom.js";
import { problemElement } from "./sections.js";
import { go, refresh, view } from "./state.js";
import { editable, preformatted } from "./writes.js";

/**
 * @typedef {{ title: string, field: string, cells: string[] }} Column
 * @typedef {{ field: "account" | "placement", word: string, lines: number[], choices: string[], said: string | null }} Ask
 *
 * @typedef {object} Found What a sheet adds.
 * @property {number} posts
 * @property {number} drafts
 * @property {number} present How many posts the file has already.
 * @property {string | null} first
 * @property {import("./state.js").Problem[]} problems Why rows are left out.
 * @property {number} more_problems
 * @property {string} diff
 * @property {string} proposal
 * @property {Column[]} columns
 * @property {string[]} meanings
 * @property {Ask[]} asks
 * @property {string[]} needs
 * @property {string[]} accounts
 * @property {string} account
 * @property {string} zone
 * @property {string[]} missing
 */

const MOST_BYTES = 1_000_000;
/** What a column may mean, as people say it. The others are the names of fields. @type {Record<string, string>} */
const MEANINGS = {
  publish_at: "date and time",
  media: "file (video, picture or several)",
  image: "picture",
  placement: "format",
};
const NOTHING = "– nothing –";

/** Return the button of the bar that imports posts. */
export const importButton = () =>
  h("button", { class: "btn", type: "button", "data-go": "import", click: openImport }, "Import");

/**
 * Return a list of choices.
 * @param {string} label @param {[string, string][]} pairs @param {string} value @param {(value: string) => unknown} choose
 */
function choice(label, pairs, value, choose) {
  const options = pairs.map(([one, text]) => h("option", { value: one, selected: one === value }, text));
  return h("select", { "aria-label": label, change: (_, self) => choose(self.value) }, options);
}

/** Open the window in which a user chooses a sheet. */
function openImport() {
  const [calendar] = [editable().find((one) => one.dag === view.dag) ?? editable()[0]];
  if (!calendar) return;
  const dialog = h("dialog", { class: "sheets", "aria-label": "Import posts" });
  const body = h("div", { class: "sheet" });
  const close = h("button", { class: "btn", type: "button", click: () => dialog.close() }, "Close");
  dialog.append(body, h("div", { class: "acts" }, close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  body.append(...startElements(new Import(calendar, body, dialog)));
  dialog.showModal();
}

/** @param {Import} of */
function startElements(of) {
  const error = h("p", { class: "error", role: "alert" });
  const file = h("input", {
    type: "file",
    accept: ".csv,text/csv",
    change: async (_, self) => {
      const [chosen] = self.files ?? [];
      if (!chosen) return;
      error.textContent = chosen.size > MOST_BYTES ? "The sheet has more than 1 MB. Split it." : "";
      if (!error.textContent) await of.look({ sheet: await asBase64(chosen) });
    },
  });
  return [
    h("h2", {}, `Import posts into ${of.calendar.file}`),
    h(
      "p",
      { class: "hint" },
      "A CSV of Buffer, Later, Planoly, Excel or Google Sheets. You see everything before it is written.",
    ),
    h("label", { class: "field" }, "Sheet (CSV)", file),
    error,
  ];
}

/** Return the bytes of a file in Base64. @param {File} file @returns {Promise<string>} */
const asBase64 = (file) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result).replace(/^[^,]*,/, "")));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });

/** What a user imports, and what they have said about it. */
class Import {
  /** @param {import("./state.js").Calendar} calendar @param {HTMLElement} body @param {HTMLDialogElement} dialog */
  constructor(calendar, body, dialog) {
    this.calendar = calendar;
    this.body = body;
    this.dialog = dialog;
    /** @type {Record<string, any>} What is sent. */
    this.given = {};
  }

  /** Ask the server what it makes of this, and show that. @param {Record<string, unknown>} more */
  async look(more = {}) {
    const given = { ...this.given, ...more };
    const answer = await this.ask(given);
    if (!answer) return;
    this.given = given;
    const focused = document.activeElement?.getAttribute("aria-label");
    this.body.replaceChildren(...this.elements(answer));
    /** @type {HTMLElement | null} */
    const again = focused ? this.body.querySelector(`[aria-label="${CSS.escape(focused)}"]`) : null;
    again?.focus();
  }

  /** @param {Record<string, unknown>} given */
  async ask(given) {
    try {
      return await send("import", { dag_id: this.calendar.dag, ...given });
    } catch (error) {
      this.body.querySelector(".refused")?.remove();
      this.body.append(h("p", { class: "error refused", role: "alert" }, messageOf(error)));
      return null;
    }
  }

  /** Write what is shown. @param {Found} found */
  async write(found) {
    const answer = await this.ask({ ...this.given, agreed: found.proposal });
    if (!answer) return;
    this.dialog.close();
    say(answer.done);
    await refresh();
    if (found.first) await go({ day: found.first });
  }

  /** @param {Found} found */
  elements(found) {
    const parts = [
      found.posts ? counted(found.posts, "post") : "",
      found.drafts ? counted(found.drafts, "draft") : "",
    ].filter(Boolean);
    const words = parts.join(" and ");
    const already = found.present ? `${counted(found.present, "row")} in the file already.` : "";
    const write = { class: "btn main", type: "button", click: () => this.write(found) };
    return [
      h("h2", {}, `${this.calendar.file}: ${words || "nothing"} to add. ${already}`),
      ...this.sheetElements(found),
      this.leftOut(found),
      found.diff ? preformatted("Changes", found.diff) : null,
      found.proposal ? h("div", { class: "acts" }, h("button", write, `Write ${words}`)) : null,
    ].filter((one) => one instanceof Node);
  }

  /** @param {Found} found */
  leftOut({ problems, more_problems: more }) {
    const number = problems.length + more;
    if (!number) return null;
    const rows = problems.map((problem) => problemElement("Line", problem));
    const rest = more ? h("li", {}, `… and ${more} more`) : null;
    return h(
      "details",
      { class: "notice", "data-state": "problem", open: true },
      h("summary", {}, `${counted(number, "row")} left out`),
      h("ul", { class: "long" }, rows, rest),
    );
  }

  /** @param {Found} found */
  sheetElements({ columns, meanings, asks, needs, accounts, account, zone, missing }) {
    /** @type {[string, string][]} */
    const pairs = [["", NOTHING], ...meanings.map((name) => /** @type {[string, string]} */ ([name, meaningOf(name)]))];
    const heads = columns.map(({ title, field }) =>
      h(
        "th",
        {},
        title || "(no title)",
        choice(`Meaning of ${title}`, pairs, field, (value) =>
          this.look({ columns: { ...this.given.columns, [title]: value } }),
        ),
      ),
    );
    const rows = [0, 1, 2, 3, 4]
      .filter((row) => columns.some(({ cells }) => cells[row]))
      .map((row) =>
        h(
          "tr",
          {},
          columns.map(({ cells }) => h("td", { dir: "auto" }, cells[row] ?? "")),
        ),
      );
    const table = h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
    return [
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The first rows of the sheet" }, table),
      h(
        "div",
        { class: "choices" },
        this.questions(needs, accounts, account, zone),
        asks.map((ask) => this.askElement(ask)),
      ),
      missing.length ? h("p", { class: "hint" }, `Not in the calendar's folder yet: ${missing.join(", ")}`) : null,
    ];
  }

  /** @param {string[]} needs @param {string[]} accounts @param {string} account @param {string} zone */
  questions(needs, accounts, account, zone) {
    const { order = "", time = "", timezone } = this.given;
    /** @type {[string, string][]} */
    const orders = [
      ["", "choose …"],
      ["day-first", "day first: 3/4 is 3 April"],
      ["month-first", "month first: 3/4 is March 4"],
    ];
    const named = accounts.map((name) => /** @type {[string, string]} */ ([name, name]));
    const of = h("input", {
      type: "time",
      "aria-label": "Time of day",
      value: time,
      change: (_, self) => this.look({ time: self.value }),
    });
    const where = h("input", {
      "aria-label": "Time zone",
      value: timezone ?? zone,
      change: (_, self) => this.look({ timezone: self.value }),
    });
    return [
      needs.includes("dates") || order
        ? h(
            "label",
            {},
            "Dates such as 3/4",
            choice("Dates", orders, order, (value) => this.look({ order: value })),
          )
        : null,
      needs.includes("time") || time ? h("label", {}, "Time of dates without one", of) : null,
      h("label", {}, "Time zone of the sheet", where),
      accounts.length > 1
        ? h(
            "label",
            {},
            "Account of rows without one",
            choice("Account", account ? named : [["", "choose …"], ...named], account, (value) =>
              this.look({ account: value }),
            ),
          )
        : null,
    ];
  }

  /** @param {Ask} ask */
  askElement({ field, word, lines, choices, said }) {
    const label = `${field === "account" ? "Account" : "Format"} “${word}” (${counted(lines.length, "row")}) means`;
    const known = this.given.words?.[field] ?? {};
    /** @type {[string, string][]} */
    const pairs = [
      ["?", "choose …"],
      ["", "leave these rows out"],
      ...choices.map((one) => /** @type {[string, string]} */ ([one, one])),
    ];
    const choose = (/** @type {string} */ value) =>
      value !== "?" && this.look({ words: { ...this.given.words, [field]: { ...known, [word]: value } } });
    return h("label", {}, label, choice(label, pairs, said ?? "?", choose));
  }
}

/** @param {string} name */
const meaningOf = (name) => MEANINGS[name] ?? name.replaceAll("_", " ");
