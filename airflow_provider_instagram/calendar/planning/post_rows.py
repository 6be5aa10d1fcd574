"""What is known of a calendar's post: rows on its account's ledger."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ValidationError

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.planning.begin_runs import ENDED
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import IN_THE_MAKING, OF_A_POST, row_key
from airflow_provider_instagram.ledger.records import AS_WRITTEN
from airflow_provider_instagram.ledger.seal import REPLACEABLE, of_another_version
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.seal import StateStore

log = logging.getLogger(__name__)
T = TypeVar("T", bound=BaseModel)
#: Why a run sends no request again that may have been sent.
OVERTAKEN: Final = Skipped(
    "edited", "The post was edited or removed before it was certain whether it is live."
)
#: Why a run publishes nothing that the planner does not know any more.
FORGOTTEN: Final = Skipped(
    "edited",
    "The planner does not know this run any more: its plan was lost, or the DAG did not name the account for a while.",
)
# What `ledger forget` and `ledger prune` may delete; the command imports this module.
_ANSWERS: Final = ("approval", "approval-of-dry-run", "void", "void-of-dry-run")
OF_A_POST.update(("begun", "skip", "late", *_ANSWERS))
IN_THE_MAKING.update(("planned", "prepared", *_ANSWERS))


class LateTime(BaseModel):
    """The row of the time that a late post has chosen.

    :param at: The time; None if the post has given it up.
    """

    at: AwareDatetime | None
    version: str


class Runs(BaseModel):
    """The row of a post's runs, which only the planner writes.

    :param runs: Its versions, by the ids of the runs that the planner has begun for them.
    """

    model_config = AS_WRITTEN

    runs: dict[str, str] = {}


class PlannedPost(BaseModel):
    """The row that says which run of a DAG publishes a post. Only the planner writes it.

    :param run: The id of the run. Empty if none publishes the post.
    :param is_dry: Whether it only makes a dry run.
    :param post: The post in the version of that run.
    :param location: Where its calendar was.
    :param pin: Where the file of the calendar was found.
    :param why: Why no run publishes it. With a run, that one still finds out whether it is live.
    :param generation: How often the planner had begun anew. If it has done so since, it does not
        know the run any more.
    """

    model_config = AS_WRITTEN

    run: str = ""
    is_dry: bool = False
    post: ScheduledPost | None = None
    location: str = ""
    pin: str | None = None
    why: Skipped | None = None
    generation: int = 0


class Skip(BaseModel):
    """The row of a post that a user decided not to publish.

    :param user: Who decided it; None if it was brought back.
    """

    model_config = AS_WRITTEN

    version: str
    user: str | None


@dataclass(frozen=True)
class PostRows:
    """The rows of a calendar's posts in a ledger."""

    store: StateStore

    def runs(self, key: str) -> dict[str, str]:
        """Return the versions of a post, by the runs that a planner has begun for them."""
        begun = read_row(self.store, Runs, row_key("begun", key))
        return begun.runs if begun is not None else {}

    def record_run(self, key: str, run_id: str, version: str) -> None:
        """Record which run the planner begins for a version of a post, also for a DAG with another name.

        :param version: ``ENDED`` if the run ends, with all others of its version.
        """
        runs = self.runs(key)
        before = runs.get(run_id)
        if before == version:
            return
        if version == ENDED:
            runs = {run: ENDED if its == before else its for run, its in runs.items()}
        self.store.set(row_key("begun", key), Runs(runs=runs | {run_id: version}).model_dump())

    def planned(self, dag_id: str, key: str) -> PlannedPost | None:
        """Return which run of a DAG publishes a post."""
        return read_row(self.store, PlannedPost, _planned_key(dag_id, key))

    def row_in_force(
        self, dag_id: str, key: str, run_id: str, generation: int
    ) -> PlannedPost | None:
        """Return the row of a post. A run that the planner has forgotten finds why it ends, and others find no row.

        :param generation: How often the planner has begun anew, as it was read before.
        """
        row = self.planned(dag_id, key)
        if row is None or not row.run or row.generation >= generation:
            return row
        return row.model_copy(update={"why": FORGOTTEN}) if row.run == run_id else None

    def record_planned(self, dag_id: str, key: str, planned: PlannedPost) -> None:
        """Record which run of a DAG publishes a post."""
        if planned != self.planned(dag_id, key):
            content = planned.model_dump(mode="json", exclude_defaults=True)
            self.store.set(_planned_key(dag_id, key), content)

    def record_overtaken(self, dag_id: str, key: str) -> None:
        """Record that a post was edited or removed before its run knows whether it is live."""
        planned = self.planned(dag_id, key)
        if planned is not None:
            self.record_planned(dag_id, key, planned.model_copy(update={"why": OVERTAKEN}))

    def skipped_by(self, post: ScheduledPost) -> str | None:
        """Return the user that decided that this version of a post is not published."""
        row = read_row(self.store, Skip, row_key("skip", post.key))
        return row.user if row is not None and row.version == post.version else None

    def record_skip(self, post: ScheduledPost, user: str | None) -> None:
        """Record that a user decided that this version is not published, or None if it is brought back."""
        row = Skip(version=post.version, user=user)
        self.store.set(row_key("skip", post.key), row.model_dump())

    def late_time(self, post: ScheduledPost, *, any_version: bool = True) -> datetime | None:
        """Return the time that a late post has chosen.

        :param any_version: Whether to accept a time that an earlier version chose: that version may
            be live.
        """
        row = read_row(self.store, LateTime, row_key("late", post.key))
        return row.at if row is not None and (any_version or row.version == post.version) else None

    def record_late_time(self, post: ScheduledPost, at: datetime | None) -> None:
        """Record when a late post is published. None frees the time that it chose for others."""
        row = LateTime(version=post.version, at=at)
        self.store.set(row_key("late", post.key), row.model_dump(mode="json"))


def _planned_key(dag_id: str, key: str) -> str:
    """Return the key of a row that each calendar has for itself: two may have a post with the same id."""
    return row_key("planned", f"{key}:{dag_id}")


def read_row(store: StateStore, kind: type[T], key: str) -> T | None:
    """Return what a row of a post contains. A malformed one that decides nothing about the post counts as none.

    :raises LedgerRowError: If no task of this version has written it.
    """
    row = store.get(key)
    if not row:
        return None
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        row_kind, _, post_key = key.partition(":")
        if row_kind not in REPLACEABLE:
            raise of_another_version(key, ledger_asset(post_key.partition("/")[0]).uri) from None
        what = error.errors(include_input=False, include_url=False)
        log.warning("The row %s is malformed: %s", key, what)
        return None
