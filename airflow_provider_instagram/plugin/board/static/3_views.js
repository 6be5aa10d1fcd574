// Month, week and list.

const IN_A_DAY = 3; // cards of a day in a month; the others are one click away
const IN_A_LIST = 150; // rows that are drawn at first

const elements = new Map(); // a card that did not change keeps its element, with its picture

/** Return the element of a card in the present view. */
function cardElement(card) {
  const { time } = whenOf(card, view.zone);
  const key = keyOf(card);
  const signature = JSON.stringify([card, view.view, time, stateText(card)]);
  const known = elements.get(key);
  if (known && known.signature === signature) return known.element;
  const text = stateText(card);
  const day = inWords(whenOf(card, view.zone).day, { weekday: "long", day: "numeric", month: "long" });
  const spoken = [day, ...(view.view === "list" ? [] : [short(card.account) === card.account ? null : card.account, card.kind || "post"]), slotText(card)].filter(Boolean).join(", ");
  const badge = h("span", { class: "badge" }, h("span", { class: "cut" }, text));
  const title = h("span", { class: "title cut", dir: "auto" }, card.title || card.id);
  const percent = card.state === "preparing" && card.percent ? meter(card.percent) : null;
  const inside = view.view === "list"
    ? [h("span", { class: "time" }, time), h("span", { class: "whose" }, h("span", { class: "cut" }, card.account), h("span", { class: "sub" }, card.kind || "post")),
       h("span", { class: "text" }, title, h("span", { class: "foot" }, h("span", { class: "sub cut" }, [card.id, ...(card.tags || []).map((tag) => `#${tag}`)].join("  ")), slotMark(card))), badge]
    : [h("span", { class: "text" }, h("span", { class: "when" }, h("b", {}, time), h("span", { class: "cut" }, short(card.account)), view.view === "week" && card.kind ? h("span", { class: "cut what" }, card.kind) : null), title, h("span", { class: "foot" }, badge, slotMark(card)), percent)];
  const element = h("button", { class: "card", type: "button", "data-key": key, "data-state": card.state, title: `${card.title || card.id}. ${text}`, tabindex: -1,
    click: () => openPost(card.dag, placeOf(card)) }, thumb(card), ...inside, h("span", { class: "spoken" }, ` ${spoken}`));
  elements.set(key, { signature, element });
  return element;
}

/** Return the mark of a card whose time was chosen. */
function slotMark(card) {
  const text = [card.slot && "slot", card.repetition && `↻ ${card.repetition}`].filter(Boolean).join(" ");
  return text ? h("span", { class: "mark", title: slotText(card) }, text) : null;
}

function meter(percent) {
  const fill = h("i");
  fill.style.width = `${percent}%`;
  return h("span", { class: "bar" }, fill);
}

/** Return the cover of a card, or the sign of its kind. */
function thumb(card) {
  const box = h("span", { class: "thumb" }, icon(card.state === "problem" ? "problem" : card.kind));
  if (card.cover) {
    const source = `${ROOT}/calendar/api/covers/${card.cover}.jpg?${new URLSearchParams({ dag_id: card.dag, size: view.view === "week" ? "large" : "small" })}`;
    box.append(h("img", { src: source, alt: "", loading: "lazy", decoding: "async", error: (event) => event.target.remove() }),
      h("span", { class: "kind" }, icon(card.kind)));
  }
  return box;
}

function monthView(cards) {
  const [first, last] = span();
  const month = view.day.slice(0, 7);
  const days = byDay(cards);
  const isOver = (day) => addDays(monday(day), 6) < today() && ![0, 1, 2, 3, 4, 5, 6].some((later) => days.has(addDays(monday(day), later)));
  const grid = h("div", { class: "month" });
  for (let weekday = 0; weekday < 7; weekday += 1) grid.append(h("div", { class: "weekday" }, inWords(addDays(first, weekday), { weekday: "short" })));
  for (let day = first; day <= last; day = addDays(day, 1)) grid.append(isNarrow() ? narrowDay(day, month, days.get(day) || []) : monthDay(day, month, days.get(day) || [], isOver(day)));
  if (!isNarrow()) return grid;
  const chosen = days.get(view.day) || [];
  const list = h("div", { class: "chosen list" }, chosen.length ? dayRows(view.day, chosen) : h("p", { class: "empty" }, `Nothing on ${inWords(view.day, { day: "numeric", month: "long" })}.`));
  return h("div", {}, grid, list);
}

function dayClass(day, month) {
  return `day${day.slice(0, 7) === month ? "" : " other"}${day === today() ? " today" : ""}`;
}

/** Return a day of the month. A week that is over and has no posts is low, so that today is in sight. */
function monthDay(day, month, cards, isOver) {
  const more = cards.length - IN_A_DAY;
  const fits = more === 1 ? cards : cards.slice(0, IN_A_DAY);
  const box = h("section", { class: `${dayClass(day, month)}${isOver ? " over" : ""}`, "aria-label": inWords(day, { weekday: "long", day: "numeric", month: "long" }) },
    h("div", { class: "date" }, h("span", {}, String(+day.slice(8))), cards.length > IN_A_DAY ? h("span", { class: "count" }, String(cards.length)) : null),
    ...fits.map(cardElement));
  if (more > 1) box.append(h("button", { class: "more", type: "button", click: () => go({ view: "list", day }) }, `${more} more`));
  return box;
}

function narrowDay(day, month, cards) {
  const dots = h("span", { class: "dots" }, cards.slice(0, 6).map((card) => h("i", { "data-state": card.state })));
  return h("button", { class: dayClass(day, month), type: "button", "aria-pressed": day === view.day, "aria-label": `${inWords(day, { day: "numeric", month: "long" })}, ${cards.length} posts`, click: () => go({ day }) },
    h("span", { class: "date" }, h("span", {}, String(+day.slice(8)))), dots);
}

function weekView(cards) {
  const [first] = span();
  const days = byDay(cards);
  const week = h("div", { class: "week" });
  for (let offset = 0; offset < 7; offset += 1) {
    const day = addDays(first, offset);
    const posts = days.get(day) || [];
    week.append(h("section", { class: `${dayClass(day, day.slice(0, 7))}${posts.length ? "" : " bare"}`, "aria-label": inWords(day, { weekday: "long", day: "numeric", month: "long" }) },
      h("div", { class: "date" }, h("span", {}, inWords(day, { weekday: "short", day: "numeric" })), posts.length ? h("span", {}, String(posts.length)) : null),
      ...posts.slice(0, IN_A_LIST).map(cardElement)));
  }
  return week;
}

function dayRows(day, cards) {
  const kept = view.view;
  view.view = "list";
  const rows = h("ul", { class: "rows" }, cards.map((card) => h("li", {}, cardElement(card))));
  view.view = kept;
  const heading = h("h2", {}, inWords(day, { weekday: "long", day: "numeric", month: "long" }), h("span", {}, `${cards.length} ${cards.length === 1 ? "post" : "posts"}`));
  return h("section", {}, heading, rows);
}

let drawn = IN_A_LIST;
function listView(cards) {
  const list = h("div", { class: "list" });
  for (const [day, posts] of byDay(cards.slice(0, drawn))) list.append(dayRows(day, posts));
  if (cards.length > drawn) list.append(h("button", { class: "btn", type: "button", click: () => { drawn += 4 * IN_A_LIST; draw(); } }, `Show ${cards.length - drawn} more`));
  return list;
}

function emptyView() {
  const isFiltered = FILTERS.some((name) => view[name]);
  const near = nearestMonth();
  const text = isFiltered ? "No post passes the filters." : "Nothing is planned here.";
  const [only] = data.calendars.length === 1 && !isFiltered && !near ? data.calendars : [];
  return h("div", { class: "empty" }, h("h2", {}, text), only ? h("p", {}, `Posts appear here when they are in ${only.file}.`) : null,
    isFiltered ? h("button", { class: "btn", type: "button", click: () => go(Object.fromEntries(FILTERS.map((name) => [name, ""]))) }, "Remove the filters") : null,
    !isFiltered && near ? h("button", { class: "btn", type: "button", click: () => go({ day: near }) }, `Go to ${inWords(near, { month: "long", year: "numeric" })}`) : null);
}

/** Return the day of the nearest post outside of the view, if there is any. */
function nearestMonth() {
  const ends = data.calendars.flatMap((one) => [one.first, one.last]).filter(Boolean).map((at) => asDay(new Date(at * 1000)));
  const [first, last] = span();
  const after = ends.filter((day) => day > last).sort()[0];
  return after || ends.filter((day) => day < first).sort().pop() || null;
}

const isNarrow = () => matchMedia("(max-width: 640px)").matches;
