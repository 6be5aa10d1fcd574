// Drawing, moving about, keys, and looking for changes.

import { drawBar, drawNotices } from "./bar.js";
import { cardElements, cardOf, mark } from "./cards.js";
import { today } from "./dates.js";
import { byId, followTheme, h, isNarrow } from "./dom.js";
import { cancelDrag, chooseByKey, choose, choosing, drawChosen, endReview, followDrags } from "./select.js";
import { drawDrafts } from "./drafts.js";
import { closePart, drawPanel, follow, openPost } from "./panel.js";
import { data, go, listen, readAddress, refresh, view } from "./state.js";
import { viewElement } from "./views.js";

const EVERY_MS = 2500;
const COUNTDOWN_MS = 30000; // how often the time that is left for an answer is drawn
let isFirst = true; // the first time that posts are drawn

function draw() {
  const main = byId("view");
  const active = document.activeElement;
  const focused = active instanceof HTMLElement ? active.dataset.key : undefined;
  const { scrollY } = window;
  drawBar();
  drawNotices();
  main.setAttribute("aria-busy", String(!data.loaded));
  if (!data.loaded && !data.error) return main.replaceChildren(h("p", { class: "loading" }, "Loading …"));
  if (data.error && !data.cards.size) return main.replaceChildren(); // the notice says all that is known
  const shown = viewElement();
  if (main.firstChild !== shown) main.replaceChildren(shown);
  const [first] = cardElements();
  if (first) first.tabIndex = 0;
  if (focused) {
    cardOf(focused)?.focus({ preventScroll: true });
    scrollTo(0, scrollY); // a card that loses the focus while the view is emptied scrolls the page up
  }
  mark();
  if (isFirst && !isNarrow() && view.view === "weeks")
    main.querySelector(".today")?.scrollIntoView({ block: "nearest" });
  isFirst = false;
}

const isVisible = () => document.visibilityState === "visible";

async function watch() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (isVisible()) await refresh();
  }
}

/** @type {Record<string, number>} */
const SIDEWAYS = { ArrowLeft: -1, ArrowRight: 1 };
/** @type {Record<string, number>} */
const UP_AND_DOWN = { ArrowUp: -1, ArrowDown: 1 };

/** Move between the cards: left and right in the order of time, up and down by a week or a row. @param {string} key */
function move(key) {
  const cards = cardElements();
  const at = cards.findIndex((card) => card === document.activeElement);
  const isList = view.view === "list";
  let next = at < 0 ? 0 : at + (SIDEWAYS[key] ?? (isList ? (UP_AND_DOWN[key] ?? 0) : 0));
  if (!isList && at >= 0 && UP_AND_DOWN[key]) next = nearestBelow(cards, at, key === "ArrowDown");
  const card = cards[Math.min(cards.length - 1, Math.max(0, next))];
  if (!card) return;
  for (const other of cards) other.tabIndex = -1;
  card.tabIndex = 0;
  card.focus();
  card.scrollIntoView({ block: "nearest" });
}

/** @param {HTMLElement[]} cards @param {number} at @param {boolean} isDown */
function nearestBelow(cards, at, isDown) {
  const places = cards.map((card) => card.getBoundingClientRect());
  const from = places[at];
  let best = { index: at, distance: Infinity };
  places.forEach((to, index) => {
    if (!from || !(isDown ? to.top >= from.bottom - 2 : to.bottom <= from.top + 2)) return;
    const distance = Math.abs(to.left - from.left) * 4 + Math.abs(to.top - from.top);
    if (distance < best.distance) best = { index, distance };
  });
  return best.index;
}

/** Turn the open carousel. A video uses the arrow keys itself. @param {KeyboardEvent} event */
function turnByKey(event) {
  const side = { ArrowLeft: "back", ArrowRight: "next" }[event.key];
  if (!side || event.target instanceof HTMLVideoElement || !document.querySelector("#panel .turn")) return;
  event.preventDefault();
  /** @type {HTMLElement | null} */
  const button = document.querySelector(`#panel .turn.${side}`);
  button?.click();
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return; // its keys mean nothing for what is behind it
  const target = /** @type {Element} */ (event.target);
  if (event.key === "Escape" && (cancelDrag() || endReview() || closePart())) return event.preventDefault();
  if (["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || event.ctrlKey || event.metaKey || event.altKey)
    return;
  if (chooseByKey(event)) return event.preventDefault();
  if (target.closest("#panel") && event.key.startsWith("Arrow")) return turnByKey(event);
  if (event.key === "t") go({ day: today() });
  if (event.key === "g") {
    /** @type {HTMLElement | null} */ (document.querySelector("[data-filter=day]"))?.focus();
    return event.preventDefault();
  }
  if (!event.key.startsWith("Arrow") || view.view === "results") return;
  move(event.key);
  event.preventDefault();
});
byId("view").addEventListener("click", (event) => {
  const card = /** @type {Element} */ (event.target).closest(".card");
  if (!(card instanceof HTMLElement)) return;
  if (choosing() || event.ctrlKey || event.metaKey) choose(card.dataset.key ?? "");
  else openPost(card.dataset.key ?? "");
});
document.addEventListener("visibilitychange", () => {
  if (isVisible()) refresh();
});
matchMedia("(max-width: 640px)").addEventListener("change", () => {
  draw();
  drawPanel();
});
setInterval(() => {
  if (isVisible() && [...data.cards.values()].some((card) => card.late || card.state === "waiting")) draw();
}, COUNTDOWN_MS);

byId("skip").addEventListener("click", () =>
  cardElements()
    .find((card) => card.tabIndex === 0)
    ?.focus(),
);
// What is last can be scrolled from below what stands at the foot of the page.
new ResizeObserver(([foot]) =>
  document.body.style.setProperty("--foot", `${Math.ceil(foot?.contentRect.height ?? 0)}px`),
).observe(byId("foot"));

followTheme();
readAddress();
window.focus(); // so that the keys reach this page, and not Airflow's around it
listen(draw);
listen(follow);
listen(drawChosen);
followDrags();
listen(drawDrafts);
draw();
await refresh();
await watch();
