"""The task that reports what is wrong with a calendar, and removes the files of posts that are long past."""

from __future__ import annotations

import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Context, conf

from airflow_provider_instagram.calendar.file.entries import public_name
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.tasks.alerts import (
    notifier_failed,
    tell_problems,
    told_assets,
)
from airflow_provider_instagram.calendar.tasks.base import CalendarTask
from airflow_provider_instagram.calendar.tasks.covers import covers_folder
from airflow_provider_instagram.calendar.tasks.previews import make_previews
from airflow_provider_instagram.exceptions import ValidationError, own_words
from airflow_provider_instagram.files import old_files, storage
from airflow_provider_instagram.files.access import FileAccess
from airflow_provider_instagram.graph.capabilities import COMMENTS, Capability, needed_by
from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.posts.kinds import ItemKind, kind_by_name
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.pages import reconnect_hint
from airflow_provider_instagram.utils.urls import is_local, is_web, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

log = logging.getLogger(__name__)

#: How far ahead each run checks that the videos and pictures exist.
LOOK_AHEAD = timedelta(days=1)
#: A folder that is not mounted is as many problems as there are posts.
MOST_MISSING = 200
#: How long it checks them. A storage that hangs takes 8 s for each.
CHECK_FOR_S = 60.0


class ReportProblems(CalendarTask):
    """Report each problem of the calendar once, and make previews of its posts.

    No post waits for this task, but the report of the next look does. What it does not finish is
    left to that one.
    """

    def __init__(self, *, settings: CalendarSettings, retries: int = 2, **kwargs: Any) -> None:
        super().__init__(
            settings=settings, retries=retries, **told_assets(settings.dag_id), **kwargs
        )

    def execute(self, context: Context) -> None:
        """Report the problems of the whole calendar, and the missing files of the next day.

        :raises TransientError: If a notifier failed, and the task is tried again.
        """
        plan = self.settings.stored().plan
        now = CLOCK.now()
        calendar = plan.timely
        found = (
            *missing_files(calendar, now),
            *account_problems(calendar, now),
            *pictures_without_link(calendar, now, has_keys=True),
        )
        problems = (*calendar.problems, *found)
        self.log.info(
            "%s: %s posts, %s problems", calendar.location, len(calendar.posts), len(problems)
        )
        for problem in problems:
            self.log.warning("%s", problem.text(calendar.location))
        is_told = tell_problems(context, self.settings, problems, found, is_all=plan.readable)
        remove_old_files(self.settings, plan.calendar, now)
        make_previews(context, self.settings, plan, now)
        if not is_told:
            raise notifier_failed()


def account_problems(calendar: Calendar, now: datetime) -> Iterator[Problem]:
    """Yield a problem for each thing that an account is known to lack for its posts to come."""
    needed: dict[str, dict[Capability, ScheduledPost]] = defaultdict(dict)
    for post in calendar.posts:
        if post.publish_at > now:
            comments = (COMMENTS,) if post.first_comment or not post.comment_enabled else ()
            for capability in (*needed_by(post.parameters()), *comments):
                needed[post.account].setdefault(capability, post)
    for account, firsts in needed.items():
        try:
            known = known_scopes(account)
        except Exception as error:  # noqa: BLE001 -- a connection that cannot be read is no problem of the calendar
            log.info("What %s can do is not known: %s", account, error)
            continue
        yield from _lacking(known, firsts)
        if known.expires is not None and known.expires - now <= EXPIRY_WARNING:
            message = f"the token of {known.conn_id} {known.end}. Posts after that fail."
            remedy = reconnect_hint(known.conn_id)
            if known.login.gives_refreshable_tokens:
                remedy = f"Turn on the DAG refresh_instagram_tokens. {remedy}"
            yield Problem(0, message, remedy)


def _lacking(known: AccountScopes, firsts: dict[Capability, ScheduledPost]) -> Iterator[Problem]:
    for capability, post in firsts.items():
        if (lack := known.lack(capability)) is None:
            continue
        if capability is COMMENTS:
            message = (
                f"{known.conn_id} did not grant {' and '.join(known.missing(COMMENTS))}, so its first comments are not "
                "written, and no comments are switched off. The posts themselves are published."
            )
            yield Problem(post.line, message, lack.remedy)
        else:
            message = f"{known.conn_id}: {lack.message} This post and others like it fail."
            yield Problem(post.line, message, lack.remedy, post.id)


def pictures_without_link(
    calendar: Calendar, now: datetime, *, has_keys: bool
) -> Iterator[Problem]:
    """Yield a problem for each post to come with a local picture that Instagram cannot fetch from anywhere.

    :param has_keys: Whether this machine must have the keys of the storage, because it publishes.
    """
    why = storage.why_no_link(has_keys=has_keys)
    if why is None:
        return
    for post in calendar.posts:
        local = local_pictures(post)
        if local and post.publish_at >= now:
            about = "Instagram fetches pictures by link, so this post will fail"
            message = f"{local[0]} is a local picture. {about}: {why}."
            yield Problem(post.line, message, storage.SET_PUBLIC_PREFIX, post.id)


def local_pictures(post: ScheduledPost) -> list[str]:
    """Return the local pictures of a post."""
    return [one for one in post.media if is_local(one) and kind_by_name(one) is ItemKind.PICTURE]


def missing_files(calendar: Calendar, now: datetime) -> list[Problem]:
    """Return a problem for each missing video or picture of the next posts."""
    until_s = time.monotonic() + CHECK_FOR_S
    problems: list[Problem] = []
    for post in calendar.posts:
        if not now <= post.publish_at <= now + LOOK_AHEAD:
            continue
        for location in post.media:
            if len(problems) == MOST_MISSING or time.monotonic() >= until_s:
                return problems
            problem = None if is_web(location) else _missing(post, location)
            if problem is not None:
                problems.append(problem)
    return problems


def _missing(post: ScheduledPost, location: str) -> Problem | None:
    name = public_name(location)
    try:
        if storage.exists(location):
            return None
        is_folder = storage.is_folder(location)
    except Exception as error:  # noqa: BLE001 -- every storage has errors of its own
        remedy = f"Check the path and its connection. {own_words(error)}"
        return Problem(post.line, f"{name} cannot be checked.", remedy, post.id)
    if is_folder:
        return Problem(post.line, f"{name} is a folder.", "Name a file in it.", post.id)
    remedy = "Put it there, or correct the name."
    return Problem(post.line, f"there is no file {name}.", remedy, post.id)


#: The names of results: those of their sources, the profile, the key of the work, and an ending.
RESULT: Final = re.compile(r".+\.[a-z_]+\.[0-9a-f]{24}\.(?:mp4|jpg)", re.DOTALL)
#: The names of covers, and of their small copies.
COVER: Final = re.compile(r"[0-9a-f]{32}(?:-[1-9][0-9]?)?(?:-[0-9a-f]{32})?(?:\.small)?\.jpg")
EVERY: Final = timedelta(days=1)
MOST_FILES: Final = 500


def remove_old_files(settings: CalendarSettings, calendar: Calendar, now: datetime) -> None:
    """Remove what the provider wrote for posts that are long past. A failure is logged, and keeps nothing from working.

    A file is written before its post, but by less than half of the time for which it is kept. Its
    name decides whether the provider wrote it. So a calendar decides nothing about what is removed
    outside of its own folder. If the calendar has problems, nothing is removed there either: a post
    that is left out may name a result.
    """
    try:
        kept = old_files.kept_for()
        left = MOST_FILES
        if kept is None or not _is_due(f"{settings.plan_file}.cleaned", now):
            return
        for folder, is_ours, access in _folders(settings, calendar):
            # nothing is there, or it is not the calendar's own folder
            with suppress(FileNotFoundError, ValidationError):
                before = now - kept - CONTAINER_LIFE
                left -= old_files.remove_old(folder, is_ours, before, left, access)
        log.info(
            "Removed %s files of posts that were published more than %s days ago",
            MOST_FILES - left,
            kept.days,
        )
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and another day will do
        log.warning("Old files are not removed: %s", shown(str(error)))


def _is_due(mark: str, now: datetime) -> bool:
    """Return whether nothing was removed for a day, and record that it is now."""
    last = storage.modified(mark)
    if last is not None and now - last < EVERY:
        return False
    storage.write(mark, b"")
    return True


def _folders(
    settings: CalendarSettings, calendar: Calendar
) -> Iterator[tuple[str, Callable[[str], Any], FileAccess]]:
    """Return where old files may be, what tells that the provider wrote them, and where each folder must really be."""
    yield covers_folder(), COVER.fullmatch, FileAccess.of(covers_folder())
    work_prefix = conf.get("instagram", "work_prefix", fallback="")
    if work_prefix:
        yield work_prefix, RESULT.fullmatch, FileAccess.of(work_prefix)
    if not is_local(settings.calendar) or calendar.problems:
        return
    own = CalendarFiles(settings.calendar, calendar.pin).own
    folders = set(map(str, own.folders))
    named = set[str]()
    for post in calendar.posts:
        for source in map(PurePath, filter(is_local, post.media)):
            folders.add(str(source.parent))
            named.add(source.name)
    for folder in sorted(folders):
        yield folder, lambda name: name not in named and RESULT.fullmatch(name), own
