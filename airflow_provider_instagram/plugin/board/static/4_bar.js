// The bar above the posts: where we are, the views and the filters; and the notices below it.

function title() {
  const [first, last] = span();
  if (view.view === "month") return inWords(view.day, { month: "long", year: "numeric" });
  const sameMonth = first.slice(0, 7) === last.slice(0, 7);
  return `${inWords(first, { day: "numeric", ...(sameMonth ? {} : { month: "short" }) })} – ${inWords(last, { day: "numeric", month: "short", year: "numeric" })}`;
}

/** Go on or back by a month or a week. */
function step(direction) {
  if (view.view !== "month") return go({ day: addDays(view.day, (view.view === "week" ? 7 : DAYS_IN_LIST) * direction) });
  const next = new Date(Date.UTC(+view.day.slice(0, 4), +view.day.slice(5, 7) - 1 + direction, 1));
  return go({ day: asDay(next) });
}

function select(name, label, values, names = {}) {
  const options = [...new Set([...values, view[name]])].filter(Boolean).sort();
  return h("select", { "aria-label": label, "data-filter": name, change: (event) => go({ [name]: event.target.value }) },
    h("option", { value: "" }, label), options.map((value) => h("option", { value, selected: value === view[name] }, Object.hasOwn(names, value) ? names[value] : value)));
}

let drawnBar = "";
function drawBar() {
  const bar = document.getElementById("bar");
  const typed = document.activeElement?.dataset?.filter === "q" ? document.activeElement.selectionStart : null;
  const focused = document.activeElement?.dataset?.filter || document.activeElement?.dataset?.go;
  const all = [...data.cards.values()];
  const square = (name, label, to) => h("button", { class: "btn square", type: "button", "aria-label": label, title: label, "data-go": label, click: to }, icon(name));
  const search = h("label", { class: "search" }, icon("search"), h("input", { type: "search", placeholder: "Search", "aria-label": "Search in captions, ids and tags", value: view.q, "data-filter": "q", input: (event) => go({ q: event.target.value }) }));
  const calendars = data.calendars.length > 1 || (view.dag && !isTab()) ? select("dag", "All calendars", data.calendars.map((one) => one.dag), Object.fromEntries(data.calendars.map((one) => [one.dag, one.name]))) : null;
  const drawn = h("div", {},
    h("h1", {}, title()),
    h("div", { class: "group" }, square("left", "Earlier", () => step(-1)), h("button", { class: "btn", type: "button", "data-go": "today", title: "Key t", click: () => go({ day: today() }) }, "Today"), square("right", "Later", () => step(1))),
    h("div", { class: "group push" }, h("div", { class: "tabs", role: "group", "aria-label": "View" }, Object.entries(VIEWS).map(([name, text]) => h("button", { type: "button", "aria-pressed": view.view === name, "data-go": name, click: () => go({ view: name }) }, text)))),
    h("div", { class: "filters" }, search, h("div", { class: "selects" }, calendars,
      select("account", "All accounts", all.map((card) => card.account)), select("kind", "All kinds", all.map((card) => card.kind)),
      all.some((card) => card.tags) ? select("tag", "All tags", all.flatMap((card) => card.tags || [])) : null,
      h("select", { "aria-label": "Time zone", "data-filter": "zone", change: (event) => go({ zone: event.target.value }) }, h("option", { value: "" }, "Calendar's time"), h("option", { value: "mine", selected: view.zone === "mine" }, "My time"))),
      chips()));
  if (drawn.innerHTML === drawnBar) return; // a list of choices that is open stays open
  drawnBar = drawn.innerHTML;
  bar.replaceChildren(...drawn.childNodes);
  const again = focused && bar.querySelector(`[data-filter="${focused}"], [data-go="${focused}"]`);
  if (again) again.focus();
  if (typed !== null && again) again.setSelectionRange(typed, typed);
}

/** Return a button for each state that a post of the view is in, with their number. */
function chips() {
  const counts = {};
  for (const card of shown("state")) counts[card.state] = (counts[card.state] || 0) + 1;
  const chosen = view.state.split(",").filter(Boolean);
  const names = Object.keys(STATES).filter((name) => counts[name] || chosen.includes(name));
  return h("div", { class: "chips", role: "group", "aria-label": "States" }, names.map((name) => h("button", { class: "chip", type: "button", "data-state": name, "data-go": `state-${name}`, "aria-pressed": chosen.includes(name),
    click: () => go({ state: (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]).join(",") }) }, `${STATES[name]} `, h("b", {}, String(counts[name] || 0)))));
}

const isTab = () => { try { return parent.location.pathname.includes("/dags/"); } catch { return false; } };

function notice(state, text, ...more) {
  return h("div", { class: "notice", "data-state": state }, text, ...more);
}

let saidError = ""; // what was said last is not said again at each look
const FEW_PROBLEMS = 3; // so few are shown at once
const unfolded = new Map(); // calendars whose problems a user has shown or hidden
function drawNotices() {
  const box = document.getElementById("notices");
  const found = [];
  if (data.error) found.push(notice("failed", data.error));
  if (data.error && data.error !== saidError) say(data.error);
  saidError = data.error;
  for (const one of data.calendars) {
    const name = data.calendars.length > 1 ? `${one.name}: ` : "";
    if (!one.read && !one.problems.length) found.push(notice("waiting", `${name}The calendar's last version is not on this machine. Set [instagram] calendar_snapshots to a folder or object storage that the API server shares with the DAG processor.`));
    if (one.paused) found.push(notice("waiting", `${name}This calendar is paused. Nothing is published until it is unpaused.`));
    if (one.dry) found.push(notice("dry_run", `${name}This calendar makes dry runs only. Nothing is published.`));
    if (one.problems.length) found.push(h("details", { class: "notice", "data-state": "problem", open: unfolded.get(one.dag) ?? (one.problems.length <= FEW_PROBLEMS && !isNarrow()), toggle: (event) => unfolded.set(one.dag, event.target.open) }, h("summary", {}, `${name}${count(one.problems.length + one.more_problems, "problem")} in ${one.file}`), h("ul", {}, one.problems.map((problem) => problemElement(one, problem)), one.more_problems ? h("li", {}, `… and ${one.more_problems} more`) : null)));
  }
  box.replaceChildren(...found);
}

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

function problemElement(calendar, problem) {
  const where = problem.line ? `${calendar.file}:${problem.line}` : calendar.file;
  return h("li", {}, h("code", { class: "where" }, where), problem.post ? h("b", {}, `${problem.post}: `) : null, problem.message, h("span", { class: "remedy" }, problem.remedy));
}
