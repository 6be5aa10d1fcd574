// The preview beside a form: a post as it will be, with its bars or its crop, its cover frame and its tags.

import { h } from "./dom.js";
import { addressOf } from "./files.js";
import { turner } from "./preview.js";

/** @typedef {import("./files.js").Item} Item */
/** @typedef {import("./fields.js").Tag} Tag */

/**
 * @typedef {object} Draft What a preview shows.
 * @property {string} dag
 * @property {string} account
 * @property {string} kind
 * @property {Item[]} items
 * @property {string} caption
 * @property {string} fit
 * @property {string} background
 * @property {number | null} cover The cover frame, in milliseconds.
 */

const TALL = 9 / 16;
const NARROWEST = 4 / 5; // of a picture in the feed; the widest is as below
const WIDEST = 1.91;

/**
 * Return the preview of a form, and what draws it again.
 * @param {() => Draft} read @param {(milliseconds: number) => void} setCover @param {() => void} changed
 */
export function formPreview(read, setCover, changed) {
  let place = 0;
  let drawn = "";
  let drawnTags = "";
  let ratio = 1; // of the first file
  const media = h("div", { class: "media" });
  const who = h("span", { class: "cut" });
  const caption = h("p", { class: "caption" });
  const below = h("div", { class: "below" });
  const phone = h("div", { class: "phone" }, h("div", { class: "who" }, who), media, caption);
  const element = h(
    "section",
    { class: "beside", "aria-label": "Preview" },
    h("h3", {}, "As Instagram will show it"),
    phone,
    below,
  );

  /** @param {Draft} draft */
  const turns = ({ items }) =>
    (items.length > 1 ? turner(items.length, place, turn) : []).filter((one) => one !== null);

  /** @param {number} to */
  function turn(to) {
    place = to;
    drawn = "";
    draw();
  }

  function draw() {
    const draft = read();
    place = Math.max(0, Math.min(place, draft.items.length - 1));
    const item = draft.items[place];
    who.textContent = draft.account;
    caption.replaceChildren(h("b", {}, draft.account), draft.caption);
    caption.hidden = draft.kind === "story" || !draft.caption;
    const now = JSON.stringify([draft.kind, draft.items.map((one) => [one.file, !one.upload]), place]);
    if (now !== drawn) drawMedia(draft, item);
    drawn = now;
    const isTall = draft.kind === "reel" || draft.kind === "story";
    const shape = isTall ? TALL : Math.min(WIDEST, Math.max(NARROWEST, ratio));
    media.style.aspectRatio = String(shape);
    media.dataset.fit = draft.fit;
    media.style.backgroundColor = draft.fit === "pad" ? draft.background : "";
    drawTags(draft, item);
    drawCover(draft);
  }

  /** @param {Draft} draft @param {Item | undefined} item */
  function drawMedia(draft, item) {
    const src = item ? addressOf(draft.dag, item) : "";
    const why = item?.upload
      ? "It is being uploaded."
      : item
        ? "A link has no preview, because this page opens no other site. Open the link yourself to check it."
        : "";
    const none = () =>
      media.replaceChildren(h("p", {}, why || "Choose a file, and it is shown here."), ...turns(draft));
    if (!item || !src) return none();
    /** @param {number} width @param {number} height */
    const measured = (width, height) => {
      if (place === 0) ratio = width / height || 1;
      draw();
    };
    const shown =
      item.kind === "image"
        ? h("img", { src, alt: "", load: (_, self) => measured(self.naturalWidth, self.naturalHeight) })
        : h("video", {
            src,
            controls: true,
            playsinline: true,
            preload: "metadata",
            "aria-label": "Video",
            loadedmetadata: (_, self) => measured(self.videoWidth, self.videoHeight),
          });
    shown.addEventListener("error", () => {
      if (!shown.isConnected) return; // another file is shown by now
      media.replaceChildren(
        h("p", {}, "This file cannot be shown here. Instagram gets it as JPEG or MP4, if it can be read."),
        ...turns(draft),
      );
    });
    const blurred = item.kind === "image" ? h("img", { class: "blurred", src, alt: "", "aria-hidden": "true" }) : null;
    media.replaceChildren(...[blurred, shown].filter((one) => one !== null), ...turns(draft));
  }

  /** Show the tags of a picture: a click on it adds one. @param {Draft} draft @param {Item | undefined} item */
  function drawTags(draft, item) {
    for (const old of media.querySelectorAll(".pin")) old.remove();
    const isTagged = item?.kind === "image" && draft.kind !== "story";
    media.onclick = isTagged && item ? (event) => addByClick(item, event) : null;
    media.classList.toggle("tagged", isTagged);
    const tags = (isTagged && item?.user_tags?.filter((tag) => typeof tag !== "string")) || [];
    tags.forEach((tag, at) => {
      const pin = h("span", { class: "pin", "aria-hidden": "true" }, tag.username || String(at + 1));
      pin.style.left = `${100 * tag.x}%`;
      pin.style.top = `${100 * tag.y}%`;
      media.append(pin);
    });
    const now = JSON.stringify([isTagged && item?.file, tags.map(({ x, y }) => [x, y])]);
    if (now === drawnTags) return; // a name that is typed keeps the focus
    drawnTags = now;
    below.querySelector(".tags")?.remove();
    if (!isTagged || !item) return;
    const add = () => addTag(item, 0.5, 0.5);
    below.prepend(
      h(
        "div",
        { class: "tags", "data-field": "pins" },
        h("p", { class: "hint" }, "Click into the picture to tag somebody, or:"),
        tags.map((tag) => tagElement(item, tag)),
        h("button", { class: "btn", type: "button", click: add }, "Add a tag"),
      ),
    );
  }

  /** @param {Item} item @param {MouseEvent} event */
  function addByClick(item, event) {
    if (event.target instanceof Element && event.target.closest("button")) return;
    const box = media.getBoundingClientRect();
    addTag(item, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  /** @param {Item} item @param {number} x @param {number} y */
  function addTag(item, x, y) {
    item.user_tags = [...(item.user_tags ?? []), { username: "", x: rounded(x), y: rounded(y) }];
    draw();
    changed();
    /** @type {HTMLElement | null} */
    const input = below.querySelector(".tags > .tag-row:last-of-type input");
    input?.focus();
  }

  /** @param {number} share */
  const rounded = (share) => Math.round(100 * Math.min(1, Math.max(0, share))) / 100;

  /** @param {Item} item @param {Tag} tag */
  function tagElement(item, tag) {
    const name = h("input", {
      type: "text",
      value: tag.username,
      placeholder: "user name",
      "aria-label": "User name",
      input: (_, self) => {
        tag.username = self.value.trim().replace(/^@/, "");
        changed();
      },
    });
    /** @param {"x" | "y"} axis @param {string} label */
    const place = (axis, label) =>
      h("input", {
        type: "number",
        min: 0,
        max: 100,
        value: Math.round(100 * tag[axis]),
        "aria-label": label,
        change: (_, self) => {
          tag[axis] = rounded(Number(self.value) / 100);
          draw();
          changed();
        },
      });
    const remove = () => {
      item.user_tags = item.user_tags?.filter((one) => one !== tag);
      draw();
      changed();
    };
    const button = h(
      "button",
      { class: "btn", type: "button", "aria-label": `Remove the tag of ${tag.username}`, click: remove },
      "Remove",
    );
    return h(
      "div",
      { class: "tag-row" },
      name,
      place("x", "From the left, in percent"),
      place("y", "From the top, in percent"),
      button,
    );
  }

  /** Let the cover frame of a reel be chosen by moving through its video. @param {Draft} draft */
  function drawCover({ kind, cover }) {
    const video = media.querySelector("video");
    const length = video && kind === "reel" && Number.isFinite(video.duration) ? video.duration : 0;
    const old = /** @type {HTMLInputElement | null} */ (below.querySelector(".cover input"));
    if (!length) return below.querySelector(".cover")?.remove();
    if (old) {
      if (document.activeElement !== old) old.value = String((cover ?? 0) / 1000);
      return;
    }
    const input = h("input", {
      type: "range",
      min: 0,
      max: length,
      step: 0.1,
      value: (cover ?? 0) / 1000,
      input: (_, self) => {
        const at = Number(self.value);
        const playing = media.querySelector("video");
        playing?.pause();
        if (playing) playing.currentTime = at;
        setCover(Math.round(1000 * at));
      },
    });
    below.append(h("label", { class: "field cover" }, "Cover frame: move through the video", input));
  }

  return {
    element,
    draw,
    /** Show a file. @param {number} at */
    show: (at) => {
      turn(at);
      element.scrollIntoView({ block: "nearest" });
    },
  };
}
