"""Which run publishes a post: rows on an account's ledger by which the runs of calendars know of each other."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from airflow_provider_instagram.ledger.ledger import row_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.ledger.seal import StateStore


T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assignment:
    """Which run publishes a post, in which version. An edited post is assigned again, to a run of its own.

    :param run: The run, as ``dag_id/run_id``; empty if the run released the post.
    :param settled: Whether the run dropped the post for good: a person rejected it, or it was too late.
    :param skipped_by: The user that decided that no run publishes this version.
    """

    post_key: str
    run: str
    version: str
    settled: bool = False
    skipped_by: str | None = None

    def is_skip_of(self, post: ScheduledPost) -> bool:
        """Return whether a user decided that no run publishes this version of a post."""
        return self.skipped_by is not None and self.version == post.version

    def is_free_for(self, run: str, post: ScheduledPost) -> bool:
        """Return whether a run may take this version of a post: no other run has it, and no user has skipped it.

        A run of another DAG does not count: the DAG may have been renamed, and then no other run publishes the post.
        """
        if self.version != post.version:
            return True
        is_other_dag = self.run.partition("/")[0] != run.partition("/")[0]
        return self.skipped_by is None and (self.run in ("", run) or is_other_dag)


class LateTime(BaseModel):
    """The row of the time that a late post has chosen.

    :param at: The time; None if the post has given it up.
    :param version: The version; None if it was chosen without knowledge of the other posts.
    :param chosen_at: When its publisher chose the time.
    :param distance_to: The id of the post whose distance it keeps; None if it goes out as soon as it can.
    """

    post_key: str
    at: AwareDatetime | None
    version: str | None = None
    chosen_at: AwareDatetime | None = None
    distance_to: str | None = None


ASSIGNMENT: TypeAdapter[Assignment] = TypeAdapter(Assignment)
LATE_TIME: TypeAdapter[LateTime] = TypeAdapter(LateTime)


def _read(kind: TypeAdapter[T], row: Any) -> T | None:
    """Return what a row contains. A malformed one counts as none: users with the right on assets may write it."""
    try:
        return kind.validate_python(row) if row else None
    except ValidationError as error:
        log.warning("A row that is malformed is ignored: %s", error.errors(include_input=False, include_url=False))
        return None


@dataclass
class Assignments:
    """The assignments of posts to runs, as rows of an account's ledger.

    Dry runs have rows of their own, so that none of them keeps the post from being published.

    """

    store: StateStore
    dag_id: str
    dry_run: bool = False

    def of(self, post: ScheduledPost) -> Assignment | None:
        """Return which run a post is assigned to."""
        return _read(ASSIGNMENT, self.store.get(self.row(post)))

    def assign(self, post: ScheduledPost, run: str) -> None:
        """Record that a run publishes this version of a post."""
        self._write(post, Assignment(post.key, run, post.version))

    def skip(self, post: ScheduledPost, user: str) -> None:
        """Record that no run publishes this version of a post, unless a user starts a run for it."""
        run = f"{self.dag_id}/skipped"  # no run has this name
        self._write(post, Assignment(post.key, run, post.version, settled=True, skipped_by=user))

    def bring_back(self, post: ScheduledPost) -> None:
        """Record that a run may publish a post again that a user skipped in this version."""
        found = self.of(post)
        if found is not None and found.is_skip_of(post):
            self._write(post, Assignment(post.key, "", post.version))

    def release(self, post: ScheduledPost, run: str) -> None:
        """Record that this run no longer publishes this version, so that another run may if the version returns."""
        if self.of(post) == Assignment(post.key, run, post.version):
            self._write(post, Assignment(post.key, "", post.version))

    def close(self, post: ScheduledPost, run: str) -> None:
        """Record that this run dropped this version for good, if the version was assigned to this run."""
        if self.of(post) == Assignment(post.key, run, post.version):
            self._write(post, Assignment(post.key, run, post.version, settled=True))

    def _write(self, post: ScheduledPost, assignment: Assignment) -> None:
        self.store.set(self.row(post), asdict(assignment))

    def row(self, post: ScheduledPost) -> str:
        """Return the key of a post's row."""
        if self.dry_run or post.dry_run:
            return row_key("calendar-dry", f"{self.dag_id}/{post.key}")
        return f"calendar:{post.key}"

    def late_time(self, post: ScheduledPost, *, any_version: bool = True) -> datetime | None:
        """Return the time that a late post has chosen.

        :param any_version: Whether to accept a time that an earlier version chose: that version may be live.
        """
        row = self.late_row(post)
        return row.at if row is not None and (any_version or row.version == post.version) else None

    def late_row(self, post: ScheduledPost) -> LateTime | None:
        """Return the time that a late post has chosen, and why."""
        return _read(LATE_TIME, self.store.get(f"calendar-late:{post.key}"))

    def record_late_time(self, post: ScheduledPost, at: datetime | None, **why: Any) -> None:
        """Record when a late post is published, and why; None if it has given up the time that it chose."""
        row = LateTime(post_key=post.key, version=post.version, at=at, **why)
        self.store.set(f"calendar-late:{post.key}", row.model_dump(mode="json", exclude_defaults=True))

    def forget_late_time(self, post: ScheduledPost) -> None:
        """Record that a late post is not published at the time it chose, which frees this time for others."""
        self.record_late_time(post, None)

    def last_time_without_calendar(self) -> tuple[str, datetime] | None:
        """Return the last post that chose a time while the calendar could not be read, and its time."""
        row = _read(LATE_TIME, self.store.get("calendar-late-blind"))
        return (row.post_key, row.at) if row is not None and row.at is not None else None

    def record_time_without_calendar(self, post: ScheduledPost, at: datetime) -> None:
        """Record the time of a late post that was chosen without knowledge of the other posts."""
        self.store.set("calendar-late-blind", {"post_key": post.key, "at": at.isoformat()})


def run_name(context: Context) -> str:
    """Return the name of a run as the rows contain it: ``dag_id/run_id``."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"
