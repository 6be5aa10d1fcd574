"""Pictures of posts before their preparation: as their ``fit`` and ``background`` will show them.

1. The task ``problems`` makes the picture soon after an edit: of a video one frame at the cover's
   time, of a picture what its transcode makes. The preparation of a post that begins within ten
   minutes makes it itself.
2. The covers' folder keeps it under the version, where the transcode replaces it, and a row says
   what is lost.
3. A run makes at most ``MOST_AT_ONCE``, the next posts first, within ``TIME_LIMIT_S``. Each later
   run goes on, and tries again what failed a day ago. If the process dies, the next one makes again
   what the row does not contain.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.planning.told import (
    PREVIEWS,
    Preview,
    PreviewRecord,
    events_asset,
)
from airflow_provider_instagram.calendar.tasks.covers import (
    cover_name,
    has_cover,
    profile_of,
    write_cover,
)
from airflow_provider_instagram.exceptions import own_words
from airflow_provider_instagram.files import scratch, storage
from airflow_provider_instagram.files.access import FileCheck
from airflow_provider_instagram.files.old_files import kept_for
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.media.spec import Options
from airflow_provider_instagram.operators.transcode import programs
from airflow_provider_instagram.utils.urls import is_web

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.planning.begin_runs import Plan
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: A post gets no preview if it is transcoded so soon.
SOON_S: Final = 600
MOST_AT_ONCE: Final = 100
TIME_LIMIT_S: Final = 60.0
#: A video or picture is copied for its preview if it is not larger.
MOST_SOURCE_BYTES: Final = 500 * 10**6
TRY_AGAIN_AFTER_S: Final = 86_400
LONGEST_TEXT: Final = 200
#: Airflow's default limit of a row is 65,535 bytes. The posts that are furthest away have no place
#: in it.
MOST_BYTES: Final = 60_000

log = logging.getLogger(__name__)


def make_previews(context: Context, settings: CalendarSettings, plan: Plan, now: datetime) -> None:
    """Make the pictures that are missing. A failure is logged, and fails no run: a post needs no preview."""
    try:
        store = SealedStore.of(context, events_asset(settings.dag_id))
        before = PreviewRecord.of(store.get(PREVIEWS)).previews
        wanted = [
            post for post in plan.timely.posts if post.publish_at > now and not post.cover_url
        ]
        # what is older is removed soon
        kept = kept_for()
        oldest = 0 if kept is None else (now - kept / 2).timestamp()
        known = {version: one for version, one in before.items() if one.at > oldest}
        made = known | dict(_made(settings, plan, wanted, known, now))
        row = _row([(post.version, made[post.version]) for post in wanted if post.version in made])
        if row != before:
            content = PreviewRecord(previews=row).model_dump(mode="json", exclude_defaults=True)
            store.set(PREVIEWS, content)
    except Exception:  # each storage and each tool has errors of its own
        log.exception("The previews could not be made. The next run tries again.")


def _row(previews: list[tuple[str, Preview]]) -> dict[str, Preview]:
    row = {}
    size = 0
    for version, preview in previews:
        size += len(version) + len(json.dumps(preview.model_dump(exclude_defaults=True))) + 8
        if size > MOST_BYTES:
            break
        row[version] = preview
    return row


def _made(
    settings: CalendarSettings,
    plan: Plan,
    posts: list[ScheduledPost],
    known: dict[str, Preview],
    now: datetime,
) -> Iterator[tuple[str, Preview]]:
    """Make pictures, and yield them with their versions. Posts without a try come before those that have failed."""
    until_s = time.monotonic() + TIME_LIMIT_S
    left = MOST_AT_ONCE
    at = int(now.timestamp())
    missing = [
        post
        for post in posts
        if post.version not in known or _is_due_again(known[post.version], at)
    ]
    for post in sorted(missing, key=lambda post: post.version in known):
        if left == 0 or time.monotonic() >= until_s:
            return
        begins_at = (post.publish_at - settings.work_ahead).timestamp()
        if post.id in plan.begun or begins_at <= at + SOON_S:
            continue  # its preparation makes the picture, and needs the processor for it
        if has_cover(cover_name(post.version)):
            yield post.version, Preview(at=at)
        elif all(is_web(source) or storage.exists(source) for source in post.media):
            left -= 1
            files = CalendarFiles(settings.calendar, plan.calendar.pin)
            yield post.version, _preview(post, files, at, until_s)


def _is_due_again(preview: Preview, at: int) -> bool:
    return not preview.is_there and at - preview.at >= TRY_AGAIN_AFTER_S


def _preview(post: ScheduledPost, files: CalendarFiles, at: int, until_s: float) -> Preview:
    try:
        return Preview(at=at, says=" ".join(_written(post, files, until_s))[:LONGEST_TEXT])
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; the page shows why
        text = own_words(error)  # a row is not masked as a log is
        log.warning("There is no preview of %s: %s", post.id, text)
        return Preview(at=at, says=f"no preview: {text}"[:LONGEST_TEXT], is_there=False)


def _written(post: ScheduledPost, files: CalendarFiles, until_s: float) -> Iterator[str]:
    """Store a picture of each item, and yield what is lost of it."""
    from airflow_provider_instagram.media.plan import layout_warnings
    from airflow_provider_instagram.media.video import read_item

    if files.moved is not None:
        raise files.moved
    profile = profile_of(post)
    options = Options(post.fit, post.background, post.trim, **programs())
    with options.pictures.kept():
        for place, source in enumerate(post.media, 1):
            check = FileCheck(files.access_to(source))
            check.access.check(source)
            with (
                storage.as_local_file(
                    source, check=check, max_bytes=MOST_SOURCE_BYTES, until_s=until_s
                ) as local,
                scratch.scratch_folder() as folder,
            ):
                item = read_item(local, profile, options, is_written_next=True)
                item.write_still(still := folder / "still.jpg", post.video_cover_timestamp_ms or 0)
                write_cover(cover_name(post.version, place), still)
            yield from layout_warnings(item.layout)
            if place == 1:
                profile = profile.with_aspect_ratio(item.aspect_ratio)
