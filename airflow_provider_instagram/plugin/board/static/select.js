// Cards that are dragged to another day, and several posts that are chosen at once.

import { post, request } from "./api.js";
import { cardElements, cardOf } from "./cards.js";
import { fromDay, today, whenOf } from "./dates.js";
import { byId, counted, h, messageOf, say } from "./dom.js";
import { moveByDays, movedTo } from "./edit.js";
import { addPost } from "./form.js";
import { schedule, unschedule } from "./drafts.js";
import { actOn, closePart, openPost } from "./panel.js";
import { data, editedAll, keyOf, placeOf, refresh, view } from "./state.js";
import { editable, mayEdit, offerUndo, question, sendChanges, tell } from "./writes.js";

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
  const isShown = chosen.size > 0 || isChoosing || queue.length > 0 || progress !== "";
  if (bar.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement && isShown) return;
  bar.hidden = !isShown;
  document.body.classList.toggle("choosing", isShown);
  bar.setAttribute("aria-busy", String(progress !== ""));
  bar.replaceChildren(
    ...(progress ? [h("b", { role: "status" }, progress)] : queue.length ? reviewElements() : barElements()),
  );
}

/** @param {string} text @param {() => unknown} click @param {string} key */
const button = (text, click, key = "") =>
  h("button", { class: "btn", type: "button", click, title: key && `Key ${key}` }, text);

function barElements() {
  const all = cards();
  const waiting = all.filter((card) => card.state === "waiting");
  const others = all.filter((card) => card.state !== "waiting"); // those that wait are rejected instead
  const edits = all.filter(mayEdit);
  const tagged = edits.filter((card) => card.kind); // the tags of a post with a problem are not known here
  const days = h("input", { type: "number", value: 1, "aria-label": "Days", step: 1 });
  const tag = h("input", { "aria-label": "Tag", placeholder: "Tag", maxlength: 100 });
  return [
    h("b", {}, chosen.size ? `${chosen.size} chosen` : "Click the posts to choose"),
    waiting.length ? button(`Approve ${waiting.length} …`, () => review(waiting)) : null,
    waiting.length ? button("Reject …", () => rejectAll(waiting)) : null,
    others.length ? button("Skip …", () => skipAll(others)) : null,
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
          button("Add tag", () => addTag(tagged, tag.value)),
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

/** What is being done, and how far it is; empty if nothing is. */
let progress = "";
/** @param {string} text */
function showProgress(text) {
  progress = text;
  drawChosen();
}

/**
 * Do something to each post, one after the other, say what became of it, and offer to take it back.
 * @param {string} verb @param {Card[]} all @param {(card: Card) => Promise<unknown>} work
 */
async function each(verb, all, work) {
  const done = [];
  const refused = [];
  for (const card of all) {
    showProgress(`${verb}: ${done.length} of ${all.length} …`);
    try {
      if ((await work(card)) !== null) done.push(card);
    } catch (error) {
      refused.push(`${card.id}: ${messageOf(error)}`);
    }
  }
  progress = "";
  clear();
  const text = `${verb}: ${done.length} of ${all.length}.`;
  say([text, ...refused].join(" "));
  await refresh();
  return { done, text };
}

/** @param {Card} card */
const named = (card) => ({ dag_id: card.dag, post_id: placeOf(card) });
/** Try posts again that have failed. @param {Card[]} all */
export const tryAgain = (all) => each("Tried again", all, (card) => post({ ...named(card), act: "retry" }));

const bringBack = (/** @type {Card[]} */ all) =>
  each("Brought back", all, (card) => post({ ...named(card), act: "unskip" }));

/**
 * Ask for a reason. Return it, or null if the user does not want to go on.
 * @param {string} text @param {string} yes
 */
async function reasonFor(text, yes) {
  const reason = h("input", { name: "reason", maxlength: 500 });
  return (await question(text, yes, h("label", { class: "field" }, "Reason", reason))) ? reason.value : null;
}

/** @param {Card[]} all */
async function skipAll(all) {
  const reason = await reasonFor(
    `Skip ${counted(all.length, "post")}? Nothing publishes them until you bring them back.`,
    "Skip",
  );
  if (reason === null) return;
  const { done, text } = await each("Skipped", all, (card) => post({ ...named(card), act: "skip", reason }));
  if (done.length) offerUndo(text, () => bringBack(done), "Bring back");
}

/** Reject posts as they are now. @param {Card[]} all */
async function rejectAll(all) {
  const reason = await reasonFor(
    `Reject ${counted(all.length, "post")}? They are not published. Their authors see the reason.`,
    "Reject",
  );
  if (reason === null) return;
  const { done, text } = await each("Rejected", all, async (card) => {
    const answer = await request(`post?${new URLSearchParams(named(card))}`);
    const { version, sha256, held } = answer?.content ?? {};
    return post({ ...named(card), act: "reject", version, sha256, held, reason });
  });
  if (done.length) offerUndo(text, () => bringBack(done), "Bring back");
}

/**
 * Change posts in one write of the file. Return whether that was done.
 * @param {string} text What is said of it. @param {Card[]} all @param {(card: Card) => { seen: any, fields: any }} change
 */
async function changeAll(text, all, change) {
  showProgress(`${text}: ${counted(all.length, "post")} …`);
  const isDone = await tell(() => sendChanges(all.map((card) => ({ dag: card.dag, id: card.id, ...change(card) }))));
  progress = "";
  if (isDone) clear();
  else drawChosen();
  return isDone;
}

/** @param {Card[]} all @param {string} typed */
async function addTag(all, typed) {
  const tag = typed.trim();
  const without = all.filter((card) => tag && !card.tags?.includes(tag));
  if (!without.length) return;
  const tags = (/** @type {Card} */ card) => [...(card.tags ?? []), tag];
  const change = (/** @type {Card} */ card) => ({ seen: { tags: card.tags ?? [] }, fields: { tags: tags(card) } });
  if (!(await changeAll("Tagging", without, change))) return;
  editedAll(without.map((card) => [card, { tags: tags(card) }]));
  say(`Tagged: ${without.length} of ${all.length}.`);
}

/** Move posts to other times, at once. Return whether that was done. @param {Card[]} all @param {(card: Card) => string} to */
async function moveAll(all, to) {
  const change = (/** @type {Card} */ card) => ({ seen: { publish_at: card.local }, fields: { publish_at: to(card) } });
  if (!(await changeAll("Moving", all, change))) return false;
  editedAll(
    all.map((card) => {
      const later = (wallClock(to(card)) - wallClock(card.local)) / 1000;
      return [card, { local: to(card), at: card.at + later }];
    }),
  );
  return true;
}

const wallClock = (/** @type {string} */ local) => Date.parse(`${local}Z`);

/** Move posts by days, and offer to move them back. @param {Card[]} all @param {number} days */
async function shift(all, days) {
  if (!days || !(await moveAll(all, (card) => movedTo(card, days)))) return;
  const text = `${counted(all.length, "post")} moved by ${counted(days, "day")}.`;
  say(text);
  const before = new Map(all.map((card) => [keyOf(card), card.local]));
  const now = all.flatMap((card) => data.cards.get(keyOf(card)) ?? []); // so that a later move by somebody else stays
  offerUndo(text, () => moveAll(now, (card) => before.get(keyOf(card)) ?? card.local));
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
    button("Reject …", reject, "r"),
    button("Next", next, "n"),
    button("Stop", endReview, "Escape"),
  ];
}

function next() {
  asked += 1;
  showNext();
}

let isAnswering = false;
/**
 * Answer for the post that is shown. A second press does not answer for the next one.
 * @param {string} name @param {Record<string, string>} given
 */
async function answer(name, given = {}) {
  if (isAnswering) return;
  isAnswering = true;
  const isDone = await actOn(name, given);
  isAnswering = false;
  if (isDone) next();
}

async function reject() {
  const reason = await reasonFor("Why is it rejected? Its author sees the reason.", "Reject");
  if (reason !== null) await answer("reject", { reason });
}

/** @type {Record<string, () => unknown>} */
const ANSWERS = { a: () => answer("approve"), r: reject, n: next };
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
  if (days && mayEdit(card) && view.view === "profile") exchangeByKey(card, Math.sign(days));
  else if (days && mayEdit(card)) moveByDays(keyOf(card), days);
  else if (event.key === "x") choose(keyOf(card));
  else return false;
  return true;
}

/** @typedef {{ key: string, x: number, y: number, isDrag: boolean, timer?: number }} Drag */
/** @type {Drag | null} */
let drag = null;
const HOLD_MS = 450; // so long a finger holds a card before it is dragged: else it scrolls the page

/** Return where a card is dropped: on another one in a profile, else on a day or on the drafts. @param {{ clientX: number, clientY: number }} event */
const placeAt = (event) => {
  const kind = view.view === "profile" ? "#view .card" : "#view [data-day], #drafts";
  const place = document.elementFromPoint(event.clientX, event.clientY)?.closest(kind);
  return place instanceof HTMLElement ? place : null;
};

/** Show where something is dropped. @param {HTMLElement | null} place */
function markDrop(place) {
  for (const other of document.querySelectorAll(".drop")) if (other !== place) other.classList.remove("drop");
  place?.classList.add("drop");
}

function beginDrag() {
  if (!drag) return;
  drag.isDrag = true;
  document.body.classList.add("dragging");
  cardOf(drag.key)?.classList.add("dragged");
}

/** End a drag, and return it if the card was moved. */
function endDrag() {
  const ended = drag;
  clearTimeout(drag?.timer);
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
  document.addEventListener("pointerup", catchClick, { capture: true, once: true }); // the button is still pressed
  return true;
}

/** Keep the click that ends a drag from opening the card. */
function catchClick() {
  const stop = (/** @type {Event} */ click) => click.stopPropagation();
  document.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => document.removeEventListener("click", stop, { capture: true }), 50);
}

/** Exchange the times of two posts of a profile. @param {Card} card @param {Card | undefined} other */
async function exchange(card, other) {
  if (!other || other === card || other.account !== card.account || !mayEdit(other)) return;
  const times = new Map([
    [keyOf(card), other.local],
    [keyOf(other), card.local],
  ]);
  const before = new Map([card, other].map((one) => [keyOf(one), one.local]));
  /** @param {Map<string, string>} to */
  const move = (to) => {
    const both = [...to.keys()].flatMap((key) => data.cards.get(key) ?? []);
    return moveAll(both, (one) => to.get(keyOf(one)) ?? one.local);
  };
  if (!(await move(times))) return;
  const text = `${card.id} and ${other.id} have exchanged their times.`;
  say(text);
  offerUndo(text, () => move(before));
}

/** Exchange a post with the one before or after it in its profile. @param {Card} card @param {number} side */
function exchangeByKey(card, side) {
  const all = cardElements().map((element) => data.cards.get(element.dataset.key ?? ""));
  exchange(card, all[all.indexOf(card) + side]);
}

/** @param {PointerEvent} event */
function drop(event) {
  const dragged = endDrag();
  if (!dragged) return;
  catchClick();
  const place = placeAt(event);
  const card = data.cards.get(dragged.key);
  if (!card || !place) return;
  if (view.view === "profile") return exchange(card, data.cards.get(place.dataset.key ?? ""));
  if (place.id === "drafts") return card.local ? unschedule(card) : undefined;
  if (!card.local) return schedule(card, place.dataset.day ?? "");
  const from = whenOf(card, view.zone).day; // in the zone that the page shows
  const days = (fromDay(place.dataset.day ?? from).getTime() - fromDay(from).getTime()) / DAY_MS;
  if (days) moveByDays(dragged.key, days);
}

/** Let cards be dragged to another day or to the drafts, and in a profile onto another post. Keys do most of it: see `chooseByKey`. */
export function followDrags() {
  const main = byId("view");
  document.addEventListener("pointerdown", (event) => {
    const element = /** @type {Element} */ (event.target).closest("#view .card, #drafts .card");
    const { key: own, draft } = element instanceof HTMLElement ? element.dataset : {};
    const key = own ?? draft ?? "";
    const card = data.cards.get(key);
    if (event.button !== 0 || !event.isPrimary || !card || !mayEdit(card)) return;
    drag = { key, x: event.clientX, y: event.clientY, isDrag: false };
    if (event.pointerType !== "mouse") drag.timer = setTimeout(beginDrag, HOLD_MS);
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const isFar = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > FAR;
    if (!drag.isDrag && isFar && drag.timer) return void endDrag();
    if (!drag.isDrag && isFar) beginDrag();
    if (!drag.isDrag) return;
    event.preventDefault();
    markDrop(placeAt(event));
  });
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", endDrag);
  main.addEventListener("dragstart", (event) => event.preventDefault()); // a picture is no file to drop
  // A finger that drags a card scrolls nothing, and opens no menu.
  document.addEventListener("touchmove", (event) => drag?.isDrag && event.preventDefault(), { passive: false });
  document.addEventListener("contextmenu", (event) => drag?.isDrag && event.preventDefault());
  followFiles(main);
}

/** Let files be dropped on a day, and days be clicked, to add a post there. @param {HTMLElement} main */
function followFiles(main) {
  /** @param {Event} event */
  const dayOf = (event) => {
    const day = editable().length ? /** @type {Element} */ (event.target).closest("[data-day]") : null;
    return day instanceof HTMLElement && (day.dataset.day ?? "") >= today() ? day : null;
  };
  main.addEventListener("dragover", (event) => {
    const day = event.dataTransfer?.types.includes("Files") ? dayOf(event) : null;
    markDrop(day);
    if (day) event.preventDefault();
  });
  main.addEventListener("drop", (event) => {
    const day = dayOf(event);
    markDrop(null);
    if (!day?.dataset.day || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    addPost(day.dataset.day, [...event.dataTransfer.files]);
  });
  main.addEventListener("click", (event) => {
    const day = dayOf(event);
    const isFree = day && !isChoosing && !(/** @type {Element} */ (event.target).closest("button, a"));
    if (isFree && ["month", "weeks", "week"].includes(view.view)) addPost(day.dataset.day ?? "");
  });
}
