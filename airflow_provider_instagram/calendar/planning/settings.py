"""The settings that the author of a DAG gives for its calendar."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, replace
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from os import PathLike
from typing import Annotated, Any, Final, Literal, TypeAlias

from airflow.sdk import conf
from pydantic import ConfigDict, Field
from pydantic import ValidationError as PydanticError
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.calendar.file.reader import is_table
from airflow_provider_instagram.calendar.file.sheet import SheetForm, wrong_column, wrong_default
from airflow_provider_instagram.calendar.file.times import MAX_DURATION, in_words
from airflow_provider_instagram.calendar.planning.lateness import PUNCTUAL
from airflow_provider_instagram.calendar.planning.stored_plan import (
    About,
    StoredPlan,
    plan_file,
)
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files.old_files import kept_for
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.utils.arguments import in_quotes
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import is_web, shown, shown_in

#: The parameter of a run of the planner that the Posts page starts for one post. Its user says
#: nothing of the file.
BY_HAND: Final = "by_hand"
FIRST_DELAY = timedelta(seconds=20)
#: The longest delay is a twelfth of ``max_lateness``, within these bounds: a post waits for it
#: after an outage.
SHORTEST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(minutes=5)
#: Tries go on for so long after ``max_lateness``. The first one that starts then marks the post as
#: skipped.
EXTRA_RETRY_TIME = timedelta(days=1)
BACKOFF = 2.0


def retries_spanning(
    ahead: timedelta, max_lateness: timedelta, longest: timedelta
) -> dict[str, Any]:
    """Return the retries that last from the start of a run until its post is too late, and a day longer.

    Airflow uses up a retry for each try that cannot start, for example because the API server is
    down.

    :param ahead: How long before the post's time its run begins.
    :param longest: The longest delay, whatever ``max_lateness`` is.
    :return: The arguments of a task.
    """
    delay = max(SHORTEST_DELAY, min(longest, max_lateness / 12))
    growing = math.ceil(math.log(delay / FIRST_DELAY, BACKOFF))  # retries with shorter delays
    return {
        "retries": growing + math.ceil((ahead + max_lateness + EXTRA_RETRY_TIME) / delay),
        "retry_delay": FIRST_DELAY,
        "max_retry_delay": delay,
        "retry_exponential_backoff": BACKOFF,
    }


Late: TypeAlias = Literal["publish", "skip"]
Approval: TypeAlias = Literal["required"]
ZERO: Final = timedelta(0)
#: A container that is created a lead time ahead must not expire, also if clocks differ by a minute.
MAX_LEAD_TIME = CONTAINER_LIFE - EXPIRY_MARGIN - timedelta(minutes=1)
#: Half of the time for which a result is kept, less this, is the longest time between a preparation
#: and its post: up to an hour until the run begins, the lead time, and a day in which Instagram may
#: fetch the result.
PREPARED_MARGIN = timedelta(hours=30)
MAX_PREPARE_AHEAD = timedelta(days=30)
#: Each task names the ledger of each account: Airflow stores 0.4 MB for a DAG with 200 of them, and
#: 2 MB for 1,000.
MAX_ACCOUNTS = 200
#: What to give instead of an invalid argument.
REMEDIES: Final = {
    "calendar": "Give the path, the URI or the https address of the file.",
    "lead_time": "Give a timedelta of up to 23 h 29 min: a container expires after 24 h.",
    "prepare_ahead": "Give a timedelta of {longest} at most, or timedelta(0) to begin with "
    "the lead time. For more, raise [instagram] keep_results_days.",
    "late": "Use 'publish' or 'skip'.",
    "max_lateness": "Give a timedelta of at least a minute: so long, a post counts as punctual.",
    "min_spacing": f"Give a timedelta of {MAX_DURATION.days} days at most, or None to go by the file.",
    "accounts": f'Write a list of at most {MAX_ACCOUNTS} connection ids: accounts=["{DEFAULT_CONN_ID}"]. For others, '
    "make a second calendar.",
    "approval": "Use 'required', or leave it out.",
    "dry_run": "Give True or False.",
    "notify": "Give a notifier, a callable, or a list of them.",
    "columns": "Give a dict of texts.",
    "defaults": "Give a dict of texts.",
}


@dataclass(frozen=True, config=ConfigDict(strict=True, arbitrary_types_allowed=True))
class CalendarSettings:
    """How a calendar is published; ``content_calendar_dag`` describes each setting.

    :param plan_file: Where its plan is kept.
    :param notify: What is called for each event; None tells nobody, and only problems are events of
        the asset.
    """

    dag_id: str
    calendar: Annotated[str, Field(pattern=r"\S")]
    plan_file: str
    lead_time: Annotated[timedelta, Field(gt=ZERO, le=MAX_LEAD_TIME)] = timedelta(hours=1)
    prepare_ahead: Annotated[timedelta, Field(ge=ZERO)] = timedelta(days=3)
    late: Late = "publish"
    max_lateness: Annotated[timedelta, Field(ge=PUNCTUAL)] = timedelta(hours=1)
    min_spacing: Annotated[timedelta, Field(ge=ZERO, le=MAX_DURATION)] | None = None
    accounts: Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_ACCOUNTS)] = (
        DEFAULT_CONN_ID,
    )
    approval: Approval | None = None
    dry_run: bool = False
    notify: Sequence[Callable[[Any], Any]] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, dag_id: str, calendar: str | PathLike[str], **given: Any) -> CalendarSettings:
        """Return the settings.

        :raises ValidationError: If one is invalid. Airflow shows that as an import error of the DAG
            file.
        """
        given["calendar"] = str(calendar) if isinstance(calendar, PathLike) else calendar
        if callable(given.get("notify")):
            given["notify"] = [given["notify"]]
        try:
            settings = cls(
                dag_id,
                plan_file=plan_file(conf.get("instagram", "calendar_snapshots"), dag_id),
                **given,
            )
        except PydanticError as error:
            name = str(error.errors()[0]["loc"][0])
            raise _invalid(name, given[name]) from None
        if settings.prepare_ahead > longest_ahead():
            raise _invalid("prepare_ahead", settings.prepare_ahead)
        settings.check_sheet()
        return replace(settings, accounts=tuple(dict.fromkeys(settings.accounts)))

    def check_sheet(self) -> None:
        """Check how a sheet is read."""
        if not is_table(self.calendar) and (self.columns or self.defaults):
            raise ValidationError(
                "columns and defaults of content_calendar_dag are for a sheet: an https:// address, or a CSV file.",
                hint="Leave them out: a file names its fields, and has defaults of its own.",
            )
        if remedy := wrong_column(self.columns):
            raise _invalid("columns", self.columns, remedy)
        if remedy := wrong_default(self.defaults):
            raise _invalid("defaults", self.defaults, remedy)

    @property
    def location(self) -> str:
        """The calendar's file, without the query of an address."""
        return shown(self.calendar) if is_web(self.calendar) else self.calendar

    @property
    def sheet(self) -> SheetForm | None:
        """How the calendar is read if it is a sheet on the web or a CSV file; None if it is another file."""
        if not is_table(self.calendar):
            return None
        own = {"account": self.accounts[0]} if len(self.accounts) == 1 else {}
        return SheetForm(self.columns, {**own, **self.defaults})

    @property
    def work_ahead(self) -> timedelta:
        """How long before a post's time its run begins."""
        return max(self.prepare_ahead, self.lead_time)

    @cached_property
    def digest(self) -> str:
        """A digest of all settings on which the plan depends, and of this release."""
        given: dict[str, Any] = {one.name: repr(getattr(self, one.name)) for one in fields(self)}
        del given["notify"]
        given["accounts"] = sorted(self.accounts)  # a set has another order in each process
        roots = conf.get("instagram", "media_roots")
        release = version("airflow-provider-instagram")
        return hashlib.sha256(canonical([given, roots, release]).encode()).hexdigest()[:32]

    def about(self) -> About:
        """Return what a page needs to know of the DAG."""
        return About(
            lead_time=self.lead_time,
            max_lateness=self.max_lateness,
            prepare_ahead=self.work_ahead,
            is_dry=self.dry_run,
            min_spacing=self.min_spacing,
            approval=self.approval,
            accounts=self.accounts,
        )

    def stored(self) -> StoredPlan:
        """Read the plan that the planner has stored.

        :raises TransientError: If there is none here, or its storage does not answer.
        """
        stored = StoredPlan.read(self.plan_file)
        if stored is None:
            raise TransientError(
                f"There is no plan of {self.location} where this worker looks for it.",
                hint=f"Unpause the DAG {planner_id(self.dag_id)}, which writes it. If workers run on several machines, "
                "set [instagram] calendar_snapshots to a folder that all of them share.",
            )
        return stored


def planner_id(dag_id: str) -> str:
    """Return the id of the DAG that plans a calendar."""
    return f"{dag_id}_plan"


def longest_ahead() -> timedelta:
    """Return how long before a post's time its preparation may begin: its result must not be old by then."""
    kept = kept_for()
    return MAX_PREPARE_AHEAD if kept is None else min(MAX_PREPARE_AHEAD, kept / 2 - PREPARED_MARGIN)


def _invalid(name: str, value: Any, remedy: str = "") -> ValidationError:
    hint = remedy or REMEDIES[name].format(longest=in_words(longest_ahead()))
    message = f"{name} of content_calendar_dag is {in_quotes(value)}, which is not valid."
    return ValidationError(message, hint=shown_in(hint))
