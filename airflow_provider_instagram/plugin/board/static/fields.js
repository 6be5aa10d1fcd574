// The fields of a form, which are made of the declaration of a post.

import { h } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} says
 * @property {string[]} kinds The kinds of posts that take it.
 * @property {"text" | "words" | "tags" | "choice" | "flag" | "number"} input
 * @property {string[]} [words] The words of a choice.
 * @property {boolean} [optional] Whether it may have no value.
 * @property {number} [lines]
 * @property {number} [longest] The most characters of its text.
 * @property {number} [least]
 * @property {number} [most]
 *
 * @typedef {{ username: string, x: number, y: number }} Tag
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control
 */

/** Return a field with its label, and a place for what is wrong with it. @param {string} name @param {string} label @param {Node[]} parts */
export const labelled = (name, label, ...parts) => h("label", { class: "field", "data-field": name }, label, ...parts);

/** Return a field of a form. @param {Field} field @param {unknown} value */
export function fieldElement(field, value) {
  const control = controlOf(field);
  setValue(control, value);
  const counter = field.longest ? counterOf(field.longest, control) : null;
  const hint = field.lines ? null : h("small", {}, field.says);
  return labelled(field.name, field.label, control, ...[counter, hint].filter((one) => one !== null));
}

/** @param {Field} field @returns {Control} */
function controlOf({ name, input, words, optional, lines, least, most }) {
  if (lines) return h("textarea", { name, rows: lines, dir: "auto" });
  if (input === "number") return h("input", { name, type: "number", min: least, max: most, step: 1 });
  if (input !== "choice" && input !== "flag") return h("input", { name, type: "text" });
  const options = input === "flag" ? ["true", "false"] : (words ?? []);
  const texts = /** @type {Record<string, string>} */ ({ true: "yes", false: "no" });
  return h(
    "select",
    { name },
    optional ? h("option", { value: "" }, "not set") : null,
    options.map((value) => h("option", { value }, texts[value] ?? value)),
  );
}

/** Show a value in a field. @param {Control} control @param {unknown} value */
export function setValue(control, value) {
  const text = Array.isArray(value) ? value.map(nameOf).join(", ") : String(value ?? "");
  if (control instanceof HTMLSelectElement && ![...control.options].some((option) => option.value === text)) {
    control.prepend(h("option", { value: text }, text)); // what the file says is no word that it takes
  }
  control.value = text;
  control.dispatchEvent(new Event("count"));
}

/** @param {string | Tag} one */
const nameOf = (one) => (typeof one === "string" ? one : one.username);

/**
 * Return the value of a field, as the server reads it.
 * @param {Control} control @param {Field} field @param {unknown} before The tags of users keep their places.
 */
export function valueOf(control, { input }, before) {
  const text = control.value.replace(/\r\n?/g, "\n").trim();
  if (input === "flag") return text ? text === "true" : null;
  if (input === "number") return text ? Number(text) : null;
  if (input !== "words" && input !== "tags") return text || null;
  const words = [...new Set(text.split(",").map((one) => one.trim()))].filter(Boolean);
  const known = Array.isArray(before) ? before : [];
  return input === "words" ? words : words.map((word) => known.find((one) => nameOf(one) === word) ?? word);
}

const HASHTAG = /(?<![\p{L}\p{N}_#&])#[\p{L}\p{N}_]+/gu;
const MOST_HASHTAGS = 30;
/** Return how long a text is, as the server counts: an emoji is two or more. @param {number} longest @param {Control} control */
export function counterOf(longest, control) {
  const counter = h("small", { class: "count" });
  const count = () => {
    const { length } = control.value;
    const hashtags = control.value.match(HASHTAG)?.length ?? 0;
    const tags = hashtags ? `, ${hashtags} of ${MOST_HASHTAGS} hashtags` : "";
    const isCaption = control.name === "caption";
    counter.textContent = `${length.toLocaleString()} of ${longest.toLocaleString()}${isCaption ? tags : ""}`;
    counter.classList.toggle("error", length > longest || (isCaption && hashtags > MOST_HASHTAGS));
  };
  for (const event of ["input", "count"]) control.addEventListener(event, count);
  count();
  return counter;
}

/** Whether two values mean the same. @param {unknown} one @param {unknown} other */
export const same = (one, other) => JSON.stringify(plain(one)) === JSON.stringify(plain(other));
/** @param {unknown} value */
const plain = (value) =>
  value === undefined || value === "" || (Array.isArray(value) && !value.length) ? null : value;

/** Say what is wrong, beside the field that has it, or else at the buttons. @param {HTMLElement} sides A form with its preview. @param {string} text @param {string} name */
export function showError(sides, text, name) {
  for (const old of sides.querySelectorAll(".error[data-error]")) old.remove();
  for (const old of sides.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
  if (!text) return;
  /** @type {HTMLElement | null} */
  const place = name ? sides.querySelector(`[data-field="${CSS.escape(name)}"]`) : null;
  const error = h("p", { class: "error", "data-error": name || "form", role: "alert" }, text);
  const control = place?.querySelector(`[name="${CSS.escape(name)}"]`);
  if (!place || place.hidden) sides.querySelector("form > .acts")?.prepend(error);
  else {
    const fold = place.closest("details");
    if (fold) fold.open = true;
    place.append(error);
    control?.setAttribute("aria-invalid", "true");
    if (control instanceof HTMLElement) control.focus();
  }
  error.scrollIntoView({ block: "nearest" });
}

const LONGEST_ID = 60; // characters, so that a number still fits behind it
/** Return an id made of a text. @param {string} text */
export const idOf = (text) =>
  text
    .replace(/\p{Extended_Pictographic}|\p{Emoji_Modifier}/gu, "")
    .replaceAll("ß", "ss")
    .replace(/[äöü]/gi, (sign) => `${sign}e`)
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .toLowerCase()
    .slice(0, LONGEST_ID)
    .split("-")
    .filter(Boolean)
    .slice(0, 5)
    .join("-");

/** Return a list of choices. @param {string} name @param {string[]} values */
export const selectElement = (name, values) =>
  h(
    "select",
    { name },
    values.map((value) => h("option", { value }, value)),
  );
