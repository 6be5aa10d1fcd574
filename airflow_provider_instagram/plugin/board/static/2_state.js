// What the page shows, as the address says it, and the cards that it has.

const VIEWS = { month: "Month", week: "Week", list: "List" };
const DAYS_IN_LIST = 31; // the list begins with the chosen day
const FILTERS = ["account", "state", "kind", "tag", "q"];
const view = { view: "month", day: today(), dag: "", account: "", state: "", kind: "", tag: "", q: "", zone: "", post: "" };
const data = { cards: new Map(), calendars: [], token: "", seen: "", error: "", loaded: false };

/** Read the view from the address: our own, or that of Airflow's frame around us. */
function readAddress() {
  const own = new URLSearchParams(location.search);
  let outer = new URLSearchParams();
  try { if (window.parent !== window) outer = new URLSearchParams(parent.location.search); } catch { /* another origin */ }
  for (const name of Object.keys(view)) {
    const value = own.get(name) ?? outer.get(name);
    if (value !== null) view[name] = value.slice(0, 300);
  }
  if (!VIEWS[view.view]) view.view = "month";
  if (!isDay(view.day)) view.day = today();
}

/** Write the view into the address, so that it can be sent to a colleague. */
function writeAddress() {
  const given = Object.entries(view).filter(([name, value]) => value && !(name === "view" && value === "month"));
  const search = `?${new URLSearchParams(given)}`;
  history.replaceState(history.state, "", location.pathname + search);
  try {
    if (window.parent === window) return;
    const outer = new URLSearchParams(given.filter(([name]) => name !== "dag" || !parent.location.pathname.includes("/dags/")));
    parent.history.replaceState(parent.history.state, "", `${parent.location.pathname}?${outer}`);
  } catch { /* another origin */ }
}

/** Return the first and the last day of the view. */
function span() {
  if (view.view === "week") return [monday(view.day), addDays(monday(view.day), 6)];
  if (view.view === "list") return [view.day, addDays(view.day, DAYS_IN_LIST - 1)];
  const first = `${view.day.slice(0, 7)}-01`;
  const next = asDay(new Date(Date.UTC(+first.slice(0, 4), +first.slice(5, 7), 1)));
  return [monday(first), addDays(monday(addDays(next, -1)), 6)];
}

/** Load the cards of the view, or what changed among them. Return whether anything did. */
async function load() {
  const [first, last] = span();
  const query = new URLSearchParams({ from: fromDay(first) / 1000 - 86400, to: fromDay(last) / 1000 + 2 * 86400, since: data.token, seen: data.seen });
  if (view.dag) query.set("dag_id", view.dag);
  const content = await request(`posts?${query}`);
  const changed = content !== null || data.error !== "" || !data.loaded;
  data.error = "";
  data.loaded = true;
  if (content === null) return changed;
  if (content.full) data.cards = new Map();
  for (const key of content.removed) data.cards.delete(key);
  for (const card of content.cards) data.cards.set(keyOf(card), card);
  data.calendars = content.calendars;
  data.token = content.token;
  data.seen = content.seen;
  return changed;
}

/** Return how the time of a card was chosen, if the calendar's file does not contain it. */
const slotText = (card) => [card.slot && "slot", card.repetition && `repetition ${card.repetition}`].filter(Boolean).join(", ");

/** Return what tells a card from all others: its line, too, if the file has its id twice. */
const placeOf = (card) => (card.line ? `${card.id}:${card.line}` : card.id);
const keyOf = (card) => `${card.dag}/${placeOf(card)}`;

/** Return whether a card passes a filter. */
const PASSES = {
  account: (card) => card.account === view.account,
  state: (card) => view.state.split(",").includes(card.state),
  kind: (card) => card.kind === view.kind,
  tag: (card) => (card.tags || []).includes(view.tag),
  q: (card) => [card.id, card.caption || card.title, card.account, ...(card.tags || [])].join(" ").toLowerCase().includes(view.q.toLowerCase()),
};

/** Return the cards of the view in the order of their times; `except` names a filter to leave out. */
function shown(except = "") {
  const [first, last] = span();
  const active = FILTERS.filter((name) => view[name] && name !== except);
  return [...data.cards.values()]
    .filter((card) => { const { day } = whenOf(card, view.zone); return day >= first && day <= last; })
    .filter((card) => active.every((name) => PASSES[name](card)))
    .sort((a, b) => a.at - b.at || a.id.localeCompare(b.id));
}

/** Return the cards by day. */
function byDay(cards) {
  const days = new Map();
  for (const card of cards) {
    const { day } = whenOf(card, view.zone);
    if (!days.has(day)) days.set(day, []);
    days.get(day).push(card);
  }
  return days;
}
