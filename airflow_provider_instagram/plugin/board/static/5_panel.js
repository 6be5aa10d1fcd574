// The side panel: one post, as Instagram shows it, with its history and what can be done about it.

let open = null; // {dag, id, content, error, refused, asked}
const drafts = new Map(); // what a user has made of a caption, by post: {of, text}

function openPost(dag, id) {
  view.post = `${dag}/${id}`;
  writeAddress();
  open = { dag, id, content: null, error: "", refused: "", asked: "" };
  shownItem = 0;
  drawPanel();
  mark();
  loadPost();
}

function closePost() {
  const key = open && `${open.dag}/${open.id}`;
  open = null;
  view.post = "";
  writeAddress();
  document.body.classList.remove("open");
  document.getElementById("app").inert = false;
  document.getElementById("panel").hidden = true;
  mark();
  if (key) cardOf(key)?.focus();
}

async function loadPost() {
  const current = open;
  if (!current) return;
  try {
    current.content = await request(`post?${new URLSearchParams({ dag_id: current.dag, post_id: current.id, seen: data.seen })}`);
    current.error = "";
  } catch (error) {
    if (current.error !== error.message) say(error.message);
    current.error = error.message;
  }
  if (open === current && !isTyping()) drawPanel();
}

const isTyping = () => document.getElementById("panel").contains(document.activeElement) && ["TEXTAREA", "INPUT"].includes(document.activeElement.tagName);

function drawPanel() {
  const panel = document.getElementById("panel");
  const isNew = panel.hidden;
  const { content } = open;
  const card = content ? content.card : data.cards.get(`${open.dag}/${open.id}`);
  const kept = panel.dataset.post === view.post ? panel.scrollTop : 0;
  const playing = panel.dataset.post === view.post ? panel.querySelector("video") : null;
  const isWide = !isNarrow();
  document.body.classList.toggle("open", true);
  panel.hidden = false;
  panel.dataset.post = view.post;
  panel.setAttribute("aria-modal", String(!isWide));
  document.getElementById("app").inert = !isWide; // on a phone, the panel covers the page
  const head = h("div", { class: "head" }, h("h2", { class: "cut" }, card ? card.id : open.id),
    h("button", { class: "btn square", type: "button", "aria-label": "Close", title: "Key Escape", click: closePost }, icon("close")));
  const sections = h("div", { class: "sections" });
  for (const error of [open.refused, open.error]) if (error) sections.append(h("p", { class: "error" }, error));
  if (card) sections.append(stateSection(card, content || {}));
  if (content && content.caption !== undefined) sections.append(...problemSection(content.card), previewSection(content, playing), ...insightsSection(content), factsSection(content), ...transcodeSection(content), ...historySection(content), ...linesSection(content));
  else if (content) sections.append(...problemSection(content.card), ...linesSection(content));
  const focused = panel.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  panel.replaceChildren(head, sections);
  panel.scrollTop = kept;
  const again = focused && [...panel.querySelectorAll("button, a, pre")].find((one) => nameOf(one) === focused);
  if (isNew || focused !== null) (again || head.querySelector("button")).focus({ preventScroll: true });
}

const nameOf = (element) => element.getAttribute("aria-label") || element.textContent;

const ACTS = {
  approve: { text: "Approve", main: true }, reject: { text: "Reject …", danger: true, ask: "Why is it rejected? The reason is shown to its author.", field: "reason", sure: "Reject" },
  retry: { text: "Try again", main: true }, skip: { text: "Skip …", danger: true, ask: "Nothing publishes this post then, unless you bring it back. An edit in the calendar makes a new version, which is published.", sure: "Skip" },
  unskip: { text: "Bring back", main: true }, publish_now: { text: "Publish now …", ask: "It is published on Instagram as soon as it is ready, whatever its time in the calendar.", sure: "Publish now" },
  live: { text: "It is live …", ask: "Look at the account on Instagram first. If the post is there, record it here, so that it is never published again.", field: "permalink", sure: "Record as live" },
  not_live: { text: "It is not live …", danger: true, ask: "Look at the account on Instagram first, and again an hour after the attempt. If the post is not there, record that. It is then published again.", sure: "Record as not live" },
};
const LONGEST_CAPTION = 2200; // characters
const FIELDS = { reason: "Reason", permalink: "Link to the post, if you have it" };

function stateSection(card, content) {
  const acts = content.acts || [];
  const box = h("section", { "data-state": card.state }, h("span", { class: "badge loud" }, card.state === "waiting" ? stateText(card) : `${STATES[card.state]}${card.percent ? ` ${card.percent} %` : ""}`));
  const why = card.state === "problem" ? "" : content.why;
  if (why) box.append(h("p", { class: "why" }, why));
  if (content.hint && card.state !== "problem") box.append(h("p", { class: "hint" }, content.hint));
  if (content.link) box.append(h("p", { class: "why" }, outward("View on Instagram", content.link)));
  if (acts.includes("approve") && content.kind !== "story") box.append(captionField(content));
  if (acts.length) box.append(actsElement(acts));
  return box;
}

/** Return the field of the caption. An edit is kept while the panel is closed, until the calendar has another caption. */
function captionField(content) {
  const counter = h("small");
  const area = h("textarea", { name: "caption", rows: 6, dir: "auto", "aria-label": "Caption", input: () => { drafts.set(view.post, { of: content.caption, text: area.value }); countText(); } });
  const countText = () => { // not maxlength, which cuts off what is pasted
    const { length } = area.value; // as Instagram counts, and the server: an emoji is two or more
    counter.textContent = `${length.toLocaleString("en-GB")} of ${LONGEST_CAPTION.toLocaleString("en-GB")}`;
    counter.classList.toggle("error", length > LONGEST_CAPTION);
  };
  area.defaultValue = content.caption;
  const draft = drafts.get(view.post);
  if (draft && draft.of === content.caption) area.value = draft.text;
  countText();
  return h("label", { class: "field" }, "Caption, as it is published", area, counter);
}

/** Return what a user has made of a caption, or undefined if they left it as it is. */
const edited = (area) => (area && area.value !== area.defaultValue.replace(/\r\n?/g, "\n") ? area.value : undefined);

function actsElement(acts) {
  const box = h("div", { class: "acts" });
  const asked = ACTS[open.asked];
  if (asked && acts.includes(open.asked)) {
    const field = asked.field ? h("input", { name: asked.field, "aria-label": FIELDS[asked.field], maxlength: 500 }) : null;
    return h("form", { class: "confirm", submit: (event) => { event.preventDefault(); act(open.asked, field ? { [asked.field]: field.value } : {}); } },
      h("p", {}, asked.ask), field ? h("label", { class: "field" }, FIELDS[asked.field], field) : null,
      h("div", { class: "acts" }, h("button", { class: `btn ${asked.danger ? "danger" : "main"}`, type: "submit" }, asked.sure), h("button", { class: "btn", type: "button", click: () => { open.asked = ""; drawPanel(); } }, "Cancel")));
  }
  for (const name of acts) {
    const { text, main, danger, ask } = ACTS[name];
    box.append(h("button", { class: `btn${main ? " main" : ""}${danger ? " danger" : ""}`, type: "button", "data-act": name,
      click: () => { if (ask) { open.asked = name; drawPanel(); document.querySelector(".confirm input, .confirm button")?.focus(); } else act(name, {}); } }, text));
  }
  return box;
}

/** Do something to the open post. */
async function act(name, given) {
  const current = open;
  const area = document.querySelector("#panel [name=caption]");
  const caption = name === "approve" ? edited(area) : undefined;
  const { version, sha256 } = current.content || {}; // an answer is about what is shown
  for (const button of document.querySelectorAll("#panel .acts button")) button.disabled = true;
  try {
    const { done, seen } = await post({ act: name, dag_id: current.dag, post_id: current.id, caption, version, sha256, ...given });
    current.asked = "";
    data.seen = seen; // whichever process of the API server answers next, it does not show what was before
    say(done);
    current.refused = "";
  } catch (error) {
    current.refused = error.message; // stays until the next act, whatever changes meanwhile
    say(error.message);
  }
  document.activeElement?.blur();
  await Promise.all([refresh(), loadPost()]);
  if (open !== current) return;
  drawPanel();
  if (document.activeElement === document.body) document.querySelector("#panel .head button").focus({ preventScroll: true });
}

function previewSection(content, playing) {
  const account = content.card.account;
  const media = h("div", { class: `media${shapeOf(content)}` }, ...mediaElements(content, playing));
  const caption = h("p", { class: "caption short" }, h("b", {}, account), content.caption);
  const see = h("button", { class: "see", type: "button", click: () => { caption.classList.remove("short"); see.remove(); } }, "more");
  const icons = content.kind === "story" ? null : h("div", { class: "icons", "aria-hidden": "true" }, ["heart", "comment", "send", "save"].map(icon));
  const { alt } = shownOf(content) || {};
  const isLong = content.caption.length > 90 || content.caption.includes("\n");
  if (!isLong) caption.classList.remove("short");
  return h("section", {}, h("h3", {}, "As Instagram shows it"),
    h("div", { class: "phone" }, h("div", { class: "who" }, h("span", { class: "face" }, (account[0] || "?").toUpperCase()), h("span", { class: "cut" }, account)), media,
      icons, content.caption ? caption : null, content.caption && isLong ? see : null), alt ? h("p", { class: "hint alt" }, `Alt text: ${alt}`) : null,
    content.warning ? h("p", { class: "hint" }, content.warning) : null);
}

/** Return the shape of the preview: high for a reel and a story, and low if there is nothing to see yet. */
function shapeOf(content) {
  if (!content.media.some((item) => item.cover)) return " bare";
  return content.kind === "reel" || content.kind === "story" ? "" : " feed";
}

let shownItem = 0; // the item of a carousel that the preview shows
const shownOf = ({ media }) => media[Math.min(shownItem, media.length - 1)];

function mediaElements(content, playing) {
  const { card, media } = content;
  const index = Math.min(shownItem, media.length - 1);
  const item = shownOf(content);
  if (!item || !item.cover) return [h("p", {}, "The picture appears here when the post is prepared, shortly before its time.")];
  const cover = `${ROOT}/calendar/api/covers/${item.cover}.jpg?${new URLSearchParams({ dag_id: card.dag, size: "large" })}`;
  const place = media.length > 1 ? `Item ${index + 1} of ${media.length}` : "";
  const image = () => h("img", { src: cover, alt: [place, item.alt].filter(Boolean).join(": ") || "Cover" });
  const query = new URLSearchParams({ dag_id: card.dag, post_id: card.id, item: index + 1 });
  const source = `${ROOT}/calendar/api/video?${query}`;
  const kept = playing && playing.getAttribute("src") === source ? playing : null;
  const shown = !item.video ? image() : kept || h("video", { src: source, poster: cover, controls: true, playsinline: true, preload: "none", loop: true, "aria-label": place || "Preview", error: (event) => event.target.replaceWith(image()) });
  return media.length > 1 ? [shown, ...turner(media.length, index)] : [shown];
}

/** Return the buttons that turn a carousel, and the dots that say which item is shown. */
function turner(length, index) {
  const turn = (to) => () => { shownItem = to; drawPanel(); (document.querySelector(`#panel .turn.${to > index ? "next" : "back"}`) || document.querySelector("#panel .turn")).focus(); };
  const button = (name, label, to) => (to >= 0 && to < length ? h("button", { class: `turn ${name}`, type: "button", "aria-label": label, click: turn(to) }, icon(name === "next" ? "right" : "left")) : null);
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, Array.from({ length }, (_, place) => h("i", { class: place === index ? "on" : "" })));
  return [button("back", "Previous item", index - 1), button("next", "Next item", index + 1), dots].filter(Boolean);
}

// A Map, because a name may be anything that is stored.
const METRICS = new Map([["total_interactions", "Interactions"], ["ig_reels_avg_watch_time", "Average watch time (ms)"], ["ig_reels_video_view_total_time", "Watch time (ms)"], ["reels_skip_rate", "Skip rate (%)"]]);

function insightsSection({ insights }) {
  if (!insights) return [];
  const named = (name) => METRICS.get(name) || `${name.slice(0, 1).toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
  const at = new Date(insights.at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  return [h("section", {}, h("h3", {}, "Insights"), h("dl", { class: "facts insights" }, insights.values.flatMap(([name, value]) => [h("dt", {}, named(name)), h("dd", {}, Number(value).toLocaleString("en-GB"))])),
    h("p", { class: "hint" }, `Read for the age of ${insights.age}, on ${at}.`))];
}

function factsSection(content) {
  const at = new Date(content.card.at * 1000);
  const local = content.card.local.replace("T", ", ");
  const mine = at.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const calendar = `${inWords(content.card.local.slice(0, 10), { weekday: "short", day: "numeric", month: "short", year: "numeric" })}${local.slice(10)} ${content.zone}`;
  const comment = content.comment ? [["First comment", content.comment]] : [];
  const slot = slotText(content.card) ? [["Time chosen", slotText(content.card)]] : [];
  const settings = [...(content.card.asks ? [["Approval", "required"]] : []), ...(content.card.dry ? [["Dry run", "not published"]] : [])];
  const pairs = [["Calendar's time", calendar], ...slot, ["Your time", mine], ["Account", content.card.account], ["Kind", content.kind], [content.media.length > 1 ? "Files" : "File", content.media.map((item) => item.file).join(", ")],
    ...comment, ...settings, ...Object.entries(content.options).filter(([name]) => !["placement", "alt_text"].includes(name)).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "string" ? value : JSON.stringify(value)])];
  const tags = content.card.tags || [];
  return h("section", {}, h("h3", {}, "Post"), h("dl", { class: "facts" }, pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    tags.length ? [h("dt", {}, "Tags"), h("dd", {}, tags.map((tag) => h("span", { class: "tag" }, tag)))] : []));
}

const TIERS = { pass: "Left as it is: it complies already.", remux: "Copied into a new file, without encoding.", audio: "Only the sound was encoded.", full: "Encoded." };

function transcodeSection(content) {
  const reports = (Array.isArray(content.report) ? content.report : [content.report]).filter((one) => one && typeof one === "object");
  if (!reports.length) return [];
  const texts = (report, name) => (Array.isArray(report[name]) ? report[name] : []).map((text) => h("li", {}, `• ${text}`));
  const parts = reports.map((report, index) => h("div", {}, h("p", {}, reports.length > 1 ? `Item ${index + 1}. ` : "", Object.hasOwn(TIERS, report.tier) ? TIERS[report.tier] : String(report.tier || "")), h("ul", {}, texts(report, "reasons")),
    texts(report, "warnings").length ? h("ul", { class: "error" }, texts(report, "warnings")) : null));
  return [h("section", {}, h("h3", {}, "What the transcode did"), parts)];
}

function historySection(content) {
  if (!content.history.length) return [];
  const items = content.history.map((event) => h("li", {}, h("div", {}, h("div", {}, event.link ? outward(event.what, event.link) : event.what, event.detail ? `: ${event.detail}` : ""),
    h("div", { class: "at" }, !event.at ? "" : new Date(event.at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" })))));
  return [h("section", {}, h("h3", {}, "History"), h("ol", { class: "history" }, items))];
}

function linesSection(content) {
  const { lines } = content;
  if (!lines) return [];
  const copy = h("button", { class: "btn", type: "button", click: async () => {
    try { await navigator.clipboard.writeText(lines); copy.textContent = "Copied"; } catch { getSelection().selectAllChildren(code); }
  } }, "Copy");
  const code = h("pre", { class: "mono", tabindex: 0, "aria-label": "Lines of the file" }, lines);
  return [h("section", {}, h("h3", {}, `In the calendar's file, line ${content.line}`), h("div", { class: "lines" }, code, copy))];
}

function problemSection(card) {
  if (!card.problems) return [];
  const calendar = data.calendars.find((one) => one.dag === card.dag) || { file: "" };
  return [h("section", {}, h("h3", {}, "What has to be corrected"), h("ul", { class: "notice", "data-state": "problem" }, card.problems.map((problem) => problemElement(calendar, { ...problem, post: null }))))];
}
