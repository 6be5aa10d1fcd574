// What a user does with a post in the calendar's file: move, change, duplicate, remove.

import { request, send } from "./api.js";
import { byId, h, say } from "./dom.js";
import { later, localInWords } from "./dates.js";
import { openForm } from "./form.js";
import { inTurn } from "./order.js";
import { data, edited, removed, view } from "./state.js";
import { editable, offerUndo, preformatted, question, sendEdit, tell } from "./writes.js";

/** @typedef {import("./state.js").Card} Card */
/** @typedef {import("./files.js").Values} Values */
/** @typedef {{ does: string[], seen: Values, zone: string | null, approved: boolean }} Offer What a user can edit of a post. */

/** Return a card's time so many days later. @param {Card} card @param {number} days */
export const movedTo = (card, days) => later(card.local, days * 1440);

/** Move a post. @param {Card} card @param {string} local */
export async function move(card, local) {
  const before = card.local;
  if (local === before) return null;
  const answer = await sendEdit("change", {
    dag: card.dag,
    id: card.id,
    seen: { publish_at: before },
    fields: { publish_at: local },
  });
  if (answer) edited(card, { local, at: answer.at ?? card.at });
  return answer;
}

const moving = inTurn();
/** By how many days posts are still to be moved. @type {Map<string, number>} */
const days = new Map();
/** Move a post by days, after the moves before it, and offer to take back its moves in a row. @param {string} key @param {number} more */
export function moveByDays(key, more) {
  days.set(key, (days.get(key) ?? 0) + more);
  return moving(async () => {
    const card = data.cards.get(key);
    const by = days.get(key);
    days.delete(key); // what was pressed meanwhile is one move
    if (!card || !by) return;
    const box = byId("undo");
    const from = (!box.hidden && box.dataset.moved === key && box.dataset.from) || card.local;
    const local = movedTo(card, by);
    const isDone = await tell(() => move(card, local));
    const now = data.cards.get(key);
    if (!isDone || !now) return;
    const text = `${card.id} moved from ${localInWords(from)} to ${localInWords(local)}.`;
    say(text);
    offerUndo(text, () => move(now, from));
    Object.assign(box.dataset, { moved: key, from });
  });
}

/**
 * Return the buttons that edit the open post.
 * @param {Card} card @param {Offer | undefined} offer @param {() => void} close Closes the panel.
 */
export function editSection(card, offer, close) {
  if (!offer?.does.length) return null;
  const does = {
    change: () => editPost(card, offer),
    duplicate: () => openForm({ name: "duplicate", dag: card.dag, card, seen: offer.seen, zone: offer.zone }),
    remove: () => removePost(card, offer, close),
  };
  const looks = { change: card.state === "problem" ? " main" : "", duplicate: "", remove: " danger" };
  const texts = { change: "Edit", duplicate: "Duplicate", remove: "Remove" };
  const buttons = /** @type {(keyof typeof does)[]} */ (Object.keys(does))
    .filter((name) => offer.does.includes(name))
    .map((name) =>
      h("button", { class: `btn${looks[name]}`, type: "button", "data-edit": name, click: does[name] }, texts[name]),
    );
  return h("section", { class: "edit" }, h("div", { class: "acts" }, buttons));
}

/** Open the form of a post. @param {Card} card @param {Offer} offer */
export const editPost = (card, { does: _, ...offer }) => openForm({ name: "change", dag: card.dag, card, ...offer });

/** @param {Card} card @param {Offer} offer @param {() => void} close */
async function removePost(card, offer, close) {
  const edit = { dag: card.dag, id: card.id };
  const text = "This post is taken out of the calendar's file. You can undo this.";
  if (!(await question(text, "Remove"))) return;
  await tell(async () => {
    const answer = await sendEdit("remove", { ...edit, seen: offer.seen }).catch((error) => {
      if (error.content?.now) error.message += " Remove it again to remove what it is now.";
      Object.assign(offer.seen, error.content?.now); // which the user has read by then
      throw error;
    });
    if (!answer) return null;
    removed(card, true);
    close();
    say(answer.done);
    offerUndo(`${card.id} was removed.`, async () => {
      const back = await sendEdit("restore", { ...edit, undo: answer.undo });
      if (back) removed(card, false);
      return back;
    });
    return answer;
  });
}

/** Return the calendar that a button of the bar means, if the user may edit one. */
const meant = () => editable().find((one) => one.dag === view.dag) ?? editable()[0];

/** Propose times for the posts without one, and write them on a yes. */
export async function fillTimes() {
  const calendar = meant();
  if (!calendar) return;
  const text = `Posts of ${calendar.name} without a time get the free slots of their accounts. You see them before anything is written.`;
  if (!(await question(text, "Propose times"))) return;
  await tell(async () => {
    const asked = new URLSearchParams({ dag_id: calendar.dag });
    const { content } = (await request(`fill?${asked}`)) ?? { content: {} };
    const { lines, diff, proposal } = content;
    const items = lines.map((/** @type {string} */ line) => h("li", {}, line));
    const changes = proposal ? preformatted("Changes", diff) : null;
    const more = h("div", { class: "proposed" }, h("ul", {}, items), changes);
    const asks = proposal ? "Write this into the file?" : "Nothing is to be written.";
    if (!(await question(asks, proposal && "Write", more))) return null;
    const answer = await send("fill", { dag_id: calendar.dag, proposal });
    say(answer.done);
    return answer;
  });
}
