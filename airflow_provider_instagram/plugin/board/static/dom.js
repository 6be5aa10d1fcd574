// Elements, icons, links and the theme. Text from a calendar only ever becomes a text node.

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {string | number | boolean | null | undefined} Value */

/**
 * Return a new element. A property that is a function listens to an event; children that are `null` are left out.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, Value | ((event: Event, element: HTMLElementTagNameMap[Name]) => unknown)>} props
 * @param {(Child | Child[])[]} children
 */
export function h(name, props = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    const isState = key.startsWith("aria-") && typeof value === "boolean";
    if (value === null || value === undefined || (value === false && !isState)) continue;
    if (typeof value === "function") element.addEventListener(key, (event) => value(event, element));
    else if (key === "class") element.className = String(value);
    else element.setAttribute(key, value === true && !isState ? "" : String(value));
  }
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/** Return a number with its noun. @param {number} number @param {string} noun */
export const counted = (number, noun) => `${number} ${noun}${Math.abs(number) === 1 ? "" : "s"}`;

/** Return an element of the page's frame, which is always there. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * Make a group of controls one stop of the Tab key: arrows go from one to the next.
 * @template {HTMLElement} T
 * @param {T} group @returns {T}
 */
export function roving(group) {
  /** @returns {HTMLElement[]} */
  const stops = () => [...group.querySelectorAll("button, select")].map((one) => /** @type {HTMLElement} */ (one));
  const stopAt = (/** @type {HTMLElement | undefined} */ one) => {
    for (const other of stops()) other.tabIndex = other === one ? 0 : -1;
  };
  stopAt(stops()[0]);
  group.addEventListener("focusin", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (stops().includes(target)) stopAt(target);
  });
  group.addEventListener("keydown", (event) => {
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const all = stops();
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (!side || at < 0) return;
    all[(at + side + all.length) % all.length]?.focus();
    event.preventDefault();
    event.stopPropagation();
  });
  return group;
}

/** @type {Record<string, string>} */
const ICONS = {
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 4a7 7 0 110 14 7 7 0 010-14zM16.5 16.5L21 21",
  reel: "M4 4h16v16H4zM4 9h16M9 4l3 5M14 4l3 5M10.5 12.2v4.6l4-2.3z",
  "feed video": "M4 5h16v14H4zM10 9v6l5-3z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 8.6h.01",
  carousel: "M7 7h13v13H7zM4 17V4h13",
  story: "M12 3a9 9 0 110 18 9 9 0 010-18zM12 8v8M8 12h8",
  heart: "M12 20s-8-4.7-8-10.6A4.4 4.4 0 0112 7a4.4 4.4 0 018 2.4C20 15.3 12 20 12 20z",
  comment: "M20 12a8 8 0 10-3.2 6.4L20 19.5l-1-3.4A8 8 0 0020 12z",
  send: "M21 4L10 15M21 4l-7 17-4-6-6-4z",
  save: "M6 4h12v16l-6-4.5L6 20z",
  list: "M4 6h16M4 12h16M4 18h16",
  problem: "M12 4l9 16H3zM12 10v4M12 17h.01",
  // the states
  planned: "M5 6h14v14H5zM5 10h14M9 4v3M15 4v3",
  in_work: "M12 4a8 8 0 108 8M12 8v4l3 2",
  waiting: "M9.2 9a2.9 2.9 0 115 2c-1.2 1-2.2 1.4-2.2 3M12 18h.01",
  ready: "M5 12l5 5 9-10",
  late: "M6 4h12M6 20h12M7 4c0 5 10 11 10 16M17 4c0 5-10 11-10 16",
  published: "M12 4a8 8 0 110 16 8 8 0 010-16zM8 12l3 3 5-6",
  skipped: "M5 6l7 6-7 6zM18 6v12",
  failed: "M6 6l12 12M18 6L6 18",
  unknown: "M9.2 9a2.9 2.9 0 115 2c-1.2 1-2.2 1.4-2.2 3M12 18h.01M4 4h16v16H4z",
};

/** @param {string | undefined} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name ?? ""] ?? ICONS.picture ?? "");
  svg.append(path);
  return svg;
}

/** Return Airflow's window around this page, or null if there is none that we may read. */
export function hostWindow() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // another origin
  }
}

/** Return an address if it is one that a browser may open. @param {string} address */
function webAddress(address) {
  try {
    const parsed = new URL(address, location.href);
    return ["https:", "http:"].includes(parsed.protocol) ? parsed : null;
  } catch {
    return null; // not an address
  }
}

/**
 * Return a link, or only its text if the address is not one that a browser may open.
 * @param {string} text
 * @param {string} address
 */
export function outward(text, address) {
  const parsed = address ? webAddress(address) : null;
  if (!parsed) return h("span", {}, text);
  const link = { href: parsed.href, target: "_blank", rel: "noopener noreferrer" };
  const follow = (/** @type {Event} */ event) => {
    // The sandbox of Airflow's frame lets no link of ours open a page, but the frame's owner may.
    const host = hostWindow();
    if (!host) return;
    event.preventDefault();
    const copy = Object.assign(host.document.createElement("a"), link);
    host.document.body.append(copy);
    copy.click();
    copy.remove();
  };
  return h("a", { ...link, click: follow }, text);
}

let sayTimer = 0;
/** Say something to everybody, also to those who only hear the page. @param {string} text */
export function say(text) {
  const live = byId("live");
  live.textContent = text;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => {
    live.textContent = "";
  }, 6000);
}

/** Return the message of whatever was thrown. @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Follow the theme of Airflow's frame, or else that of the system. */
export function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const host = hostWindow()?.document.documentElement;
  const set = () => {
    const named = host && (host.dataset.theme || ["dark", "light"].find((name) => host.classList.contains(name)));
    const stored = localStorage.getItem("theme")?.replace("system", "");
    document.documentElement.dataset.theme = named || stored || (dark.matches ? "dark" : "light");
  };
  set();
  dark.addEventListener("change", set);
  if (host) new MutationObserver(set).observe(host, { attributes: true, attributeFilter: ["class", "data-theme"] });
}

/** Whether the page is low, as on a screen at 200 %. */
export const isLow = () => matchMedia("(max-height: 560px)").matches;
export const isNarrow = () => matchMedia("(max-width: 640px)").matches;
