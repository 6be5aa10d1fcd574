// The files of a post in a form: they are uploaded or chosen, put in order, described, and tagged.

import { ROOT, upload } from "./api.js";
import { h, icon, messageOf, say } from "./dom.js";

/**
 * @typedef {import("./fields.js").Tag} Tag
 * @typedef {"image" | "video"} ItemKind
 *
 * @typedef {object} Item A file of a post.
 * @property {string} file Its name in the calendar's folder, or a link.
 * @property {ItemKind} kind
 * @property {string} [alt_text]
 * @property {(string | Tag)[]} [user_tags]
 * @property {AbortController} [upload] Ends its upload, while that goes on.
 * @property {string} [error] Why it was refused.
 *
 * @typedef {Record<string, any>} Values The values of a post, by the names of their fields.
 */

const MOST_NAMES = 60; // so many files of the folder are shown at once
const PICTURES = /\.(jpe?g|png|webp|hei[cf]|avif|tiff?)$/i;
const PLACED = /^[a-z0-9+.-]+:\/\//i;

/** @param {string} file @returns {ItemKind} */
const kindByName = (file) => (PICTURES.test(file.replace(/[?#].*$/, "")) ? "image" : "video");
/** @param {string} file @returns {Item} */
export const itemOf = (file) => ({ file, kind: kindByName(file) });

/** Return the files of a post. @param {Values} values @returns {Item[]} */
export function itemsOf(values) {
  const { video, image, carousel, alt_text, user_tags } = values;
  if (carousel?.length)
    return carousel.map((/** @type {Values} */ one) => {
      const kind = one.video ? "video" : "image";
      return { file: one[kind], kind, alt_text: one.alt_text, user_tags: one.user_tags };
    });
  if (image) return [{ file: image, kind: "image", alt_text, user_tags }];
  return video ? [{ file: video, kind: "video" }] : [];
}

/** Return the values of a post for its files. @param {Item[]} items @returns {Values} */
export function valuesOf(items) {
  const none = { video: null, image: null, carousel: [] };
  const [first, ...more] = items;
  if (!first) return none;
  if (!more.length) return { ...none, [first.kind]: first.file };
  return { ...none, carousel: items.map(asWritten) };
}

/** @param {Item} item */
function asWritten({ file, kind, alt_text, user_tags }) {
  const own = kind === "image" ? { alt_text: alt_text?.trim(), user_tags } : {};
  return Object.fromEntries(
    Object.entries({ [kind]: file, ...own }).filter(([, value]) => value && (!Array.isArray(value) || value.length)),
  );
}

/** Return what a post of these files is. @param {Item[]} items @param {string} placement */
export function kindOf(items, placement) {
  if (placement === "story") return "story";
  if (items.length > 1) return "carousel";
  return items[0]?.kind === "image" ? "picture" : "reel";
}

/** Return the address of a file in the calendar's folder; empty for a link. @param {string} dag @param {Item} item */
export const addressOf = (dag, { file, upload }) =>
  upload || PLACED.test(file) ? "" : `${ROOT}/calendar/api/file?${new URLSearchParams({ dag_id: dag, name: file })}`;

/** Return a small picture of a file. @param {string} dag @param {Item} item */
function thumb(dag, item) {
  const src = addressOf(dag, item);
  const none = () => h("span", { class: "mini" }, icon(item.kind === "image" ? "picture" : "reel"));
  if (!src) return none();
  /** @param {Event} _ @param {HTMLElement} self */
  const error = (_, self) => self.replaceWith(none());
  return item.kind === "image"
    ? h("img", { class: "mini", src, alt: "", loading: "lazy", error })
    : h("video", {
        class: "mini",
        src: `${src}#t=0.1`,
        preload: "metadata",
        muted: true,
        "aria-hidden": "true",
        error,
      });
}

/** Uploads go one after the other: a server takes few of them at a time. @type {Promise<void>} */
let last = Promise.resolve();

/** Say how far an upload is. @param {number} share */
const progressOf = (share) =>
  share < 1 ? `is being uploaded: ${Math.floor(100 * share)} %` : "is uploaded, and being stored …";

/**
 * The list of files in a form.
 * @param {{ dag: string, items: Item[], names: string[], changed: () => void, show: (item: Item) => void, isStory: () => boolean }} form
 */
export function filesElement(form) {
  /** What says how far an upload is. @type {WeakMap<Item, HTMLElement>} */
  const notes = new WeakMap();
  const list = h("ol", { class: "items" });
  const box = h("input", {
    type: "file",
    multiple: true,
    accept: "video/*,image/*,.heic,.heif",
    "aria-label": "Upload files",
    change: (_, self) => {
      add([...(self.files ?? [])]);
      self.value = "";
    },
  });
  const link = h("input", { type: "text", "aria-label": "Link of a file", placeholder: "https://…" });
  const addLink = () => {
    if (!link.value.trim()) return;
    form.items.push(itemOf(link.value.trim()));
    link.value = "";
    draw();
  };
  const names = h("div", { class: "names" });
  const search = h("input", {
    type: "search",
    "aria-label": "Search in the folder",
    placeholder: "Search",
    input: draw,
  });
  const folder = h(
    "details",
    { class: "fold", open: !form.items.length && form.names.length > 0 },
    h("summary", {}, "From the calendar's folder, or a link"),
    form.names.length > MOST_NAMES ? search : null,
    names,
    h("div", { class: "acts" }, link, h("button", { class: "btn", type: "button", click: addLink }, "Add link")),
  );
  const element = h(
    "div",
    {
      class: "field files",
      "data-field": "media",
      role: "group",
      "aria-label": "Files",
      dragover: (event) => event.preventDefault(),
      drop: (event) => {
        event.preventDefault();
        const { dataTransfer } = /** @type {DragEvent} */ (event);
        add([...(dataTransfer?.files ?? [])]);
      },
    },
    "Files",
    h("small", {}, "One video or picture, or several for a carousel. Drop them here, or choose them."),
    list,
    box,
    folder,
  );

  /** Upload files, and put them at the end. @param {File[]} given */
  function add(given) {
    for (const one of given) {
      /** @type {Item} */
      const item = { file: one.name, kind: one.type.startsWith("video/") ? "video" : kindByName(one.name) };
      const { signal } = (item.upload = new AbortController());
      last = last.then(() => uploaded(item, one, signal));
      form.items.push(item);
    }
    draw();
  }

  /** @param {Item} item @param {File} file @param {AbortSignal} signal */
  async function uploaded(item, file, signal) {
    if (signal.aborted) return;
    try {
      const path = `files?${new URLSearchParams({ dag_id: form.dag, name: file.name })}`;
      const told = (/** @type {number} */ share) => {
        const note = notes.get(item);
        if (note) note.textContent = progressOf(share);
      };
      const { name, done } = await upload(path, file, told, signal);
      item.file = name;
      if (done) say(done);
      if (!form.names.includes(name)) form.names.push(name);
    } catch (error) {
      item.error = `${file.name}: ${messageOf(error)}`;
    }
    delete item.upload;
    draw();
  }

  /** End what goes on. What was uploaded stays in the folder. */
  function end() {
    for (const item of form.items) item.upload?.abort();
  }

  /** @param {number} from @param {number} to */
  function moveItem(from, to) {
    const [item] = form.items.splice(from, 1);
    if (item) form.items.splice(to, 0, item);
    draw();
    /** @type {HTMLElement | null} */
    const moved = list.querySelector(`li:nth-child(${to + 1})`);
    moved?.focus();
  }

  /** @param {Item} item @param {number} at */
  function row(item, at) {
    /** @param {string} text @param {() => void} click @param {boolean} isOff */
    const button = (text, click, isOff = false) =>
      h("button", { class: "btn", type: "button", "aria-label": `${text} ${item.file}`, disabled: isOff, click }, text);
    const alt = h("input", {
      type: "text",
      value: item.alt_text ?? "",
      "aria-label": `Alt text of ${item.file}`,
      placeholder: "Alt text: what the picture shows",
      input: (_, self) => {
        item.alt_text = self.value;
        form.changed();
      },
    });
    const tags = item.user_tags?.length ? ` (${item.user_tags.length})` : "";
    return h(
      "li",
      {
        tabindex: 0,
        draggable: "true",
        title: "Alt with an arrow key moves it",
        dragstart: (event) => /** @type {DragEvent} */ (event).dataTransfer?.setData("text/plain", String(at)),
        drop: (event) => {
          const { dataTransfer } = /** @type {DragEvent} */ (event);
          if (dataTransfer?.files.length) return;
          event.stopPropagation();
          event.preventDefault();
          moveItem(Number(dataTransfer?.getData("text/plain")), at);
        },
        keydown: (event) => {
          const { altKey, key } = /** @type {KeyboardEvent} */ (event);
          const to = at + ({ ArrowUp: -1, ArrowDown: 1 }[key] ?? 0);
          if (!altKey || to === at || to < 0 || to >= form.items.length) return;
          event.preventDefault();
          moveItem(at, to);
        },
      },
      thumb(form.dag, item),
      h(
        "div",
        {},
        h(
          "span",
          { class: "top" },
          h("b", { class: "cut" }, item.file),
          button("Up", () => moveItem(at, at - 1), at === 0),
          button("Down", () => moveItem(at, at + 1), at === form.items.length - 1),
          item.kind === "image" && !form.isStory() ? button(`Tag people${tags}`, () => form.show(item)) : null,
          button("Remove", () => {
            item.upload?.abort();
            form.items.splice(at, 1);
            draw();
          }),
        ),
        item.upload ? noteOf(item) : null,
        item.error ? h("small", { class: "error" }, item.error) : null,
        item.kind === "image" && !form.isStory() ? alt : null,
      ),
    );
  }

  /** @param {Item} item */
  function noteOf(item) {
    const note = notes.get(item) ?? h("small", {}, progressOf(0));
    notes.set(item, note);
    return note;
  }

  /** @param {string} name */
  function choice(name) {
    const at = form.items.findIndex((item) => item.file === name);
    const click = () => {
      if (at < 0) form.items.push(itemOf(name));
      else form.items.splice(at, 1);
      draw();
    };
    const about = { class: "name", type: "button", title: name, "aria-pressed": at >= 0, click };
    return h("button", about, thumb(form.dag, itemOf(name)), h("span", { class: "cut" }, name));
  }

  let drawn = "";
  function draw() {
    const all = form.items;
    list.replaceChildren(...all.map(row));
    const found = form.names.filter((name) => name.toLowerCase().includes(search.value.trim().toLowerCase()));
    const now = JSON.stringify([found, all.map((item) => item.file)]);
    if (now !== drawn) names.replaceChildren(...found.slice(0, MOST_NAMES).map(choice)); // loaded pictures stay
    drawn = now;
    form.changed();
  }

  draw();
  return {
    element,
    add,
    draw,
    end,
    /** Wait until all files are in the folder, or refused. */
    ready: () => last,
  };
}
