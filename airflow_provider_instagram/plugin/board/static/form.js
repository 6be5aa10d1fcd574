// The form of a post: a new one, a change, or a copy. What is refused is said beside its field, and nothing typed is lost.

import { request } from "./api.js";
import { later, moment } from "./dates.js";
import { h, messageOf, say } from "./dom.js";
import { unsavedOf, keepUnsaved } from "./unsaved.js";
import { fieldElement, idOf, labelled, same, selectElement, setValue, showError, valueOf } from "./fields.js";
import { filesElement, itemsOf, kindOf, valuesOf } from "./files.js";
import { formPreview } from "./formpreview.js";
import { data, edited, refresh, view } from "./state.js";
import { editable, sendEdit } from "./writes.js";

/**
 * @typedef {import("./state.js").Card} Card
 * @typedef {import("./fields.js").Field} Field
 * @typedef {import("./files.js").Item} Item
 * @typedef {import("./files.js").Values} Values
 *
 * @typedef {object} About What a form needs to know of a calendar.
 * @property {string[]} files
 * @property {string[]} accounts
 * @property {string} zone
 * @property {Field[]} fields
 * @property {Values} start The values of a new post.
 * @property {string | null} required The approval that the DAG requires.
 *
 * @typedef {object} Opened What a form is opened for.
 * @property {"add" | "change" | "duplicate"} name
 * @property {string} dag
 * @property {Card} [card]
 * @property {Values} [seen] The values of the post, as its file has them.
 * @property {string | null} [zone] That of the post's time, if it has one.
 * @property {boolean} [approved]
 * @property {string} [day]
 * @property {File[]} [files] Files to upload at once.
 */

/** What the buttons say. */
const SURE = { add: "Add", change: "Save", duplicate: "Duplicate" };
/** The fields that a form shows first. All others are below "More". */
const FIRST = ["placement", "caption", "first_comment", "tags", "approval"];
/** What belongs to the files of a picture or a carousel, and stands beside them. */
const OF_FILES = ["video", "image", "carousel", "alt_text"];

/** Open a form for a new post. @param {string} day @param {File[]} files Files to upload at once. */
export async function addPost(day, files = []) {
  const calendar = editable().find((one) => one.dag === view.dag) ?? editable()[0];
  if (calendar) await openForm({ name: "add", dag: calendar.dag, day, files });
}

/** @param {string} dag @returns {Promise<About>} */
const aboutOf = async (dag) => (await request(`files?${new URLSearchParams({ dag_id: dag })}`))?.content;

/** Open a form in a window of its own. @param {Opened} opened */
export async function openForm(opened) {
  let about;
  try {
    about = await aboutOf(opened.dag);
  } catch (error) {
    return say(messageOf(error));
  }
  const words = { add: "Add a post", change: `Edit ${opened.card?.id}`, duplicate: `Duplicate ${opened.card?.id}` };
  const dialog = h("dialog", { class: "wide", "aria-label": words[opened.name] });
  const form = new Form(opened, about, () => dialog.close());
  dialog.append(form.element);
  dialog.addEventListener("close", () => {
    dialog.remove();
    form.files.end();
  });
  document.body.append(dialog);
  dialog.showModal();
  /** @type {HTMLElement | null} */
  const first = dialog.querySelector(opened.name === "add" ? "[type=file]" : "textarea");
  first?.focus();
}

class Form {
  /** @param {Opened} opened @param {About} about @param {() => void} close */
  constructor(opened, about, close) {
    this.opened = opened;
    this.about = about;
    this.close = close;
    const { name, seen, card, day, dag } = opened;
    this.key = name === "add" ? "new" : `${dag}/${card?.id}/${name}`;
    /** What the form showed first, with which its values are compared. @type {Values} */
    this.start = { ...(seen ?? { ...about.start, ...valuesOf([]), publish_at: `${day}T12:00` }) };
    /** @type {Values} */
    const shown = { ...this.start };
    if (name === "duplicate" && shown.publish_at) shown.publish_at = later(String(shown.publish_at), 1440);
    /** @type {Item[]} */
    this.items = itemsOf(shown);
    this.isNamed = name !== "add"; // whether a user has chosen the id
    this.fields = about.fields.filter((field) => !OF_FILES.includes(field.name));
    this.files = filesElement({
      dag,
      items: this.items,
      names: about.files,
      changed: () => this.changed(),
      show: (item) => this.preview.show(this.items.indexOf(item)),
      isStory: () => this.kind() === "story",
    });
    this.preview = formPreview(
      () => this.draft(),
      (milliseconds) => this.set("video_cover_timestamp_ms", milliseconds),
      () => this.changed(),
    );
    this.element = this.drawn(shown);
    this.drawnKind = this.kind();
    this.isReady = true;
    this.changed(false);
    if (opened.files?.length) this.files.add(opened.files);
  }

  /** @param {Values} shown */
  drawn(shown) {
    const { name, approved, card } = this.opened;
    const all = this.fields.map((field) => ({ field, element: fieldElement(field, shown[field.name]) }));
    const first = FIRST.flatMap((one) => all.find(({ field }) => field.name === one)?.element ?? []);
    const more = all.filter(({ field }) => !FIRST.includes(field.name)).map(({ element }) => element);
    const zone = name === "add" ? this.about.zone : this.opened.zone;
    const required = name === "add" || Boolean(shown.publish_at); // a draft may have none
    const time = h("input", { name: "publish_at", type: "datetime-local", value: shown.publish_at ?? "", required });
    const account = name === "add" ? selectElement("account", this.about.accounts) : null;
    const sure = SURE[name];
    const element = h(
      "form",
      { class: "edit", input: () => this.changed(), submit: (event) => (event.preventDefault(), this.submit()) },
      h("h2", {}, name === "add" ? "Add a post" : `${name === "change" ? "Edit" : "Duplicate"} ${card?.id}`),
      this.offer(),
      approved && name === "change"
        ? h(
            "p",
            { class: "hint" },
            "This post is approved. If you change more than its tags, its approval is asked for again.",
          )
        : null,
      name === "add" && editable().length > 1 ? this.calendars() : null,
      this.files.element,
      labelled("publish_at", zone ? `Time (${zone})` : "Time in the plan", time),
      account ? labelled("account", "Account", account) : null,
      first,
      name === "change" ? null : this.idElement(),
      h("details", { class: "fold more" }, h("summary", {}, "More"), more),
      h(
        "div",
        { class: "acts" },
        h("button", { class: "btn main", type: "submit" }, sure),
        h("button", { class: "btn", type: "button", click: this.close }, "Cancel"),
      ),
    );
    const approval = element.elements.namedItem("approval");
    if (this.about.required && approval instanceof HTMLSelectElement) approval.disabled = true; // the DAG says it
    return h("div", { class: "sides" }, element, this.preview.element);
  }

  /** @returns {HTMLFormElement} */
  get form() {
    return /** @type {HTMLFormElement} */ (this.element?.querySelector("form"));
  }

  idElement() {
    const { name, card } = this.opened;
    const value = name === "duplicate" ? this.free(`${card?.id}-copy`) : "";
    const typed = () => {
      this.isNamed = true;
    };
    const input = h("input", { name: "id", value, required: true, maxlength: 100, input: typed });
    const says = "Its name in the file. It cannot be changed later.";
    return labelled("id", name === "duplicate" ? "Id of the copy" : "Id", input, h("small", {}, says));
  }

  calendars() {
    const select = h(
      "select",
      { name: "calendar", change: (_, self) => this.moveTo(self.value) },
      editable().map(({ dag, name }) => h("option", { value: dag, selected: dag === this.opened.dag }, name)),
    );
    return labelled("calendar", "Calendar", select);
  }

  /** Go on with what was typed in the form of another calendar, whose folder has other files. @param {string} dag */
  async moveTo(dag) {
    this.keep();
    this.close();
    await openForm({ ...this.opened, dag, files: [] });
  }

  /** Offer what was typed here before and not sent. */
  offer() {
    const draft = unsavedOf(this.key);
    if (!draft) return null;
    const box = h("div", { class: "notice", "data-state": "waiting", role: "status" });
    const use = () => {
      box.remove();
      this.items.splice(0, this.items.length, ...draft.items);
      for (const [name, value] of Object.entries(draft.values)) {
        const isOther = this.control(name)?.disabled || (name === "account" && !this.about.accounts.includes(value));
        if (!isOther) this.set(name, value); // another calendar has other accounts, and may require an approval
      }
      this.isNamed = true;
      this.files.draw();
    };
    const discard = () => {
      box.remove();
      keepUnsaved(this.key, null);
    };
    box.append(
      `What you typed here at ${moment(draft.at)} was not saved. `,
      h("button", { class: "btn", type: "button", click: use }, "Use it"),
      h("button", { class: "btn", type: "button", click: discard }, "Discard"),
    );
    return box;
  }

  /** @param {string} name */
  control(name) {
    return /** @type {import("./fields.js").Control | null} */ (this.form?.elements.namedItem(name) ?? null);
  }

  /** Show a value. @param {string} name @param {unknown} value */
  set(name, value) {
    const control = this.control(name);
    if (control) setValue(control, value);
    this.changed();
  }

  kind() {
    return kindOf(this.items, this.control("placement")?.value ?? String(this.start.placement ?? ""));
  }

  /** What the preview shows. */
  draft() {
    const { card, dag } = this.opened;
    const text = (/** @type {string} */ name) => this.control(name)?.value ?? "";
    const cover = text("video_cover_timestamp_ms");
    return {
      dag,
      items: this.items,
      account: card?.account ?? text("account"),
      kind: this.kind(),
      caption: text("caption"),
      fit: text("fit"),
      background: text("background"),
      cover: cover ? Number(cover) : null,
    };
  }

  /** Return what the form contains, without the fields that its kind of post does not take. @returns {Values} */
  values() {
    const kind = this.kind();
    const [first] = this.items;
    /** @type {Values} */
    const values = { publish_at: this.control("publish_at")?.value, ...valuesOf(this.items) };
    for (const field of this.fields) {
      const control = this.control(field.name);
      const isTaken = field.kinds.includes(kind);
      const before = this.start[field.name];
      // What the file's defaults say is no concern of a kind that does not take it.
      const left = same(before, this.about.start[field.name]) ? before : null;
      if (control) values[field.name] = isTaken ? valueOf(control, field, before) : left;
    }
    if (kind === "picture") values.user_tags = first?.user_tags ?? [];
    values.alt_text = kind === "picture" ? (first?.alt_text?.trim() ?? null) : null;
    return values;
  }

  /** Draw what depends on what was typed, and keep it. */
  changed(isTyped = true) {
    if (!this.isReady) return;
    const kind = this.kind();
    if (kind !== this.drawnKind) {
      this.drawnKind = kind;
      return this.files.draw(); // which comes back here: a story has no alt texts
    }
    for (const { name, kinds } of this.fields) {
      /** @type {HTMLElement | null} */
      const place = this.form.querySelector(`[data-field="${name}"]`);
      const isOfFiles = name === "user_tags" && kind === "picture";
      const isIdle = name === "placement" && (kind === "carousel" || (kind === "picture" && !this.items.length));
      if (place) place.hidden = !kinds.includes(kind) || isOfFiles || isIdle;
    }
    const id = this.control("id");
    if (id && !this.isNamed) {
      const [first] = this.items;
      const stem = idOf(this.control("caption")?.value ?? "") || idOf(first?.file.replace(/\.\w+$/, "") ?? "");
      id.value = stem ? this.free(stem) : "";
    }
    this.preview.draw();
    if (isTyped) this.keep();
  }

  /** Return an id that no post of the page has. @param {string} stem */
  free(stem) {
    let id = stem;
    for (let number = 2; data.cards.has(`${this.opened.dag}/${id}`); number += 1) id = `${stem}-${number}`;
    return id;
  }

  keep() {
    if (!this.element.isConnected) return; // an upload that is given up ends after its form
    const items = this.items.filter((item) => !item.upload && !item.error);
    const entries = [...new FormData(this.form)].filter(([name, value]) => name && name !== "calendar" && value);
    keepUnsaved(this.key, { items, values: Object.fromEntries(entries) });
  }

  async submit() {
    const button = /** @type {HTMLButtonElement} */ (this.form.querySelector(".acts [type=submit]"));
    button.disabled = true;
    showError(this.element, "", "");
    try {
      await this.files.ready();
      if (this.element.isConnected) await this.send(); // it may be closed while files are sent
    } catch (error) {
      this.refused(error);
    }
    button.disabled = false;
    await refresh();
  }

  async send() {
    const { name, dag, card } = this.opened;
    const failed = this.items.find((item) => item.error);
    if (failed) return showError(this.element, `${failed.error} Remove it, or upload it again.`, "media");
    const values = this.values();
    const changed = Object.entries(values).filter(([one, value]) => name !== "change" || !same(value, this.start[one]));
    /** @type {Values} */
    let fields = Object.fromEntries(changed);
    if (name === "add") {
      const isOwn = (/** @type {string} */ one) => one === "publish_at" || !same(values[one], this.start[one]);
      fields = Object.fromEntries(changed.filter(([one]) => isOwn(one)));
      fields.account = this.control("account")?.value;
      if (!this.items.length && !itemsOf(this.about.start).length)
        return showError(this.element, "Choose a video or a picture.", "media");
    }
    if (name === "duplicate")
      fields = Object.fromEntries(
        changed.filter(([one, value]) => one === "publish_at" || !same(value, this.start[one])),
      );
    if (!Object.keys(fields).length) return this.done();
    const id = this.control("id")?.value.trim() ?? "";
    const about = name === "change" ? { seen: this.start } : name === "duplicate" ? { new_id: id } : {};
    const answer = await sendEdit(name, { dag, id: name === "add" ? id : (card?.id ?? ""), fields, ...about });
    if (!answer) return; // nothing was changed, and the user knows why
    if (name === "change" && card) edited(card, shownAtOnce(card, fields, answer.at ?? card.at));
    this.done();
    say(answer.done);
  }

  done() {
    keepUnsaved(this.key, null);
    this.close();
  }

  /** Say why an edit was refused, and take over what somebody else has written meanwhile. @param {unknown} error */
  refused(error) {
    const { content } = /** @type {{ content?: { now?: Values, field?: string } | null }} */ (error);
    let text = messageOf(error);
    if (content?.now) {
      this.takeOver(content.now);
      text += " Save again to write what you have typed.";
    }
    const field = content?.field ?? "";
    const place = field === "user_tags" && this.kind() === "picture" ? "pins" : field;
    showError(this.element, text, OF_FILES.includes(place) ? "media" : place);
    say(text);
  }

  /** Saving again then writes only what this user has changed. @param {Values} now */
  takeOver(now) {
    const values = this.values();
    const ofFiles = [...OF_FILES, "user_tags"];
    const isUntouched = ofFiles.every((name) => same(values[name], this.start[name]));
    for (const [name, value] of Object.entries(now)) {
      const isSame = same(values[name], this.start[name]);
      this.start[name] = value;
      if (isSame && !OF_FILES.includes(name)) this.set(name, value);
    }
    if (isUntouched) this.items.splice(0, this.items.length, ...itemsOf(this.start));
    this.files.draw();
  }
}

const LONGEST_LINE = 120; // characters of a title, as the server cuts it
/** Return the first line of a text that has a visible character. @param {unknown} text */
function firstLine(text) {
  const lines = String(text ?? "").split("\n");
  const line = [...(lines.find((one) => one.trim())?.trim() ?? "")];
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE).join("")}…` : line.join("");
}

/** Return what a card shows of what was written, before Airflow has read it. @param {Card} card @param {Values} fields @param {number} at */
function shownAtOnce(card, fields, at) {
  /** @type {Partial<Card>} */
  const values = {};
  if (fields.publish_at) Object.assign(values, { local: fields.publish_at, at });
  if ("tags" in fields) values.tags = fields.tags?.length ? fields.tags : undefined;
  if ("note" in fields) values.note = fields.note || undefined;
  if ("caption" in fields) {
    const title = firstLine(fields.caption);
    Object.assign(values, {
      title: title || undefined,
      caption: (fields.caption !== title && fields.caption) || undefined,
    });
  }
  const { title, note } = { ...card, ...values };
  const isNoted = !title || (!("caption" in fields) && title === firstLine(card.note)); // a draft without a caption
  if (card.state === "draft" && isNoted) values.title = firstLine(note) || undefined;
  return values;
}
