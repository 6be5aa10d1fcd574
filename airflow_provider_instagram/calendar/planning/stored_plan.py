"""The plan of a calendar as its file keeps it, for the planner, the tasks of its posts, and the Posts page."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from airflow_provider_instagram.calendar.planning.begin_runs import Plan
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from typing_extensions import Self

#: Why a file cannot be read until a person changes something.
LASTING: Final = (PermissionError, NotADirectoryError, IsADirectoryError, ValidationError)

log = logging.getLogger(__name__)


class Stored(BaseModel):
    """A file that the planner writes beside others of its kind. Its text may contain signed links."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    #: From 0.2.0 on, two later releases read each form.
    form: Literal[1] = 1

    def as_content(self) -> bytes:
        """Return the content of the file."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps({"form": self.form, **content}).encode()

    @classmethod
    def read(cls, file: str) -> Self | None:
        """Read such a file. None if there is none, or if it is damaged, which must not end its DAG.

        :raises TransientError: If its storage does not answer.
        """
        name = shown(file)
        try:
            content = storage.read(file)
        except Exception as error:  # each storage has errors of its own
            why = f"{type(error).__name__}: {shown(str(error))}"
            if isinstance(error, LASTING):
                log.warning("%s cannot be read (%s)", name, why)
                return None
            raise TransientError(
                f"The plan {name} cannot be read ({why}).",
                hint="Check the storage that [instagram] calendar_snapshots names. The task goes on when it "
                "answers again.",
            ) from error
        try:
            return None if content is None else cls.model_validate_json(content)
        except ValueError as error:
            why = shown(str(error))
            log.warning("The file %s is damaged, or another version has written it: %s", name, why)
            return None


class About(BaseModel):
    """What a page needs to know of a calendar's DAG, beside its posts."""

    model_config = ConfigDict(frozen=True)

    lead_time: timedelta
    max_lateness: timedelta
    prepare_ahead: timedelta
    is_dry: bool = False
    min_spacing: timedelta | None = None
    approval: str | None = None
    accounts: tuple[str, ...] = ()


class StoredPlan(Stored):
    """The last plan of a calendar, and the text that it was read from.

    :param location: Where its file was.
    :param text: The last text that could be read.
    :param at: When the planner looked.
    :param made_of: A digest of all that the posts depend on; None if they must be read from the
        text each time.
    :param lost_at: Since when the file does not count because most of its posts have vanished.
    :param mark: What tells it from all earlier plans. Empty if the planner has to begin anew.
    """

    location: str
    text: str = ""
    at: AwareDatetime
    plan: Plan
    about: About
    made_of: str | None = None
    lost_at: AwareDatetime | None = None
    mark: str = ""


class Due(Stored):
    """When the planner has to look again. The trigger that wakes it reads this small file every few seconds.

    :param calendar: The calendar's file, or the whole address of a sheet.
    :param pin: Where the calendar was found.
    :param settings: A digest of the DAG's settings at the last look.
    :param content: The digest of the file; None if it could not be read.
    :param at: When it is to look although nothing has changed, in seconds since the epoch.
    """

    calendar: str
    pin: str | None = None
    settings: str
    content: str | None
    at: float


def plan_file(folder: str, dag_id: str) -> str:
    """Return the file of a DAG's plan. It outlasts a calendar that moves."""
    return f"{folder.rstrip('/')}/{hashlib.sha256(dag_id.encode()).hexdigest()[:32]}.plan.json"


def due_file(file: str) -> str:
    """Return the file that says when the planner of a plan has to look again."""
    return f"{file.removesuffix('.plan.json')}.due.json"


def store(file: str, stored: Stored) -> None:
    """Write a file.

    :raises TransientError: If it cannot be written.
    """
    try:
        storage.write(file, stored.as_content())
    except Exception as error:
        raise TransientError(
            f"The folder {shown(file.rpartition('/')[0])} cannot be written to ({shown(str(error))}).",
            hint="Make it writable for Airflow, or name another in [instagram] calendar_snapshots.",
        ) from error
