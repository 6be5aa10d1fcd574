// Keeps the page up to date, turns carousels, and carries out the buttons that disturb the sandbox.
"use strict";
const everyMs = 3000;
const parser = new DOMParser();

async function update() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = parser.parseFromString(await answer.text(), "text/html");
  for (const shown of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${shown.dataset.live}"]`);
    if (next && next.innerHTML !== shown.innerHTML) shown.replaceWith(next);
  }
}

async function refresh() {
  try {
    await update();
  } catch {
    // The sandbox was stopped; the page shows what was last there.
  }
  setTimeout(refresh, document.hidden ? 5 * everyMs : everyMs);
}

async function control(button) {
  const { method, path, body } = JSON.parse(button.dataset.call);
  const said = document.querySelector("[data-said]");
  try {
    const answer = await fetch(`/_sandbox/${path}`, { method, body: body && JSON.stringify(body) });
    said.textContent = answer.ok ? `${button.textContent}: done.` : (await answer.json()).detail;
    await update();
  } catch {
    said.textContent = "The sandbox does not answer.";
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.call) control(button);
  if (button?.dataset.step) {
    const strip = button.closest("[data-turn]").querySelector(".strip");
    strip.scrollBy({ left: Number(button.dataset.step) * strip.clientWidth, behavior: "smooth" });
  }
});

setTimeout(refresh, everyMs);
