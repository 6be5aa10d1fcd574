// Drawing, moving about, keys, and looking for changes.

const EVERY_MS = 2500;
let isFirst = true; // the first time that posts are drawn

/** Change the view, and draw it. */
async function go(changes) {
  const before = JSON.stringify([span(), view.dag]);
  Object.assign(view, changes);
  drawn = IN_A_LIST;
  writeAddress();
  draw();
  if (JSON.stringify([span(), view.dag]) !== before) await refresh();
}

function draw() {
  const main = document.getElementById("view");
  const focused = document.activeElement?.dataset?.key;
  drawBar();
  drawNotices();
  main.setAttribute("aria-busy", String(!data.loaded));
  if (!data.loaded && !data.error) { main.replaceChildren(h("p", { class: "loading" }, "Loading …")); return; }
  if (data.error && !data.cards.size) { main.replaceChildren(); return; } // the notice says all that is known
  const cards = shown();
  const isEmpty = cards.length === 0 && !(view.view === "month" && isNarrow());
  const views = { month: monthView, week: weekView, list: listView };
  main.replaceChildren(isEmpty && (view.view === "list" || !data.cards.size || FILTERS.some((name) => view[name])) ? emptyView() : views[view.view](cards));
  const first = main.querySelector(".card");
  if (first) first.tabIndex = 0;
  if (focused) cardOf(focused)?.focus({ preventScroll: true });
  mark();
  if (isFirst && !isNarrow() && view.view === "month") main.querySelector(".today")?.scrollIntoView({ block: "nearest" });
  isFirst = false;
}

const cardOf = (key) => [...document.querySelectorAll("#view .card")].find((card) => card.dataset.key === key);

/** Show which card is open. */
function mark() {
  for (const card of document.querySelectorAll('#view .card[aria-current="true"]')) card.removeAttribute("aria-current");
  if (view.post) cardOf(view.post)?.setAttribute("aria-current", "true");
}

/** Look for changes, and draw what changed. */
let looking = null;
async function refresh() {
  if (looking) { await looking; }
  looking = (async () => {
    try {
      const isNew = !data.loaded;
      const before = data.cards.get(view.post);
      if (!(await load())) return;
      draw();
      if (open && JSON.stringify(before) !== JSON.stringify(data.cards.get(view.post))) loadPost();
      if (isNew && view.post && !open) openFromAddress();
    } catch (error) {
      data.error = error.message;
      data.token = "";
      if (error.status === 403 || error.status === 404) { data.loaded = true; data.cards.clear(); data.calendars = []; }
      draw();
    } finally { looking = null; }
  })();
  await looking;
}

function openFromAddress() {
  const at = view.post.indexOf("/");
  if (at > 0) openPost(view.post.slice(0, at), view.post.slice(at + 1));
}

async function watch() {
  for (;;) {
    await new Promise((resolve) => { setTimeout(resolve, EVERY_MS); });
    if (document.visibilityState === "visible") await refresh();
  }
}

/** Move between the cards: left and right in the order of time, up and down by a week or a row. */
function move(key) {
  const cards = [...document.querySelectorAll("#view .card")];
  if (!cards.length) return;
  const at = cards.indexOf(document.activeElement);
  let next = at < 0 ? 0 : at + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? (view.view === "list" ? { ArrowUp: -1, ArrowDown: 1 }[key] : 0));
  if (view.view !== "list" && at >= 0 && (key === "ArrowUp" || key === "ArrowDown")) next = nearestBelow(cards, at, key === "ArrowDown");
  const card = cards[Math.min(cards.length - 1, Math.max(0, next))];
  for (const other of cards) other.tabIndex = -1;
  card.tabIndex = 0;
  card.focus();
  card.scrollIntoView({ block: "nearest" });
}

function nearestBelow(cards, at, isDown) {
  const from = cards[at].getBoundingClientRect();
  let best = at;
  let distance = Infinity;
  cards.forEach((card, index) => {
    const to = card.getBoundingClientRect();
    const isThere = isDown ? to.top >= from.bottom - 2 : to.bottom <= from.top + 2;
    const far = Math.abs(to.left - from.left) * 4 + Math.abs(to.top - from.top);
    if (isThere && far < distance) { best = index; distance = far; }
  });
  return best;
}

/** Turn the open carousel. A video and the lines of the file use the arrow keys themselves. */
function turnByKey(event) {
  const side = { ArrowLeft: "back", ArrowRight: "next" }[event.key];
  if (!side || ["VIDEO", "PRE"].includes(event.target.tagName) || !document.querySelector("#panel .turn")) return;
  event.preventDefault();
  document.querySelector(`#panel .turn.${side}`)?.click();
}

document.addEventListener("keydown", (event) => {
  const isField = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
  if (event.key === "Escape" && open) {
    if (open.asked) { open.asked = ""; drawPanel(); } else closePost();
    return event.preventDefault();
  }
  if (isField || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.target.closest("#panel") && event.key.startsWith("Arrow")) return turnByKey(event);
  if (event.key === "t") return go({ day: today() });
  if (event.key.startsWith("Arrow")) { move(event.key); event.preventDefault(); }
  return undefined;
});

document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") refresh(); });
matchMedia("(max-width: 640px)").addEventListener("change", () => { draw(); if (open) drawPanel(); });
setInterval(() => { if ([...data.cards.values()].some((card) => card.state === "waiting") && document.visibilityState === "visible") draw(); }, 30000);

followTheme();
readAddress();
window.focus(); // so that the keys reach this page, and not Airflow's around it
draw();
await refresh();
await watch();
