// The side panel: one post, as Instagram shows it, with its history and what can be done about it.

import { post, request } from "./api.js";
import { cardOf, mark } from "./cards.js";
import { byId, h, icon, isNarrow, messageOf, outward, say } from "./dom.js";
import { unsavedOf, keepUnsaved } from "./unsaved.js";
import { editPost, editSection } from "./edit.js";
import { counterOf } from "./fields.js";
import { previewSection } from "./preview.js";
import {
  factsSection,
  historySection,
  insightsSection,
  linesSection,
  noteSection,
  problemSection,
  transcodeSection,
} from "./sections.js";
import { MEANINGS, STATES, data, refresh, stateText, view, writeAddress } from "./state.js";

/**
 * @typedef {import("./state.js").Card} Card
 *
 * @typedef {object} AnyDetail What the panel shows of each post, also of one that has to be corrected.
 * @property {Card} card
 * @property {string} hint
 * @property {string} why
 * @property {string[]} acts What this user can do; keys of `ACTS`.
 * @property {Record<string, string>} cannot Why the account cannot do some of them.
 * @property {number} [line]
 * @property {string} lines Its lines in the file.
 * @property {import("./edit.js").Offer} [edit] What can be edited of it.
 * @property {boolean} [needs_file] Whether it has failed because of its file.
 *
 * @typedef {object} PostPart
 * @property {string} caption
 * @property {string | null} file_caption What the file says instead of the caption that was approved.
 * @property {string | null} warning
 * @property {string} version
 * @property {(string | null)[]} sha256
 * @property {boolean} held
 * @property {string} kind
 * @property {string} zone
 * @property {Record<string, unknown>} options
 * @property {{ file: string, cover: string, video: boolean, alt: string }[]} media
 * @property {string | null} comment
 * @property {{ at: string, what: string, detail: string, link: string }[]} history
 * @property {{ age: string, at: string, values: [string, number | string][] } | null} insights
 * @property {any} report What the transcode reported: data that a user may have edited.
 * @property {string | null} link
 * @property {{ link: string, key: string } | null} deletion The DAG that deletes it, if this user may start its runs.
 * @typedef {AnyDetail & PostPart} PostDetail
 * @typedef {PostDetail | AnyDetail & { caption?: undefined }} Detail
 */

/**
 * @typedef {object} Open The post that is open.
 * @property {string} dag
 * @property {string} id
 * @property {Detail | null} content
 * @property {Card | undefined} card The card when the content was asked for.
 * @property {number} place The place of the item of a carousel that is shown.
 * @property {string} error Why its content could not be loaded.
 * @property {string} refused Why the last act was refused.
 * @property {string} asked The act that the user is asked about.
 * @property {string} typed What the user has entered about it.
 */

/** @type {Open | null} */
let open = null;
/** Open a post. @param {string} key */
export function openPost(key) {
  const at = key.indexOf("/");
  if (at <= 0) return;
  view.post = key;
  writeAddress();
  open = {
    dag: key.slice(0, at),
    id: key.slice(at + 1),
    content: null,
    card: undefined,
    place: 0,
    error: "",
    refused: "",
    asked: "",
    typed: "",
  };
  drawPanel();
  mark();
  loadPost();
}

/** Close the question that the panel asks, or else the panel. Return whether it was open. */
export function closePart() {
  if (!open) return false;
  if (open.asked) ask("");
  else closePost();
  return true;
}

function closePost() {
  const key = view.post;
  open = null;
  view.post = "";
  writeAddress();
  document.body.classList.remove("open");
  byId("app").inert = false;
  byId("panel").hidden = true;
  mark();
  cardOf(key)?.focus();
}

async function loadPost() {
  const current = open;
  if (!current) return;
  current.card = data.cards.get(view.post);
  try {
    const query = new URLSearchParams({ dag_id: current.dag, post_id: current.id, seen: data.etag });
    const answer = await request(`post?${query}`);
    current.content = answer?.content;
    current.error = "";
  } catch (error) {
    const text = messageOf(error);
    if (current.error !== text) say(text);
    current.error = text;
  }
  if (open === current && !isTyping()) drawPanel();
}

/** Load the open post again when its card has changed. */
export function follow() {
  if (!data.loaded || data.error) return;
  if (!open && view.post) openPost(view.post);
  else if (open && JSON.stringify(open.card) !== JSON.stringify(data.cards.get(view.post))) loadPost();
}

function isTyping() {
  const active = document.activeElement;
  return byId("panel").contains(active) && ["TEXTAREA", "INPUT", "SELECT"].includes(active?.tagName ?? "");
}

export function drawPanel() {
  if (!open) return;
  const panel = byId("panel");
  const isNew = panel.hidden;
  const isSame = panel.dataset.post === view.post;
  const kept = isSame ? panel.scrollTop : 0;
  const playing = isSame ? panel.querySelector("video") : null;
  document.body.classList.add("open");
  panel.hidden = false;
  panel.dataset.post = view.post;
  panel.setAttribute("aria-modal", String(isNarrow()));
  byId("app").inert = isNarrow(); // on a phone, the panel covers the page
  const close = h(
    "button",
    { class: "btn square", type: "button", "aria-label": "Close", title: "Key Escape", click: closePost },
    icon("close"),
  );
  const card = open.content?.card ?? data.cards.get(view.post);
  const head = h("div", { class: "head" }, h("h2", { class: "cut" }, card?.id ?? open.id), close);
  const focused = panel.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  panel.replaceChildren(head, h("div", { class: "sections" }, sectionsOf(open, card, playing)));
  panel.scrollTop = kept;
  if (!isNew && focused === null) return;
  /** @type {HTMLElement[]} */
  const focusable = [...panel.querySelectorAll("button, a, pre")].map((one) => /** @type {HTMLElement} */ (one));
  const again = focused ? focusable.find((one) => nameOf(one) === focused) : null;
  (again ?? close).focus({ preventScroll: true });
}

/** @param {Element | null} element */
const nameOf = (element) => element?.getAttribute("aria-label") || element?.textContent || "";

/** @param {Open} current @param {Card | undefined} card @param {HTMLVideoElement | null} playing */
function sectionsOf(current, card, playing) {
  const { content } = current;
  const errors = [current.refused, current.error].map((error) => error && h("p", { class: "error" }, error));
  const state = card ? stateSection(card, content) : null;
  if (!content) return [...errors, state];
  const edit = editSection(content.card, content.edit, closePost);
  const first = [...errors, state, noteSection(content.card), edit, problemSection(content.card)];
  if (content.caption === undefined) return [...first, linesSection(content)];
  return [
    ...first,
    previewSection(content, Math.min(current.place, content.media.length - 1), turn, playing),
    insightsSection(content),
    factsSection(content),
    transcodeSection(content),
    historySection(content),
    linesSection(content),
  ];
}

/** Show another item of a carousel. @param {number} place */
function turn(place) {
  if (!open) return;
  const side = place > open.place ? "next" : "back";
  open.place = place;
  drawPanel();
  const buttons = [`#panel .turn.${side}`, "#panel .turn"].map((one) => document.querySelector(one));
  const button = /** @type {HTMLElement | null | undefined} */ (buttons.find(Boolean));
  button?.focus();
}

/**
 * What a user can do. An act with a question is done when the user has confirmed it.
 * @type {Record<string, { text: string, look?: "main" | "danger", question?: string, field?: keyof typeof FIELDS, sure?: string }>}
 */
const ACTS = {
  approve: { text: "Approve", look: "main" },
  reject: {
    text: "Reject …",
    look: "danger",
    question: "Why is it rejected? The reason is shown to its author.",
    field: "reason",
    sure: "Reject",
  },
  retry: { text: "Try again", look: "main" },
  skip: {
    text: "Skip …",
    look: "danger",
    question:
      "Nothing publishes this post then, unless you bring it back. An edit in the calendar makes a new version, which is published.",
    field: "reason",
    sure: "Skip",
  },
  unskip: { text: "Bring back", look: "main" },
  publish_now: {
    text: "Publish now …",
    question: "It is published on Instagram as soon as it is ready, whatever its time in the calendar.",
    sure: "Publish now",
  },
  live: {
    text: "It is live …",
    question:
      "Look at the account on Instagram first. If the post is there, record it here, so that it is never published again.",
    field: "permalink",
    sure: "Record as live",
  },
  not_live: {
    text: "It is not live …",
    look: "danger",
    question:
      "Look at the account on Instagram first, and again an hour after the attempt. If the post is not there, record that. It is then published again.",
    sure: "Record as not live",
  },
};
const FIELDS = { reason: "Reason", permalink: "Link to the post, if you have it" };
const LONGEST_CAPTION = 2200; // characters

/** @param {Card} card @param {Detail | null} content */
function stateSection(card, content) {
  const words = card.state === "waiting" ? stateText(card) : STATES[card.state];
  const isProblem = card.state === "problem"; // its section says why
  const post = content?.caption === undefined ? null : content;
  const acts = content?.acts ?? [];
  return h(
    "section",
    { "data-state": card.state },
    h("span", { class: "badge loud", title: MEANINGS[card.state] }, words),
    content?.why && !isProblem ? h("p", { class: "why" }, content.why) : null,
    content?.hint && !isProblem ? h("p", { class: "hint" }, content.hint) : null,
    post?.link ? h("p", { class: "why" }, outward("View on Instagram", post.link)) : null,
    post?.deletion ? deletionElement(post.deletion) : null,
    typeof post?.file_caption === "string" ? h("p", { class: "hint" }, otherCaption(post.file_caption)) : null,
    post && acts.includes("approve") && !post.held && post.kind !== "story" ? captionField(post.caption) : null,
    acts.length ? actsElement(acts) : null,
  );
}

/** @param {string} text */
const otherCaption = (text) =>
  `The caption was changed with the approval, and Instagram gets the changed one. The calendar's file ${text ? `still has: “${text}”` : "has none."}`;

/** Airflow's form of a run cannot be filled in by a link. @param {{ link: string, key: string }} deletion */
const deletionElement = ({ link, key }) =>
  h("p", { class: "hint" }, outward("Delete it in Airflow", link), ", by its post key: ", h("code", {}, key));

/**
 * Return the field of the caption. An edit is kept while the panel is closed, until the calendar has another caption.
 * @param {string} caption
 */
function captionField(caption) {
  const area = h("textarea", { name: "caption", rows: 6, dir: "auto", "aria-label": "Caption" }); // no maxlength: it cuts
  area.addEventListener("input", () =>
    keepUnsaved(`${view.post}/approve`, area.value === caption ? null : { of: caption, text: area.value }),
  );
  area.defaultValue = caption;
  const draft = unsavedOf(`${view.post}/approve`);
  if (draft && draft.of === caption) area.value = draft.text;
  return h("label", { class: "field" }, "Caption, as it is published", area, counterOf(LONGEST_CAPTION, area));
}

/** Return what the user has made of the caption, or undefined if they left it as it is. */
function editedCaption() {
  /** @type {HTMLTextAreaElement | null} */
  const area = document.querySelector("#panel [name=caption]");
  return area && area.value !== area.defaultValue.replace(/\r\n?/g, "\n") ? area.value : undefined;
}

/** Ask the user about an act, or about none. @param {string} name */
function ask(name) {
  if (!open) return;
  Object.assign(open, { asked: name, typed: "" });
  drawPanel();
  /** @type {HTMLElement | null} */
  const field = name ? document.querySelector(".confirm input, .confirm button") : null;
  field?.focus();
}

/** @param {string[]} acts */
function actsElement(acts) {
  const asked = open?.asked ?? "";
  const cannot = open?.content?.cannot ?? {};
  if (acts.includes(asked)) return confirmElement(asked);
  const { card, edit, needs_file: needsFile } = open?.content ?? {};
  const replace =
    card && edit?.does.includes("change") && needsFile
      ? h("button", { class: "btn main", type: "button", click: () => editPost(card, edit) }, "Replace the file …")
      : null;
  const buttons = acts.map((name) => {
    const { text, look: usual, question } = ACTS[name] ?? { text: name };
    const look = replace && name === "retry" ? undefined : usual;
    const click = () => (question ? ask(name) : act(name));
    const about = { class: look ? `btn ${look}` : "btn", type: "button", "data-act": name, click };
    return h("button", cannot[name] ? { ...about, disabled: true } : about, text);
  });
  const reasons = [...new Set(acts.map((name) => cannot[name]))].map((why) => why && h("p", { class: "hint" }, why));
  return h("div", {}, h("div", { class: "acts" }, replace, buttons), ...reasons);
}

/** Return the question whether the user is sure. @param {string} name */
function confirmElement(name) {
  const { question, field, look, sure } = ACTS[name] ?? {};
  const keep = (/** @type {Event} */ _, /** @type {HTMLInputElement} */ self) => {
    if (open) open.typed = self.value; // a refusal draws this again
  };
  const about = { maxlength: 500, value: open?.typed, input: keep };
  const input = field ? h("input", { name: field, "aria-label": FIELDS[field], ...about }) : null;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    act(name, field && input ? { [field]: input.value } : {});
  };
  const confirm = h("button", { class: `btn ${look ?? "main"}`, type: "submit" }, sure);
  const cancel = h("button", { class: "btn", type: "button", click: () => ask("") }, "Cancel");
  return h(
    "form",
    { class: "confirm", submit },
    h("p", {}, question),
    field ? h("label", { class: "field" }, FIELDS[field], input) : null,
    h("div", { class: "acts" }, confirm, cancel),
  );
}

/**
 * Do something to the open post once it is shown, if that can be done. Return whether it was.
 * @param {string} name @param {Record<string, string>} given
 */
export async function actOn(name, given = {}) {
  const current = open;
  if (!current?.content?.acts.includes(name)) return false;
  await act(name, given);
  return open === current && current.refused === "";
}

/** Do something to the open post. @param {string} name @param {Record<string, string>} given */
async function act(name, given = {}) {
  const current = open;
  if (!current) return;
  const caption = name === "approve" ? editedCaption() : undefined;
  const { version, sha256, held } = /** @type {Partial<PostDetail>} */ (current.content ?? {}); // an answer is about what is shown
  for (const button of document.querySelectorAll("#panel .acts button")) button.setAttribute("disabled", "");
  try {
    const { done, seen } = await post({
      act: name,
      dag_id: current.dag,
      post_id: current.id,
      caption,
      version,
      sha256,
      held,
      ...given,
    });
    Object.assign(current, { asked: "", typed: "" });
    if (name === "approve") keepUnsaved(`${current.dag}/${current.id}/approve`, null);
    data.etag = seen; // whichever process of the API server answers next, it does not show what was before
    say(done);
    current.refused = "";
  } catch (error) {
    current.refused = messageOf(error); // stays until the next act, whatever changes meanwhile
    say(current.refused);
  }
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  await Promise.all([refresh(), loadPost()]);
  if (open !== current) return;
  drawPanel();
  /** @type {HTMLElement | null} */
  const close = document.querySelector("#panel .head button");
  if (document.activeElement === document.body) close?.focus({ preventScroll: true });
}
