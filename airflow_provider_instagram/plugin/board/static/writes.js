// What is written into the calendar's file: sent, refused, and taken back.

import { send } from "./api.js";
import { byId, h, icon, messageOf, say } from "./dom.js";
import { inTurn, seenWithOwn, wrote } from "./order.js";
import { data, refresh } from "./state.js";

/** @typedef {import("./state.js").Card} Card */
/** @typedef {import("./files.js").Values} Values */
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
 * Send an edit. If it asks for an approval again, the user is asked first.
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
    return await send(path, { ...body, sure });
  } catch (error) {
    const { content } = /** @type {{ content?: { confirm?: boolean } }} */ (error);
    if (!content?.confirm || sure) throw error;
    return (await question(messageOf(error), "Edit anyway")) ? sendSure(path, body, true) : null;
  }
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
