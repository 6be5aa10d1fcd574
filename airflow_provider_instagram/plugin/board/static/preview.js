// A post as Instagram shows it.

import { ROOT } from "./api.js";
import { h, icon } from "./dom.js";

/** @typedef {import("./panel.js").PostDetail} PostDetail */

const LONG_CAPTION = 90; // characters; of a longer one, the first lines are shown
const NOT_YET = "The picture appears here when the post is prepared, shortly before its time.";

/**
 * Return the preview of a post.
 * @param {PostDetail} content
 * @param {number} place The place of the item of a carousel that is shown.
 * @param {(place: number) => void} turn Shows another item.
 * @param {HTMLVideoElement | null} playing The video that plays already.
 */
export function previewSection(content, place, turn, playing) {
  const { account } = content.card;
  const face = h("span", { class: "face" }, (account[0] || "?").toUpperCase());
  const signs = ["heart", "comment", "send", "save"].map(icon);
  const alt = content.media[place]?.alt;
  return h(
    "section",
    {},
    h("h3", {}, "As Instagram shows it"),
    h(
      "div",
      { class: "phone" },
      h("div", { class: "who" }, face, h("span", { class: "cut" }, account)),
      h("div", { class: `media${shapeOf(content)}` }, mediaElements(content, place, turn, playing)),
      content.kind === "story" ? null : h("div", { class: "icons", "aria-hidden": "true" }, signs),
      content.caption ? captionElements(account, content.caption) : null,
    ),
    alt ? h("p", { class: "hint alt" }, `Alt text: ${alt}`) : null,
    content.warning ? h("p", { class: "hint" }, content.warning) : null,
  );
}

/** @param {string} account @param {string} text */
function captionElements(account, text) {
  const isLong = text.length > LONG_CAPTION || text.includes("\n");
  const caption = h("p", { class: isLong ? "caption short" : "caption" }, h("b", {}, account), text);
  const more = (/** @type {Event} */ _, /** @type {HTMLElement} */ button) => {
    caption.classList.remove("short");
    button.remove();
  };
  return [caption, isLong ? h("button", { class: "see", type: "button", click: more }, "more") : null];
}

/** Return the shape: high for a reel and a story, and low if there is nothing to see yet. @param {PostDetail} content */
function shapeOf(content) {
  if (!content.media.some((item) => item.cover)) return " bare";
  return content.kind === "reel" || content.kind === "story" ? "" : " feed";
}

/**
 * @param {PostDetail} content
 * @param {number} place
 * @param {(place: number) => void} turn
 * @param {HTMLVideoElement | null} playing
 */
function mediaElements({ card, media }, place, turn, playing) {
  const item = media[place];
  if (!item?.cover) return [h("p", {}, NOT_YET)];
  const name = media.length > 1 ? `Item ${place + 1} of ${media.length}` : "";
  const poster = `${ROOT}/covers/${item.cover}.jpg`;
  const image = () => h("img", { src: poster, alt: [name, item.alt].filter(Boolean).join(": ") || "Cover" });
  const buttons = media.length > 1 ? turner(media.length, place, turn) : [];
  if (!item.video) return [image(), ...buttons];
  const query = new URLSearchParams({ dag_id: card.dag, post_id: card.id, item: String(place + 1) });
  const src = `${ROOT}/calendar/api/video?${query}`;
  if (playing?.getAttribute("src") === src) return [playing, ...buttons];
  const about = {
    src,
    poster,
    controls: true,
    playsinline: true,
    preload: "none",
    loop: true,
    "aria-label": name || "Preview",
  };
  return [h("video", { ...about, error: (_, self) => self.replaceWith(image()) }), ...buttons];
}

/**
 * Return the buttons that turn a carousel, and the dots that say which item is shown.
 * @param {number} length
 * @param {number} place
 * @param {(place: number) => void} turn
 */
export function turner(length, place, turn) {
  /** @param {string} side @param {string} label @param {string} sign @param {number} to */
  const button = (side, label, sign, to) =>
    to >= 0 && to < length
      ? h("button", { class: `turn ${side}`, type: "button", "aria-label": label, click: () => turn(to) }, icon(sign))
      : null;
  const dots = Array.from({ length }, (_, index) => h("i", { class: index === place ? "on" : "" }));
  return [
    button("back", "Previous item", "left", place - 1),
    button("next", "Next item", "right", place + 1),
    h("span", { class: "dots", "aria-hidden": "true" }, dots),
  ];
}
