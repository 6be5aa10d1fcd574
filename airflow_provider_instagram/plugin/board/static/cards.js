// The cards that stand on the page.

import { view } from "./state.js";

/** @returns {HTMLElement[]} */
export const cardElements = () =>
  [...document.querySelectorAll("#view .card")].map((card) => /** @type {HTMLElement} */ (card));
/** @param {string} key */
export const cardOf = (key) => cardElements().find((card) => card.dataset.key === key);

/** Show which card is open. */
export function mark() {
  for (const card of cardElements()) if (card.ariaCurrent) card.removeAttribute("aria-current");
  if (view.post) cardOf(view.post)?.setAttribute("aria-current", "true");
}
