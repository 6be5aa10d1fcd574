"""``make moving-picture``: the first 15 seconds of the README. A file is edited, a yes is given, the post is live."""

from __future__ import annotations

import html
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

from demo.pictures import DAG_ID, LIMIT_MS, now_in_zone, settings_with
from demo.pictures_airflow import IMAGES
from demo.stack import airflow_stack, end_on_sigterm, wait_until
from instagram_sandbox.testing.handle import sandbox_process

if TYPE_CHECKING:
    from datetime import datetime

    from playwright.sync_api import Page

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle

PICTURE: Final = IMAGES / "first_post.webp"
COLUMNS, ROWS, CAPTION_ROWS = 1200, 720, 48
MOST_BYTES: Final = 2_000_000
#: Until the new post is due: its video is prepared, and a person asked, before.
DUE_IN: Final = timedelta(minutes=6)
LETTERS_A_FRAME: Final = 12
BEGINNING: Final = """\
min_spacing: 1 minute
defaults: {account: instagram_studio, timezone: Europe/Berlin}
posts:
"""
PLANNED: Final = (
    '  - {{id: {id}, publish_at: {at:%Y-%m-%d} 17:00, video: canyon.mp4, caption: "{caption}"}}\n'
)
ADDED: Final = """\
  - id: lens-test
    publish_at: {at:%Y-%m-%d %H:%M}
    video: coral.mp4
    caption: Three lenses, one scene. Which one is yours?
    approval: required
"""
#: The other posts of the week, by their ids.
CAPTIONS: Final = {
    "hello": "A new week, a new set.",
    "unboxing": "What is in the box?",
    "cut": "The cut of the week.",
}
EDITOR: Final = """<body style="margin:0;background:#1e1e2e;color:#cdd6f4;font:20px/1.6 'DejaVu Sans Mono',monospace">
<div style="background:#313244;padding:10px 24px;font-family:sans-serif">spring.yaml</div>
<pre style="margin:0;padding:24px;font:inherit;white-space:pre-wrap">{text}<b>▏</b></pre>"""
POINTER: Final = """([x, y]) => {
  const pointer = document.createElement("div");
  pointer.style.cssText = `position:fixed;left:${x}px;top:${y}px;z-index:9999;width:36px;height:36px;
    pointer-events:none;margin:-18px;border-radius:50%;border:4px solid #d6249f;background:#d6249f55`;
  document.body.append(pointer);
  setTimeout(() => pointer.remove(), 2000);
}"""


@dataclass
class Film:
    """The frames of the picture, and how long each is shown."""

    frames: list[Image.Image] = field(default_factory=list)
    shown_ms: list[int] = field(default_factory=list)

    def take(self, page: Page, caption: str, ms: int) -> None:
        """Add what a page shows, with a line below it."""
        frame = Image.new("RGB", (COLUMNS, ROWS + CAPTION_ROWS), "#11111b")
        frame.paste(Image.open(BytesIO(page.screenshot())), (0, 0))
        font = ImageFont.load_default(size=26)
        ImageDraw.Draw(frame).text(
            (24, ROWS + CAPTION_ROWS // 2), caption, "white", font, anchor="lm"
        )
        self.frames.append(frame)
        self.shown_ms.append(ms)

    def save(self) -> None:
        """Write the picture, in the best quality that fits its limit."""
        for quality in (80, 60, 40):
            more: dict[str, Any] = {
                "append_images": self.frames[1:],
                "duration": self.shown_ms,
                "loop": 0,
                "method": 6,
            }
            self.frames[0].save(PICTURE, save_all=True, quality=quality, **more)
            if PICTURE.stat().st_size < MOST_BYTES:
                return
        raise SystemExit(f"{PICTURE} has more than {MOST_BYTES:,} bytes.")


def main() -> int:
    """Play the scene, and take its frames.

    :return: The exit code.
    """
    end_on_sigterm()
    folder, film = Path(tempfile.mkdtemp(prefix="moving-picture-")), Film()
    try:
        with sandbox_process("--processing-time", "3") as sandbox:
            settings, calendar = (
                settings_with(folder, sandbox, ("canyon", "coral")),
                folder / "media" / "spring.yaml",
            )
            days = [now_in_zone() + timedelta(days=number) for number in (1, 2, 4)]
            rows = zip(CAPTIONS.items(), days, strict=True)
            planned = "".join(
                PLANNED.format(id=name, at=at, caption=caption) for (name, caption), at in rows
            )
            calendar.write_text(BEGINNING + planned)
            with airflow_stack(settings) as airflow, sync_playwright() as playwright:
                airflow.wait_for_dag(DAG_ID)
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                size = {"width": COLUMNS, "height": ROWS}
                page = browser.new_page(viewport=size, locale="en-GB", timezone_id="Europe/Berlin")  # type: ignore[arg-type]
                page.set_default_timeout(LIMIT_MS)
                _edit(page, film, calendar, now_in_zone() + DUE_IN)
                _approve(page, film, airflow)
                _see(page, film, sandbox)
                browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    film.save()
    print(f"{PICTURE}: {sum(film.shown_ms) / 1000:.0f} s, {PICTURE.stat().st_size:,} bytes")
    return 0


def _edit(page: Page, film: Film, calendar: Path, at: datetime) -> None:
    """Type a post into the file."""
    before, added = calendar.read_text(), ADDED.format(at=at)
    for end in range(LETTERS_A_FRAME, len(added) + LETTERS_A_FRAME, LETTERS_A_FRAME):
        page.set_content(EDITOR.format(text=html.escape(before + added[:end].rstrip("\n"))))
        film.take(page, "1. A post is written into the calendar file", 180)
    film.shown_ms[-1] = 900
    calendar.write_text(before + added)


def _approve(page: Page, film: Film, airflow: AirflowStack) -> None:
    """Approve the post on its page, and wait until it is published."""
    page.add_init_script("localStorage.setItem('theme', 'light')")
    page.goto(
        f"{airflow.url}/plugin/instagram-calendar/instagram/calendar/?view=week&post={DAG_ID}%2Flens-test"
    )
    frame = page.frame_locator("iframe")
    button = frame.get_by_role("button", name="Approve", exact=True)
    button.wait_for()
    page.wait_for_load_state("networkidle")
    film.take(page, "2. Airflow has prepared it, and asks a person", 2200)
    box = button.bounding_box()
    assert box is not None
    page.evaluate(POINTER, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    film.take(page, "3. A yes is given", 900)
    button.click()
    frame.locator('.chip[data-state="ready"], .chip[data-state="approved"]').first.wait_for()
    page.wait_for_timeout(2_500)
    film.take(page, "3. A yes is given: the post waits for its time", 1800)
    frame.locator('.chip[data-state="published"]').first.wait_for()
    page.wait_for_load_state("networkidle")
    film.take(page, "4. At its time it is published, exactly once", 2400)


def _see(page: Page, film: Film, sandbox: SandboxHandle) -> None:
    """Open the post where the public sees it."""
    (post,) = wait_until(lambda: sandbox.posts, "the post is live", 60)
    page.goto(str(post.permalink))
    page.wait_for_load_state("networkidle")
    film.take(page, "5. The post is live", 3200)


if __name__ == "__main__":
    sys.exit(main())
