"""``make pictures``: the pictures of our pages and of Airflow's in the docs, from a running Airflow with videos."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml
from playwright.sync_api import sync_playwright

from demo.pictures_airflow import IMAGES, take_calendar_pictures, take_connection_pictures
from demo.results import results_settings
from demo.scene import ROOT, airflow_settings
from demo.stack import airflow_stack, end_on_sigterm
from instagram_sandbox.testing.handle import SandboxHandle, connection_json, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, FrameLocator

#: What the pages in the pictures are made from, when the pictures were taken.
SHOWN = IMAGES / "shown.json"
PACKAGE = Path("airflow_provider_instagram")
DAG_ID = "spring"
ACCOUNTS = {"instagram_studio": "17841499000000001", "instagram_shop": "17841499000000002"}
#: The views of a fractal, each of which is a different picture.
PLACES = {
    "canyon": (-0.743643, 0.131825, 0.0045),
    "coral": (-0.7445, 0.1102, 0.012),
    "shell": (0.2925, 0.0149, 0.02),
    "storm": (-1.2502, 0.0102, 0.03),
    "fern": (-0.1011, 0.9563, 0.05),
    "island": (-1.7687, 0.0017, 0.01),
}
CAPTIONS = (
    "A new week, a new set.\n\n#behindthescenes",
    "Three lenses, one scene. Which one is yours?\nTell us in the comments.",
    "What is in the box?\n\n#unboxing",
    "How a call sheet is made.",
    "Tonight at eight: ask us anything.",
    "The cut of the week.\n\n#edit",
    "The weekend sale has begun.",
    "Week two: we go outside.",
)
DAG_FILE = """\
from datetime import timedelta

from airflow_provider_instagram.calendar import content_calendar_dag

spring = content_calendar_dag(
    {dag_id!r}, {calendar!r}, accounts={accounts!r}, lead_time=timedelta(hours=23), default_args={{"retries": 0}}
)
"""
LIMIT_MS = 600_000
Picture = tuple[str, str, str, tuple[int, int]]
#: The first picture of the README, and those that show every state.
GOOD_DAY: Sequence[Picture] = (("good_day", f"?post={DAG_ID}%2Flens-test", "light", (1760, 1000)),)
PICTURES: Sequence[Picture] = (
    ("board_month", f"?post={DAG_ID}%2Flens-test", "light", (1760, 1000)),
    ("board_week", f"?view=week&post={DAG_ID}%2Fset-tour", "light", (1760, 1000)),
    ("board_phone", "?", "light", (390, 844)),
    ("results", "?view=results", "light", (1500, 1250)),
)


def main() -> int:
    """Bring the states about, and take the pictures.

    :return: The exit code.
    """
    end_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    try:
        with sandbox_process("--processing-time", "3") as sandbox:
            settings = settings_with(folder, sandbox)
            with airflow_stack(settings) as airflow, sync_playwright() as playwright:
                calendar = folder / "media" / "spring.yaml"
                airflow.wait_for_dag(DAG_ID)
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                _take_pictures(browser, airflow.url, GOOD_DAY, ("published", "waiting", "ready"))
                take_calendar_pictures(browser, airflow, DAG_ID)
                take_connection_pictures(browser, airflow, sandbox)
                _write_calendar(
                    calendar, [*yaml.safe_load(calendar.read_text())["posts"], *_bad_posts()]
                )
                _take_pictures(browser, airflow.url, PICTURES, ("failed", "problem"))
                browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    SHOWN.write_text(f"{json.dumps(sources(), indent=2)}\n")
    print(f"The pictures are in {IMAGES}.")
    return 0


def sources() -> dict[str, str]:
    """Return the SHA-256 of each file that the pages in the pictures are made from, by its path."""
    files = [PACKAGE / "get_provider_info.py", PACKAGE / "calendar" / "tasks" / "approve.py"]
    for folder in ("templates", "board/static"):
        files += sorted(
            file.relative_to(ROOT) for file in (ROOT / PACKAGE / "plugin" / folder).iterdir()
        )
    return {file.as_posix(): sha256((ROOT / file).read_bytes()).hexdigest() for file in files}


def settings_with(
    folder: Path, sandbox: SandboxHandle, videos: Sequence[str] = tuple(PLACES)
) -> dict[str, str]:
    """Make videos, the calendar and its DAG, and return the settings of an Airflow with them."""
    media, dags = folder / "media", folder / "airflow" / "dags"
    for each in (media, dags):
        each.mkdir(parents=True)
    for name in videos:
        x, y, scale = PLACES[name]
        source = f"mandelbrot=size=720x1280:rate=30:start_x={x}:start_y={y}:start_scale={scale}:end_scale={scale / 2}"
        command = f"ffmpeg -v error -f lavfi -i {source} -f lavfi -i sine=frequency=330"
        encode = "-t 4 -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac"
        subprocess.run([*f"{command} {encode}".split(), str(media / f"{name}.mp4")], check=True)
    (media / "damaged.mp4").write_bytes(b"this is no video")
    calendar = media / "spring.yaml"
    _write_calendar(calendar, _posts())
    (dags / "spring.py").write_text(
        DAG_FILE.format(dag_id=DAG_ID, calendar=str(calendar), accounts=[*ACCOUNTS])
    )
    settings = airflow_settings(folder / "airflow", media) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags)
    }
    settings |= results_settings(folder, [*ACCOUNTS], CAPTIONS)
    for conn_id, user_id in ACCOUNTS.items():
        token = f"IGAA-of-the-sandbox-{conn_id}"
        sandbox.add_account(user_id, conn_id, token=token)
        account = SandboxHandle(sandbox.url, token, user_id)
        settings[f"AIRFLOW_CONN_{conn_id.upper()}"] = connection_json(account)
        account.close()
    return settings


def _write_calendar(calendar: Path, posts: list[dict[str, Any]]) -> None:
    content = {"min_spacing": "1 minute", "defaults": {"timezone": "Europe/Berlin"}, "posts": posts}
    calendar.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def now_in_zone() -> datetime:
    """Return the time of the calendar, to the minute."""
    return (
        datetime.now(timezone.utc)
        .replace(second=0, microsecond=0)
        .astimezone(ZoneInfo("Europe/Berlin"))
    )


def _post(post_id: str, at: datetime, number: int, **more: Any) -> dict[str, Any]:
    accounts, places = list(ACCOUNTS), list(PLACES)
    common = {"id": post_id, "publish_at": f"{at:%Y-%m-%d %H:%M}", "account": accounts[number % 2]}
    video, caption = f"{places[number % len(places)]}.mp4", CAPTIONS[number % len(CAPTIONS)]
    shown = {} if "carousel" in more else {"video": video}
    return {**common, **shown, "caption": caption, "tags": ["spring"], **more}


def _posts() -> list[dict[str, Any]]:
    """Return the posts of a good day: some are due today, most in the weeks to come."""
    now = now_in_zone()
    soon = [
        _post("hello-week", now + timedelta(minutes=4), 0),
        _post("lens-test", now + timedelta(hours=3), 1, approval="required"),
        _post("unboxing", now + timedelta(hours=5), 2),
        _post(
            "set-tour", now + timedelta(hours=9), 7, carousel=["shell.mp4", "storm.mp4", "fern.mp4"]
        ),
        _post("friday-cut", now + timedelta(hours=19), 5, placement="feed"),
    ]
    later = [
        _post(
            f"post-{number:02}",
            (now + timedelta(days=number)).replace(hour=8 + number % 11, minute=30),
            number,
        )
        for number in range(1, 24)
    ]
    return [*soon, *later]


def _bad_posts() -> list[dict[str, Any]]:
    """Return posts in the other states."""
    now = now_in_zone()
    return [
        _post("damaged", now + timedelta(hours=7), 4, video="damaged.mp4"),
        _post("mistyped", now + timedelta(days=2), 6, capton="The weekend sale"),
    ]


def _take_pictures(
    browser: Browser, url: str, pictures: Sequence[Picture], states: Sequence[str]
) -> None:
    """Take pictures, once the posts have certain states.

    :param pictures: The name, the query, the theme and the size of each.
    """
    address = f"{url}/plugin/instagram-calendar/instagram/calendar/"
    for name, query, theme, size in pictures:
        page = browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        page.goto(address + query)
        frame = page.frame_locator("iframe")
        if name == pictures[0][0]:
            _wait_for_states(frame, states)
        frame.locator("#view .card, #view .chart canvas").first.wait_for(timeout=LIMIT_MS)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(2_000)
        page.screenshot(path=IMAGES / f"{name}.png")
        page.close()


def _wait_for_states(frame: FrameLocator, states: Sequence[str]) -> None:
    for state in states:
        frame.locator(f'.chip[data-state="{state}"]').wait_for(timeout=LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
