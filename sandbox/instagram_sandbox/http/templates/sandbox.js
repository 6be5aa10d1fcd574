// Keeps the profile up to date: fetches the page again and takes over what has changed.
"use strict";
const everyMs = 3000;
const parser = new DOMParser();

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) {
      const fresh = parser.parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
      const shown = document.querySelector("[data-live]");
      if (fresh && shown && fresh.innerHTML !== shown.innerHTML) shown.replaceWith(fresh);
    }
  } catch {
    // The sandbox was stopped; the page shows what was last there.
  }
  setTimeout(refresh, document.hidden ? 5 * everyMs : everyMs);
}

setTimeout(refresh, everyMs);
