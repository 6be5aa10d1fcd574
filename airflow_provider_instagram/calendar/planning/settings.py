"""The settings that the author of a DAG gives for its calendar."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from os import PathLike
from typing import Any, Final, Literal, TypeAlias, get_args

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import is_table
from airflow_provider_instagram.calendar.file.sheet import SheetForm, invalid_form
from airflow_provider_instagram.calendar.file.times import MAX_DURATION, in_words, read_duration
from airflow_provider_instagram.calendar.planning.stored_plan import (
    About,
    StoredPlan,
    plan_file,
    read_plan,
)
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files.old_files import kept_for
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.utils.arguments import in_quotes
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import is_web, shown

#: The parameter of a run of the planner that the Posts page starts for one post. Its user says
#: nothing of the file.
BY_HAND: Final = "by_hand"
FIRST_DELAY = timedelta(seconds=20)
#: The longest delay is a twelfth of ``max_lateness``, within these bounds: a post waits for it
#: after an outage.
SHORTEST_DELAY, LONGEST_DELAY = timedelta(minutes=1), timedelta(minutes=5)
#: Tries go on for so long after ``max_lateness``. The first one that starts then marks the post as
#: skipped.
EXTRA_RETRY_TIME = timedelta(days=1)
BACKOFF = 2.0


@dataclass(frozen=True)
class Retries:
    """The retries of a task, in the names of Airflow's arguments.

    Airflow uses up a retry for each try that cannot start, for example because the API server is
    down.
    """

    retries: int
    max_retry_delay: timedelta
    retry_delay: timedelta = FIRST_DELAY
    retry_exponential_backoff: float = BACKOFF

    @classmethod
    def spanning(
        cls, ahead: timedelta, max_lateness: timedelta, longest: timedelta = LONGEST_DELAY
    ) -> Retries:
        """Return the retries that last from the start of a run until its post is too late, and a day longer.

        :param ahead: How long before the post's time its run begins.
        :param longest: The longest delay, whatever ``max_lateness`` is.
        """
        delay = max(SHORTEST_DELAY, min(longest, max_lateness / 12))
        growing = math.ceil(math.log(delay / FIRST_DELAY, BACKOFF))  # retries with shorter delays
        return cls(growing + math.ceil((ahead + max_lateness + EXTRA_RETRY_TIME) / delay), delay)


Late: TypeAlias = Literal["publish", "skip"]
Approval: TypeAlias = Literal["required"]
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


@dataclass(frozen=True)
class CalendarSettings:
    """How a calendar is published; ``content_calendar_dag`` describes each setting.

    :param plan_file: Where its plan is kept.
    :param notify: What is called for each event; None tells nobody, and only problems are events of
        the asset.
    """

    dag_id: str
    calendar: str
    plan_file: str
    lead_time: timedelta = timedelta(hours=1)
    prepare_ahead: timedelta = timedelta(days=3)
    late: Late = "publish"
    max_lateness: timedelta = timedelta(hours=1)
    min_spacing: timedelta | None = None
    accounts: tuple[str, ...] = (DEFAULT_CONN_ID,)
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
        if not isinstance(calendar, (str, PathLike)) or not str(calendar).strip():
            raise _invalid(
                "calendar", calendar, "Give the path, the URI or the https address of the file."
            )
        calendar, notify = str(calendar), given.get("notify")
        given["notify"] = (
            notify if notify is None or isinstance(notify, (list, tuple)) else [notify]
        )
        if isinstance(ahead := given.get("prepare_ahead"), str):
            with suppress(InvalidValue):
                given["prepare_ahead"] = read_duration("prepare_ahead", ahead)
        for name, value in given.items():
            if (remedy := _remedy(name, value)) is not None:
                raise _invalid(name, value, remedy)
        if "accounts" in given:
            given["accounts"] = tuple(dict.fromkeys(given["accounts"]))
        if not is_table(calendar) and (given.get("columns") or given.get("defaults")):
            raise ValidationError(
                "columns and defaults of content_calendar_dag are for a sheet: an https:// address, or a CSV file.",
                hint="Leave them out: a file names its fields, and has defaults of its own.",
            )
        return cls(
            dag_id,
            calendar,
            plan_file(conf.get("instagram", "calendar_snapshots"), dag_id),
            **given,
        )

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
        return SheetForm(tuple(self.columns.items()), tuple({**own, **self.defaults}.items()))

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
        roots, release = conf.get("instagram", "media_roots"), version("airflow-provider-instagram")
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
        if (stored := read_plan(self.plan_file)) is None:
            raise TransientError(
                f"There is no plan of {self.location} where this worker looks for it.",
                hint=f"Unpause the DAG {planner_id(self.dag_id)}, which writes it. If workers run on several machines, "
                "set [instagram] calendar_snapshots to a folder that all of them share.",
            )
        return stored


def planner_id(dag_id: str) -> str:
    """Return the id of the DAG that plans a calendar."""
    return f"{dag_id}_plan"


def report_id(dag_id: str) -> str:
    """Return the id of the DAG that reports the problems of a calendar."""
    return f"{dag_id}_report"


def longest_ahead() -> timedelta:
    """Return how long before a post's time its preparation may begin: its result must not be old by then."""
    kept = kept_for()
    return MAX_PREPARE_AHEAD if kept is None else min(MAX_PREPARE_AHEAD, kept / 2 - PREPARED_MARGIN)


def _invalid(name: str, value: Any, remedy: str) -> ValidationError:
    return ValidationError(
        f"{name} of content_calendar_dag is {in_quotes(value)}, which is not valid.", hint=remedy
    )


def _remedy(name: str, value: Any) -> str | None:
    """Return what to give instead of the value of a setting; None if it is valid."""
    zero = timedelta(0)
    if name == "accounts":
        if not isinstance(value, (list, tuple, set, frozenset)) or not all(
            isinstance(one, str) for one in value
        ):
            return f'Write a list of connection ids: accounts=["{DEFAULT_CONN_ID}"].'
        if len({*value}) > MAX_ACCOUNTS:
            return (
                f"Name at most {MAX_ACCOUNTS} accounts, and make a second calendar for the others."
            )
    if name == "lead_time" and not (isinstance(value, timedelta) and zero < value <= MAX_LEAD_TIME):
        return "Give a timedelta of up to 23 h 29 min: a container expires after 24 h."
    if name == "prepare_ahead" and not (
        isinstance(value, timedelta) and zero <= value <= longest_ahead()
    ):
        return (
            f'Give a timedelta or a text such as "7 days", of {in_words(longest_ahead())} at most, or timedelta(0) to '
            "begin with the lead time. For more, raise [instagram] keep_results_days."
        )
    if name == "max_lateness" and not (isinstance(value, timedelta) and value >= zero):
        return "Give a timedelta."
    if name == "min_spacing" and not (
        value is None or (isinstance(value, timedelta) and zero <= value <= MAX_DURATION)
    ):
        return f"Give a timedelta of {MAX_DURATION.days} days at most, or None to go by the file."
    words = {"late": get_args(Late), "approval": (None, *get_args(Approval))}
    if name in words and value not in words[name]:
        return f"Use one of {', '.join(map(repr, words[name]))}."
    if name == "dry_run" and not isinstance(value, bool):
        return "Give True or False."
    if name == "notify" and not all(map(callable, value or ())):
        return "Give a notifier, a callable, or a list of them."
    if name in ("columns", "defaults"):
        return invalid_form(name, value)
    return None
