// Cards that are dragged to another day, and several posts that are chosen at once.

import { post, request } from "./api.js";
import { fromDay, whenOf } from "./dates.js";
import { byId, counted, h, messageOf, say } from "./dom.js";
import { mayEdit, move, moveWithUndo, movedTo, offerUndo, sendEdit } from "./edit.js";
import { droppedOnIdeas } from "./ideas.js";
import { actOn, closePart, openPost } from "./panel.js";
import { data, edited, keyOf, placeOf, refresh, view } from "./state.js";
import { cardElements, cardOf } from "./views.js";

/** @typedef {import("./state.js").Card} Card */

/** @type {Set<string>} */
const chosen = new Set();
/** The posts whose approval is asked about one after the other. @type {string[]} */
let queue = [];
let asked = 0;
let isChoosing = false;
const DAY_MS = 86400000;
const FAR = 6; // pixels, from which on a press is a drag

/** Choose a post, or do not choose it any more. @param {string} key */
export function choose(key) {
  if (!chosen.delete(key)) chosen.add(key);
  drawChosen();
}

/** Whether a click on a card chooses it. */
export const choosing = () => isChoosing;

/** Let clicks choose cards, or open them. */
export function chooseByClick() {
  isChoosing = !isChoosing;
  drawChosen();
}

/** @returns {Card[]} */
const cards = () => [...chosen].flatMap((key) => data.cards.get(key) ?? []);

/** Show which cards are chosen, and what can be done with them. */
export function drawChosen() {
  for (const key of chosen) if (data.loaded && !data.cards.has(key)) chosen.delete(key);
  for (const card of cardElements()) {
    if (chosen.has(card.dataset.key ?? "")) card.setAttribute("aria-pressed", "true");
    else card.removeAttribute("aria-pressed");
  }
  const bar = byId("bulk");
  const isShown = chosen.size > 0 || isChoosing || queue.length > 0;
  if (bar.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement && isShown) return;
  bar.hidden = !isShown;
  document.body.classList.toggle("choosing", isShown);
  bar.replaceChildren(...(queue.length ? reviewElements() : barElements()));
}

/** @param {string} text @param {() => unknown} click @param {string} key */
const button = (text, click, key = "") =>
  h("button", { class: "btn", type: "button", click, title: key && `Key ${key}` }, text);

function barElements() {
  const all = cards();
  const waiting = all.filter((card) => card.state === "waiting");
  const edits = all.filter(mayEdit);
  const tagged = edits.filter((card) => card.kind); // the tags of a post with a problem are not known here
  const days = h("input", { type: "number", value: 1, "aria-label": "Days", step: 1 });
  const tag = h("input", { "aria-label": "Tag", placeholder: "Tag", maxlength: 100 });
  return [
    h("b", {}, chosen.size ? `${chosen.size} chosen` : "Click the posts to choose"),
    waiting.length ? button(`Approve ${waiting.length} …`, () => review(waiting)) : null,
    waiting.length ? button("Reject", () => each("Rejected", waiting, answerNo)) : null,
    all.length ? button("Skip", () => each("Skipped", all, skip)) : null,
    edits.length
      ? h(
          "span",
          { class: "group" },
          days,
          button("Move by days", () => shift(edits, Number(days.value))),
        )
      : null,
    tagged.length
      ? h(
          "span",
          { class: "group" },
          tag,
          button("Add tag", () => each("Tagged", tagged, (card) => addTag(card, tag.value))),
        )
      : null,
    button("Clear", clear, "Escape"),
  ].filter((one) => one instanceof Node);
}

function clear() {
  chosen.clear();
  isChoosing = false;
  /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
  drawChosen();
}

/**
 * Do something to each post, one after the other, and say what became of it.
 * @param {string} verb @param {Card[]} all @param {(card: Card) => Promise<unknown>} work
 */
async function each(verb, all, work) {
  let done = 0;
  /** @type {string[]} */
  const refused = [];
  for (const card of all) {
    try {
      if ((await work(card)) !== null) done += 1;
    } catch (error) {
      refused.push(`${card.id}: ${messageOf(error)}`);
    }
  }
  clear();
  say([`${verb}: ${done} of ${all.length}.`, ...refused].join(" "));
  await refresh();
  return done;
}

/** @param {Card} card */
const named = (card) => ({ dag_id: card.dag, post_id: placeOf(card) });
/** @param {Card} card */
const skip = (card) => post({ ...named(card), act: "skip" });

/** Reject a post as it is now. @param {Card} card */
async function answerNo(card) {
  const answer = await request(`post?${new URLSearchParams(named(card))}`);
  const { version, sha256, held } = answer?.content ?? {};
  return post({ ...named(card), act: "reject", version, sha256, held });
}

/** @param {Card} card @param {string} tag */
async function addTag(card, tag) {
  const tags = [...(card.tags ?? []), tag.trim()];
  if (!tag.trim() || card.tags?.includes(tag.trim())) return null;
  const edit = { dag: card.dag, id: card.id, seen: { tags: card.tags ?? [] }, fields: { tags } };
  const answer = await sendEdit("change", edit);
  if (answer) edited(card, { tags });
  return answer;
}

/** Move posts by days: the last ones first if they move on, so that none comes close to the next. @param {Card[]} all @param {number} days */
async function shift(all, days) {
  const ordered = [...all].sort((a, b) => (days > 0 ? b.at - a.at : a.at - b.at));
  /** The moved posts as this move left them, so that a later one by somebody else is not taken back. @type {Map<Card, string>} */
  const before = new Map();
  const done = await each(`Moved by ${counted(days, "day")}`, ordered, async (card) => {
    const answer = await move(card, movedTo(card, days));
    const now = data.cards.get(keyOf(card));
    if (answer && now) before.set(now, card.local);
    return answer;
  });
  if (!done) return;
  offerUndo(`${counted(done, "post")} moved by ${counted(days, "day")}.`, () =>
    each("Moved back", [...before.keys()].reverse(), (card) => move(card, before.get(card) ?? card.local)),
  );
}

/** Show each post that waits, and take an answer by a key. @param {Card[]} waiting */
function review(waiting) {
  queue = waiting.map(keyOf);
  asked = 0;
  isChoosing = false;
  chosen.clear();
  showNext();
}

function showNext() {
  const key = queue[asked];
  if (key === undefined) return endReview();
  openPost(key);
  drawChosen();
}

/** End the look at the posts that wait. Return whether it was going on. */
export function endReview() {
  const was = queue.length > 0;
  queue = [];
  if (was) closePart();
  drawChosen();
  return was;
}

function reviewElements() {
  return [
    h("b", {}, `${asked + 1} of ${queue.length} to approve`),
    button("Approve", () => answer("approve"), "a"),
    button("Reject", () => answer("reject"), "r"),
    button("Next", next, "n"),
    button("Stop", endReview, "Escape"),
  ];
}

function next() {
  asked += 1;
  showNext();
}

let isAnswering = false;
/** Answer for the post that is shown. A second press does not answer for the next one. @param {string} name */
async function answer(name) {
  if (isAnswering) return;
  isAnswering = true;
  const isDone = await actOn(name);
  isAnswering = false;
  if (isDone) next();
}

/** @type {Record<string, () => unknown>} */
const ANSWERS = { a: () => answer("approve"), r: () => answer("reject"), n: next };
/** @type {Record<string, number>} */
const DAYS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };

/** Handle a key. Return whether it meant something. @param {KeyboardEvent} event */
export function chooseByKey(event) {
  const answered = queue.length ? ANSWERS[event.key] : undefined;
  if (answered) {
    if (!event.repeat) answered(); // a key that is held answers for one post, not for those that follow
    return true;
  }
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
  const card = focused ? data.cards.get(focused) : undefined;
  if (!card) return false;
  const days = event.shiftKey ? DAYS[event.key] : undefined;
  if (days && mayEdit(card)) moveWithUndo(card, movedTo(card, days));
  else if (event.key === "x") choose(keyOf(card));
  else return false;
  return true;
}

/** @type {{ key: string, x: number, y: number, isDrag: boolean } | null} */
let drag = null;

/** @param {MouseEvent} event */
const dayAt = (event) => {
  const day = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-day]");
  return day instanceof HTMLElement ? day : null;
};

/** Show over which day a card is dragged. @param {HTMLElement | null} day */
function markDrop(day) {
  for (const other of document.querySelectorAll(".drop")) if (other !== day) other.classList.remove("drop");
  day?.classList.add("drop");
}

/** End a drag, and return it if the card was moved. */
function endDrag() {
  const ended = drag;
  drag = null;
  if (!ended?.isDrag) return null;
  document.body.classList.remove("dragging");
  cardOf(ended.key)?.classList.remove("dragged");
  markDrop(null);
  return ended;
}

/** Leave a card that is dragged where it was. Return whether there was one. */
export function cancelDrag() {
  if (!endDrag()) return false;
  document.addEventListener("mouseup", catchClick, { capture: true, once: true }); // the button is still pressed
  return true;
}

/** Keep the click that ends a drag from opening the card. */
function catchClick() {
  document.addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
  setTimeout(() => document.dispatchEvent(new MouseEvent("click")));
}

/** Let cards be dragged to another day, with the mouse. Keys do the same: see `chooseByKey`. */
export function followDrags() {
  const main = byId("view");
  main.addEventListener("mousedown", (event) => {
    const element = /** @type {Element} */ (event.target).closest(".card");
    const key = element instanceof HTMLElement ? (element.dataset.key ?? "") : "";
    const card = data.cards.get(key);
    if (event.button === 0 && card && mayEdit(card)) drag = { key, x: event.clientX, y: event.clientY, isDrag: false };
  });
  document.addEventListener("mousemove", (event) => {
    if (!drag) return;
    drag.isDrag ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > FAR;
    if (!drag.isDrag) return;
    event.preventDefault();
    document.body.classList.add("dragging");
    cardOf(drag.key)?.classList.add("dragged");
    markDrop(dayAt(event));
  });
  document.addEventListener("mouseup", (event) => {
    const dragged = endDrag();
    if (!dragged) return;
    catchClick();
    const day = dayAt(event)?.dataset.day;
    const card = data.cards.get(dragged.key);
    if (!card || droppedOnIdeas(event, card) || !day) return;
    const from = whenOf(card, view.zone).day; // in the zone that the page shows
    const days = (fromDay(day).getTime() - fromDay(from).getTime()) / DAY_MS;
    if (days) moveWithUndo(card, movedTo(card, days));
  });
}
