// Edits of posts, which the server writes into the calendar's file.

import { request, send } from "./api.js";
import { byId, h, icon, messageOf, say } from "./dom.js";
import { localInWords } from "./dates.js";
import { later, openForm } from "./form.js";
import { inTurn, seenWithOwn, wrote } from "./order.js";
import { data, edited, refresh, removed, view } from "./state.js";

export { addPost } from "./form.js";

/** @typedef {import("./state.js").Card} Card */
/** @typedef {import("./files.js").Values} Values */
/** @typedef {{ does: string[], seen: Values, zone: string | null, approved: boolean }} Offer What a user can edit of a post. */
/** @typedef {{ dag: string, id: string, seen?: Values, fields?: Values, new_id?: string, undo?: string }} Edit */

/** Return the calendars that the user may edit. */
export const editable = () => data.calendars.filter((calendar) => calendar.edit);
/** Whether the user may edit a post. One of several with the same id is edited in the file. @param {Card} card */
export const mayEdit = (card) => !card.line && editable().some((calendar) => calendar.dag === card.dag);

/**
 * Ask the user something, or show a text, in a window of its own. Return whether they agreed.
 * @param {string} text
 * @param {string} yes
 * @param {Node | null} more
 */
export function question(text, yes, more = null) {
  const dialog = h("dialog", { "aria-label": text });
  const cancel = h("button", { class: "btn", value: "", formnovalidate: true }, yes ? "Cancel" : "Close");
  const agree = yes ? h("button", { class: "btn main", value: "yes" }, yes) : null;
  dialog.append(h("form", { method: "dialog" }, h("p", {}, text), more, h("div", { class: "acts" }, agree, cancel)));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((/** @type {(agreed: boolean) => void} */ resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    }),
  );
}

/**
 * Send an edit. If it asks for an approval again, the user is asked first. If the file cannot be written, the user
 * gets a patch.
 * @param {string} name @param {Edit} edit
 * @returns {Promise<{ done: string, undo: string, at?: number } | null>} Null if nothing was changed.
 */
export const sendEdit = (name, { dag, id, ...edit }) =>
  sending(async () => {
    const key = `${dag}/${id}`;
    const seen = edit.seen && seenWithOwn(key, edit.seen);
    const answer = await sendSure("edits", { do: name, dag_id: dag, post_id: id, ...edit, seen });
    if (answer && edit.seen && edit.fields) wrote(key, edit.seen, edit.fields);
    return answer;
  });

/**
 * Change several posts in one write of each calendar's file: all of them, or none.
 * @param {(Edit & { seen: Values, fields: Values })[]} edits
 */
export const sendChanges = (edits) =>
  sending(async () => {
    let answer = null;
    for (const dag of new Set(edits.map((edit) => edit.dag))) {
      const own = edits.filter((edit) => edit.dag === dag);
      const changes = own.map(({ id, seen, fields }) => ({
        post_id: id,
        seen: seenWithOwn(`${dag}/${id}`, seen),
        fields,
      }));
      answer = await sendSure("changes", { dag_id: dag, changes });
      if (!answer) return null;
      for (const { id, seen, fields } of own) wrote(`${dag}/${id}`, seen, fields);
    }
    return answer;
  });

const sending = inTurn();
/** @param {string} path @param {Record<string, unknown>} body @param {boolean} sure @returns {Promise<any>} */
async function sendSure(path, body, sure = false) {
  try {
    const answer = await send(path, { ...body, sure });
    return answer.done ? answer : await showPatch(answer);
  } catch (error) {
    const { content } = /** @type {{ content?: { confirm?: boolean } }} */ (error);
    if (!content?.confirm || sure) throw error;
    return (await question(messageOf(error), "Edit anyway")) ? sendSure(path, body, true) : null;
  }
}

/** Show an edit that cannot be written here. @param {{ refused: string, patch: string }} answer */
export async function showPatch({ refused, patch }) {
  await question(`Nothing was changed: ${refused} Here is the edit as a patch.`, "", preformatted("Patch", patch));
  return null;
}

/** @param {string} label @param {string} text */
export const preformatted = (label, text) => h("pre", { class: "mono patch", tabindex: 0, "aria-label": label }, text);

/** Offer to take back what was done. @param {string} text @param {() => Promise<unknown>} back @param {string} word */
export function offerUndo(text, back, word = "Undo") {
  const box = byId("undo");
  const close = () => {
    box.hidden = true;
  };
  const undo = async () => {
    close();
    if ((await tell(back)) && word === "Undo") say(`Undone: ${text}`);
  };
  box.replaceChildren(
    h("span", {}, text),
    h("button", { class: "btn", type: "button", click: undo }, word),
    h("button", { class: "btn square", type: "button", "aria-label": "Dismiss", click: close }, icon("close")),
  );
  delete box.dataset.moved;
  box.hidden = false;
}

/** Do something, and say if it is refused. Return whether it was done: work that was not returns null or false. @param {() => Promise<unknown>} work */
export async function tell(work) {
  try {
    return ![null, false].includes(/** @type {null | false} */ (await work()));
  } catch (error) {
    say(messageOf(error));
    return false;
  } finally {
    await refresh();
  }
}

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
    const more = h(
      "div",
      { class: "proposed" },
      h(
        "ul",
        {},
        lines.map((/** @type {string} */ line) => h("li", {}, line)),
      ),
      proposal ? preformatted("Changes", diff) : null,
    );
    if (
      !(await question(proposal ? "Write this into the file?" : "Nothing is to be written.", proposal && "Write", more))
    )
      return null;
    const answer = await send("fill", { dag_id: calendar.dag, proposal });
    if (!answer.done) return showPatch(answer);
    say(answer.done);
    return answer;
  });
}
