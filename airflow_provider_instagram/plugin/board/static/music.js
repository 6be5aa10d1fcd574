// The music of a reel, and the search for it.

import { send } from "./api.js";
import { h, messageOf, say } from "./dom.js";

/** @typedef {{ audio_id: string, title: string, creator: string, duration_s: number | null }} Music */

/** Return a length as 2:05. @param {number} seconds */
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/**
 * Return the field for the music of a reel. What is found is written into it by a click.
 * @param {import("./state.js").Card} card @param {string} value
 * @param {string} why Why the account cannot have music; empty if nothing is known.
 */
export function musicField({ dag, account }, value, why) {
  const id = /** @type {HTMLInputElement} */ (h("input", { name: "audio_id", value, inputmode: "numeric" }));
  // Without a name, the words are no part of the edit.
  const label = "Music, by title or artist";
  const words = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", maxlength: 100, "aria-label": label, placeholder: label, disabled: why !== "" })
  );
  const found = h("ul", { class: "music", "aria-label": "Music" });

  /** @param {Music} music */
  const choose = (music) => {
    id.value = music.audio_id;
    id.dispatchEvent(new Event("input", { bubbles: true })); // the draft of the edit hears it
    say(`${music.title} is chosen.`);
  };
  /** @param {Music} music */
  const row = (music) => {
    const length = music.duration_s === null ? "" : `, ${clock(music.duration_s)}`;
    const text = `${music.title} – ${music.creator}${length}`;
    return h("li", {}, h("button", { class: "btn", type: "button", click: () => choose(music) }, text));
  };
  const search = async () => {
    button.disabled = true;
    try {
      const { music } = await send("music", { dag_id: dag, account, words: words.value });
      found.replaceChildren(...(music.length ? music.map(row) : [h("li", { class: "hint" }, "Nothing was found.")]));
    } catch (error) {
      found.replaceChildren(h("li", { class: "error" }, messageOf(error)));
    }
    button.disabled = false;
  };
  const button = /** @type {HTMLButtonElement} */ (
    h(
      "button",
      { class: "btn", type: "button", disabled: why !== "", title: why || null, click: search },
      "Search music",
    )
  );
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would send the form
    search();
  });
  return h(
    "div",
    { class: "fields" },
    h("label", { class: "field" }, "Music, by its id", id),
    h("div", { class: "acts" }, words, button),
    why ? h("p", { class: "hint" }, why) : found,
  );
}
