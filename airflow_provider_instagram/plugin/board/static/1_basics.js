// Small helpers: elements, icons, dates and requests. Text from a calendar only ever becomes a text node.

const ROOT = document.querySelector('meta[name="root"]').content;
const FORM_TOKEN = document.querySelector('meta[name="form-token"]').content;

/** Return a new element. A property that is a function listens to an event; `null` children are left out. */
function h(name, props = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    const isState = key.startsWith("aria-") && typeof value === "boolean";
    if (value === null || value === undefined || (value === false && !isState)) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key === "class") element.className = value;
    else element.setAttribute(key, value === true && !isState ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7", close: "M6 6l12 12M18 6L6 18", search: "M11 4a7 7 0 110 14 7 7 0 010-14zM16.5 16.5L21 21",
  reel: "M4 4h16v16H4zM4 9h16M9 4l3 5M14 4l3 5M10.5 12.2v4.6l4-2.3z", "feed video": "M4 5h16v14H4zM10 9v6l5-3z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 8.6h.01", carousel: "M7 7h13v13H7zM4 17V4h13", story: "M12 3a9 9 0 110 18 9 9 0 010-18zM12 8v8M8 12h8",
  heart: "M12 20s-8-4.7-8-10.6A4.4 4.4 0 0112 7a4.4 4.4 0 018 2.4C20 15.3 12 20 12 20z", comment: "M20 12a8 8 0 10-3.2 6.4L20 19.5l-1-3.4A8 8 0 0020 12z",
  send: "M21 4L10 15M21 4l-7 17-4-6-6-4z", save: "M6 4h12v16l-6-4.5L6 20z", list: "M4 6h16M4 12h16M4 18h16", problem: "M12 4l9 16H3zM12 10v4M12 17h.01",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name] || ICONS.picture);
  svg.append(path);
  return svg;
}

const STATES = {
  planned: "Planned", preparing: "Preparing", waiting: "Waiting for approval", ready: "Ready", publishing: "Publishing", published: "Published",
  dry_run: "Dry run", skipped: "Skipped", failed: "Failed", unknown: "Unknown", problem: "Needs correction",
};

// Days are texts like 2030-05-06. Arithmetic is in UTC, so that no change of the clock moves a day.
const pad = (number) => String(number).padStart(2, "0");
const asDay = (date) => `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
const fromDay = (day) => new Date(`${day}T00:00:00Z`);
const addDays = (day, days) => asDay(new Date(fromDay(day).getTime() + days * 86400000));
const monday = (day) => addDays(day, -((fromDay(day).getUTCDay() + 6) % 7));
const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text || "") && !Number.isNaN(fromDay(text).getTime());
const today = () => { const now = new Date(); return `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`; };
const inWords = (day, options) => fromDay(day).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });

/** Return when a post is published, in the calendar's zone or the viewer's: `{day, time}`. */
function whenOf(card, zone) {
  if (zone !== "mine") return { day: card.local.slice(0, 10), time: card.local.slice(11) };
  const at = new Date(card.at * 1000);
  return { day: `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`, time: `${pad(at.getHours())}:${pad(at.getMinutes())}` };
}

/** Return the short name of an account: most connections to Instagram begin with the same word. */
const short = (account) => account.replace(/^instagram[_-](?=.)/, "");

/** Return how long a number of seconds is, in words. */
function length(seconds) {
  const minutes = Math.max(0, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** Return the words of a card's state, with the percent, the time that is left, or the reason. */
function stateText(card) {
  const word = STATES[card.state] || card.state;
  if (card.state === "preparing" && card.percent) return `${word} ${card.percent} %`;
  if (card.state === "waiting" && card.until) return `${word}, ${length(card.until - Date.now() / 1000)} left`;
  return card.why && card.state !== "preparing" ? `${word}: ${card.why}` : word;
}

/** What an answer without a text means. */
const ANSWERS = { 401: "You are not logged in to Airflow any more. Reload the page.", 403: "You do not have permission to do this.",
  404: "Airflow does not have this any more.", 409: "Somebody else has changed this at the same moment. Look at it again." };
const FAILED = "Airflow could not answer, because of an error in its API server. Try again; its log says more.";

/** Send a request, and return the content of the answer; null if nothing changed. */
async function request(path, options = {}) {
  let answer;
  try { answer = await fetch(`${ROOT}/calendar/api/${path}`, { credentials: "same-origin", ...options }); } catch {
    throw new Error(`Airflow cannot be reached. ${options.method ? "Look at the post again before you repeat this" : "The page tries again by itself"}.`);
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => null); // a proxy's page, or an answer that was cut off
  if (!answer.ok || content === null) {
    const given = answer.status !== 401 && answer.status < 500 && content?.detail;
    throw Object.assign(new Error(typeof given === "string" && given ? given : ANSWERS[answer.status] || FAILED), { status: answer.status });
  }
  return content;
}

const post = (body) => request("acts", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...body, form_token: FORM_TOKEN }),
});

/** Follow a link out of Airflow's frame. Its sandbox lets no link of ours open a page, but the frame's owner may. */
function follow(event) {
  const address = new URL(event.currentTarget.href);
  if (!["https:", "http:"].includes(address.protocol) || window.parent === window) return;
  event.preventDefault();
  const link = parent.document.createElement("a");
  Object.assign(link, { href: address.href, target: "_blank", rel: "noopener noreferrer" });
  parent.document.body.append(link);
  link.click();
  link.remove();
}

/** Return a link, or only its text if the address is not one that a browser may open. */
function outward(text, address) {
  let parsed = null;
  try { parsed = new URL(address, location.href); } catch { /* not an address */ }
  if (!address || !parsed || !["https:", "http:"].includes(parsed.protocol)) return h("span", {}, text);
  return h("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer", click: follow }, text);
}

/** Say something to everybody, also to those who only hear the page. */
let sayTimer = 0;
function say(text) {
  const live = document.getElementById("live");
  live.textContent = text;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { live.textContent = ""; }, 6000);
}

/** Follow the theme of Airflow's frame, or else that of the system. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let host = null;
  try { host = window.parent === window ? null : parent.document.documentElement; } catch { /* another origin */ }
  const set = () => {
    const named = host && (host.dataset.theme || ["dark", "light"].find((name) => host.classList.contains(name)));
    document.documentElement.dataset.theme = named || localStorage.getItem("theme")?.replace("system", "") || (dark.matches ? "dark" : "light");
  };
  set();
  dark.addEventListener("change", set);
  if (host) new MutationObserver(set).observe(host, { attributes: true, attributeFilter: ["class", "data-theme"] });
}
