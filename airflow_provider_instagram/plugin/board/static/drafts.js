// Drafts: posts without a time or a file. Those without a time stand beside the calendar until they are put on a day.

import { request } from "./api.js";
import { longDay } from "./dates.js";
import { byId, h, say } from "./dom.js";
import { idOf } from "./fields.js";
import { openPost } from "./panel.js";
import { data, edited, go, drafts, keyOf, short, view } from "./state.js";
import { editable, mayEdit, offerUndo, sendEdit, tell } from "./writes.js";

/** @typedef {import("./state.js").Card} Card */

const MOST = 200; // cards that are drawn
/** Whether the user has opened or closed the column; without that, it is open where a draft is. @type {boolean | null} */
let isOpened = null;

const isOpen = () => isOpened ?? drafts("").length > 0;
const isShown = () => isOpen() && !["results", "profile"].includes(view.view);

/** Return the button of the bar that opens the column, for whoever may have drafts. */
export function draftsButton() {
  const { length } = drafts("");
  if (!length && !editable().length) return null;
  const turn = () => {
    isOpened = !isOpen();
    go(view.view === "results" || view.view === "profile" ? { view: "weeks" } : {});
  };
  const about = { class: "btn", type: "button", "data-go": "drafts", "aria-pressed": isShown(), click: turn };
  return h("button", about, length ? `Drafts (${length})` : "Drafts");
}

let drawn = "";
/** Draw the column of drafts. What is being typed stays. */
export function drawDrafts() {
  const column = byId("drafts");
  const shown = data.loaded && isShown();
  column.hidden = !shown;
  byId("app").classList.toggle("with-drafts", shown);
  const all = shown ? drafts() : [];
  const of = JSON.stringify([shown, all, editable().map((one) => one.dag)]);
  if (of === drawn) return;
  drawn = of;
  const input = /** @type {HTMLInputElement | null} */ (column.querySelector("[name=draft]"));
  const kept = { text: input?.value ?? "", isTyping: input !== null && input === document.activeElement };
  const more = all.length - MOST;
  column.replaceChildren(
    h("h2", {}, "Drafts"),
    ...[editable().length ? newDraft(kept.text) : null].filter((one) => one !== null),
    all.length ? h("ul", {}, all.slice(0, MOST).map(draftElement)) : h("p", { class: "hint" }, "No drafts yet."),
    ...(more > 0 ? [h("p", { class: "hint" }, `${more} more. Search shows them.`)] : []),
  );
  if (kept.isTyping) /** @type {HTMLElement | null} */ (column.querySelector("[name=draft]"))?.focus();
}

/** @param {Card} card */
function draftElement(card) {
  const lacks = h("span", { class: "sub" }, [short(card.account), card.why].filter(Boolean).join(", "));
  const title = h("span", { class: "title", dir: "auto" }, card.title || card.id);
  const about = { class: "card draft", type: "button", "data-draft": keyOf(card), "data-state": "draft" };
  const hint = mayEdit(card) ? "Drag it onto a day, or open it and set a time." : "";
  return h(
    "li",
    {},
    h(
      "button",
      { ...about, title: hint, click: () => openPost(keyOf(card)) },
      h("span", { class: "text" }, title, lacks),
    ),
  );
}

/** Return the calendar that a draft is written into. */
const meant = () => editable().find((one) => one.dag === view.dag) ?? editable()[0];

/** @param {string} text */
function newDraft(text) {
  const input = h("input", { name: "draft", "aria-label": "New draft", placeholder: "New draft", maxlength: 2000 });
  input.value = text;
  const add = h("button", { class: "btn", type: "submit" }, "Add");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const note = input.value.trim();
    const calendar = meant();
    if (!note || !calendar) return;
    add.disabled = true;
    const isDone = await tell(() => addDraft(calendar.dag, note));
    add.disabled = false;
    if (isDone) input.value = "";
    drawn = "";
    drawDrafts();
  };
  return h("form", { submit }, input, add);
}

/** Write a new draft, as a note. @param {string} dag @param {string} note */
async function addDraft(dag, note) {
  const answer = await request(`files?${new URLSearchParams({ dag_id: dag })}`);
  const [account] = /** @type {string[]} */ (answer?.content.accounts ?? []);
  const id = `${idOf(note) || "draft"}-${Date.now().toString(36).slice(-4)}`; // two people may have one draft
  /** @type {Record<string, string>} */
  const fields = account ? { note, account } : { note };
  const done = await sendEdit("add", { dag, id, fields });
  if (done) say(done.done);
  return done;
}

/** Put a draft on a day, at a free time. @param {Card} card @param {string} day */
export async function schedule(card, day) {
  await tell(async () => {
    const query = new URLSearchParams({ dag_id: card.dag, post_id: card.id, day });
    const at = String((await request(`drafts/time?${query}`))?.content.at);
    const edit = { dag: card.dag, id: card.id };
    const answer = await sendEdit("change", { ...edit, seen: { publish_at: null }, fields: { publish_at: at } });
    if (!answer) return null;
    const text = `${card.id} is on ${longDay(day)}, ${at.slice(11)}.`;
    say(text);
    edited(card, answer.at ? { local: at, at: answer.at } : { local: at }); // without a file, no time is answered
    offerUndo(text, () => toDrafts(card, at));
    return answer;
  });
}

/** Take a post's time away. @param {Card} card @param {string} at */
async function toDrafts(card, at) {
  const edit = { dag: card.dag, id: card.id, seen: { publish_at: at }, fields: { publish_at: "" } };
  const answer = await sendEdit("change", edit);
  if (!answer) return null;
  say(`${card.id} is a draft now.`);
  edited(card, { local: "", at: 0 });
  return answer;
}

/** Take a post from its day to the drafts, and offer to put it back. @param {Card} card */
export async function unschedule(card) {
  const { local, at } = card;
  if (!(await tell(() => toDrafts(card, local)))) return;
  isOpened = true;
  const edit = { dag: card.dag, id: card.id, seen: { publish_at: null }, fields: { publish_at: local } };
  offerUndo(`${card.id} is a draft now.`, async () => {
    const answer = await sendEdit("change", edit);
    if (answer) edited(card, { local, at });
    return answer;
  });
}
