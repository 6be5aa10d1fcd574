// Edits of posts, which the server writes into the calendar's file.

import { request, send } from "./api.js";
import { byId, h, icon, messageOf, say } from "./dom.js";
import { data, edited, keyOf, refresh, view } from "./state.js";

/** @typedef {import("./state.js").Card} Card */
/** @typedef {Record<string, string | string[] | null>} Values */
/** @typedef {{ does: string[], seen: Values, placements: string[], approved: boolean }} Offer What a user can edit of a post. */
/** @typedef {{ dag: string, id: string, seen?: Values, fields?: Values, new_id?: string, undo?: string }} Edit */

/** What is asked of a post: its name in the file, its label, and how many lines its field has. */
const FIELDS = /** @type {const} */ ([
  ["publish_at", "Time, in the calendar's zone", 0],
  ["caption", "Caption", 6],
  ["first_comment", "First comment", 2],
  ["alt_text", "Alt text", 2],
  ["tags", "Tags, separated by commas", 0],
  ["note", "Note, never published", 2],
]);

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
export async function sendEdit(name, { dag, id, ...edit }, sure = false) {
  try {
    const answer = await send("edits", { do: name, dag_id: dag, post_id: id, ...edit, sure });
    return answer.done ? answer : await showPatch(answer);
  } catch (error) {
    const { content } = /** @type {{ content?: { confirm?: boolean } }} */ (error);
    if (!content?.confirm || sure) throw error;
    return (await question(messageOf(error), "Edit anyway")) ? sendEdit(name, { dag, id, ...edit }, true) : null;
  }
}

/** Show an edit that cannot be written here. @param {{ refused: string, patch: string }} answer */
export async function showPatch({ refused, patch }) {
  await question(`Nothing was changed: ${refused} Here is the edit as a patch.`, "", preformatted("Patch", patch));
  return null;
}

/** @param {string} label @param {string} text */
export const preformatted = (label, text) => h("pre", { class: "mono patch", tabindex: 0, "aria-label": label }, text);

/** Offer to take back what was done. @param {string} text @param {() => Promise<unknown>} back */
export function offerUndo(text, back) {
  const box = byId("undo");
  const close = () => {
    box.hidden = true;
  };
  const undo = async () => {
    close();
    await tell(back);
  };
  box.replaceChildren(
    h("span", {}, text),
    h("button", { class: "btn", type: "button", click: undo }, "Undo"),
    h("button", { class: "btn square", type: "button", "aria-label": "Dismiss", click: close }, icon("close")),
  );
  box.hidden = false;
}

/** Do something, and say if it is refused. Return whether it was done. @param {() => Promise<unknown>} work */
export async function tell(work) {
  try {
    return (await work()) !== null;
  } catch (error) {
    say(messageOf(error));
    return false;
  } finally {
    await refresh();
  }
}

/** Return a local time that is so many minutes later. @param {string} local @param {number} minutes */
const later = (local, minutes) => new Date(Date.parse(`${local}Z`) + minutes * 60000).toISOString().slice(0, 16);

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

/** Move a post, and offer to move it back. @param {Card} card @param {string} local */
export async function moveWithUndo(card, local) {
  const before = card.local;
  const isDone = await tell(() => move(card, local));
  const now = data.cards.get(keyOf(card));
  if (isDone && now && local !== before) {
    say(`${card.id} moved to ${local.replace("T", ", ")}.`);
    offerUndo(`${card.id} moved to ${local.replace("T", ", ")}.`, () => move(now, before));
  }
}

/** @type {{ key: string, name: string, error: string }} */
const form = { key: "", name: "", error: "" };
let redraw = () => {};

/** Open a form of the open post, or none. @param {string} name */
export function showForm(name) {
  Object.assign(form, { key: view.post, name, error: "" });
  redraw();
  /** @type {HTMLElement | null} */
  const first = document.querySelector("#panel .edit input, #panel .edit button");
  first?.focus();
}

/** Close the form of the open post. Return whether one was open. */
export function closeForm() {
  const isOpen = form.name !== "" && form.key === view.post;
  if (isOpen) showForm("");
  return isOpen;
}

/**
 * Return what can be edited of the open post.
 * @param {Card} card @param {Offer | undefined} offer @param {() => void} draw Draws the panel again.
 */
export function editSection(card, offer, draw) {
  redraw = draw;
  if (!offer?.does.length) return null;
  const texts = { change: "Edit", duplicate: "Duplicate", remove: "Remove" };
  const name = form.key === view.post && offer.does.includes(form.name) ? form.name : "";
  if (name === "change") return formElement(card, offer, name, "Save");
  if (name === "duplicate") return formElement(card, offer, name, "Duplicate");
  const remove = () => removePost(card, offer);
  const buttons = Object.entries(texts)
    .filter(([one]) => offer.does.includes(one))
    .map(([one, text]) =>
      h(
        "button",
        {
          class: `btn${one === "remove" ? " danger" : ""}`,
          type: "button",
          "data-edit": one,
          click: () => (one === "remove" ? remove() : showForm(one)),
        },
        text,
      ),
    );
  return h("section", { class: "edit" }, h("div", { class: "acts" }, buttons), errorElement());
}

const errorElement = () => (form.error && form.key === view.post ? h("p", { class: "error" }, form.error) : null);

/** @param {Card} card @param {Offer} offer */
async function removePost(card, offer) {
  const edit = { dag: card.dag, id: card.id };
  const text = "This post is taken out of the calendar's file. You can undo this.";
  if (!(await question(text, "Remove"))) return;
  await submit(offer, async () => {
    const answer = await sendEdit("remove", { ...edit, seen: offer.seen });
    if (!answer) return;
    say(answer.done);
    offerUndo(`${card.id} was removed.`, async () => {
      const back = await sendEdit("restore", { ...edit, undo: answer.undo });
      if (back) say(back.done);
    });
  });
}

/**
 * Take over what somebody else has written meanwhile: saving again then writes only what this user has changed.
 * @param {Offer} offer @param {Values} now
 */
function takeOver(offer, now) {
  const draft = drafts.get(view.post);
  for (const [name, value] of Object.entries(now)) {
    if (draft && JSON.stringify(draft[name]) === JSON.stringify(offer.seen[name] ?? "")) draft[name] = value;
    offer.seen[name] = value;
  }
}

/**
 * Do what a form says, and show in it why that is refused.
 * @param {Offer} offer @param {() => Promise<unknown>} work
 */
async function submit(offer, work) {
  form.error = "";
  Object.assign(form, { key: view.post });
  try {
    await work();
  } catch (error) {
    form.error = messageOf(error);
    const { content } = /** @type {{ content?: { now?: Values } }} */ (error);
    if (content?.now) {
      takeOver(offer, content.now);
      form.error += " Save again to write what you have typed.";
    }
    say(form.error);
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    redraw();
  }
  await refresh();
}

/** @param {Card} card @param {Offer} offer @param {string} name @param {string} sure */
function formElement(card, offer, name, sure) {
  const isCopy = name === "duplicate";
  const start = isCopy ? { ...offer.seen, publish_at: later(String(offer.seen.publish_at), 1440) } : offer.seen;
  const id = isCopy
    ? labelled("Id of the copy", h("input", { name: "new_id", value: `${card.id}-copy`, required: true }))
    : null;
  const fields = isCopy
    ? [fieldElement("publish_at", FIELDS[0][1], 0, start)]
    : allFields({ ...offer, seen: start }, card);
  const draft = drafts.get(view.post);
  /** @type {HTMLFormElement} */
  const element = h(
    "form",
    { class: "confirm edit", input: () => !isCopy && drafts.set(view.post, read(element)) },
    offer.approved && !isCopy
      ? h(
          "p",
          { class: "hint" },
          "This post is approved. If you change more than its tags, its approval is asked for again.",
        )
      : null,
    id,
    fields,
    errorElement(),
    h(
      "div",
      { class: "acts" },
      h("button", { class: "btn main", type: "submit" }, sure),
      h("button", { class: "btn", type: "button", click: () => showForm("") }, "Cancel"),
    ),
  );
  if (draft && !isCopy) fill(element, draft);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(offer, () => save(card, offer, element, name));
  });
  return h("section", {}, element);
}

/** What a user has typed, by post. @type {Map<string, Values>} */
const drafts = new Map();

/** @param {Card} card @param {Offer} offer @param {HTMLFormElement} element @param {string} name */
async function save(card, offer, element, name) {
  const key = view.post;
  const given = read(element);
  const isCopy = name === "duplicate";
  const changed = Object.entries(given).filter(
    ([one, value]) => isCopy || JSON.stringify(value) !== JSON.stringify(offer.seen[one] ?? ""),
  );
  const fields = /** @type {Values} */ (Object.fromEntries(changed.filter(([one]) => one !== "new_id")));
  if (!Object.keys(fields).length) return showForm("");
  const about = isCopy ? { new_id: String(given.new_id) } : { seen: offer.seen };
  const answer = await sendEdit(name, { dag: card.dag, id: card.id, fields, ...about });
  if (!answer) return;
  drafts.delete(key);
  if (!isCopy && typeof fields.publish_at === "string") {
    edited(card, { local: fields.publish_at, at: answer.at ?? card.at });
  }
  say(answer.done);
  /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
  showForm("");
}

/** A post with a problem has no kind, so that it may have each field. @param {Offer} offer @param {Card} card */
function allFields({ seen, placements }, card) {
  const { kind } = card;
  const hasAltText = kind === "picture" || (!kind && seen.alt_text);
  /** @type {HTMLElement[]} */
  const fields = FIELDS.filter(([name]) => name !== "alt_text" || hasAltText).map(([name, label, lines]) =>
    fieldElement(name, label, lines, seen),
  );
  if (kind === "reel" || (!kind && seen.audio_id)) fields.push(fieldElement("audio_id", "Music, by its id", 0, seen));
  const placement = String(seen.placement ?? "");
  if (kind !== "reel" && kind !== "feed video" && (kind || !placement)) return fields;
  const options = [...new Set([placement, ...placements])].map((value) =>
    h("option", { value, selected: value === placement }, value),
  );
  return [...fields, labelled("Placement", h("select", { name: "placement" }, options))];
}

/** @param {string} label @param {Node} field */
const labelled = (label, field) => h("label", { class: "field" }, label, field);

/** @param {string} name @param {string} label @param {number} lines @param {Values} start */
function fieldElement(name, label, lines, start) {
  const value = start[name] ?? "";
  const text = Array.isArray(value) ? value.join(", ") : value;
  if (!lines)
    return labelled(label, h("input", { name, value: text, type: name === "publish_at" ? "datetime-local" : "text" }));
  const area = h("textarea", { name, rows: lines, dir: "auto" });
  area.value = text;
  return labelled(label, area);
}

/** Return what a form contains. @param {HTMLFormElement} element @returns {Values} */
function read(element) {
  const pairs = [...new FormData(element)].map(([name, value]) => {
    const text = String(value).replace(/\r\n?/g, "\n").trim();
    return [
      name,
      name === "tags"
        ? text
            .split(",")
            .map((one) => one.trim())
            .filter(Boolean)
        : text,
    ];
  });
  return Object.fromEntries(pairs);
}

/** @param {HTMLFormElement} element @param {Values} values */
function fill(element, values) {
  for (const [name, value] of Object.entries(values)) {
    const field = element.elements.namedItem(name);
    if (field && "value" in field) field.value = Array.isArray(value) ? value.join(", ") : (value ?? "");
  }
}

/** Return the calendar that a button of the bar means, if the user may edit one. */
const meant = () => editable().find((one) => one.dag === view.dag) ?? editable()[0];

/** Propose times for the posts without one, and write them on a yes. */
export async function fillTimes() {
  const calendar = meant();
  if (!calendar) return;
  const box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", name: "by_results" }));
  const choice = h("label", {}, box, " Prefer the hours whose posts reached most");
  const text = `Posts of ${calendar.name} without a time get the free slots of their accounts, and posts that repeat get their next entries. You see them before anything is written.`;
  if (!(await question(text, "Propose times", choice))) return;
  await tell(async () => {
    const asked = new URLSearchParams({ dag_id: calendar.dag, by_results: String(box.checked) });
    const { content } = (await request(`fill?${asked}`)) ?? { content: {} };
    const { tables, lines, diff, proposal } = content;
    const more = h(
      "div",
      { class: "proposed" },
      tables.length ? preformatted("Results", tables.join("\n")) : null,
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

/** Ask for a new post, of a file in the calendar's folder or one that is uploaded there. @param {string} day */
export async function addPost(day) {
  const calendar = meant();
  if (!calendar) return;
  const { dag, name } = calendar;
  await tell(async () => {
    const { content } = (await request(`files?${new URLSearchParams({ dag_id: dag })}`)) ?? { content: {} };
    const element = addForm(day, content);
    if (!(await question(`Add a post to ${name}`, "Add", element))) return null;
    const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (element.querySelectorAll("[name]"));
    const given = Object.fromEntries([...inputs].map((one) => [one.name, one.value]));
    const upload = /** @type {HTMLInputElement} */ (element.querySelector("[type=file]")).files?.[0];
    if (upload) {
      say(`${upload.name} is being uploaded …`);
      await send(`files?${new URLSearchParams({ dag_id: dag, name: upload.name })}`, upload);
    }
    const file = upload?.name ?? given.file ?? "";
    const field = /\.(jpe?g|png|webp|hei[cf]|avif|tiff?)$/i.test(file) ? "image" : "video";
    /** @type {Values} */
    const fields = {
      publish_at: given.at ?? "",
      account: given.account ?? "",
      caption: given.caption ?? "",
      [field]: file,
    };
    const answer = await sendEdit("add", { dag, id: given.id ?? "", fields });
    if (answer) say(answer.done);
    return answer;
  });
}

/** @param {string} day @param {{ files: string[], accounts: string[], zone: string }} of */
function addForm(day, { files, accounts, zone }) {
  /** @param {string[]} values */
  const options = (values) => values.map((value) => h("option", { value }, value));
  return h(
    "div",
    { class: "fields" },
    labelled("Id", h("input", { name: "id", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", maxlength: 100 })),
    labelled(
      `Time (${zone})`,
      h("input", { name: "at", type: "datetime-local", value: `${day}T12:00`, required: true }),
    ),
    labelled("Account", h("select", { name: "account" }, options(accounts))),
    labelled("File in the calendar's folder", h("select", { name: "file" }, options(files))),
    labelled("or upload one", h("input", { type: "file", accept: "video/*,image/*" })),
    labelled("Caption", h("textarea", { name: "caption", rows: 4, dir: "auto" })),
  );
}
