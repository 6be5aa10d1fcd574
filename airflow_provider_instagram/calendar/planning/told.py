"""Rows of a calendar's own asset: its last plan, problems and previews, and what was told of its posts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias
from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_provider_instagram.calendar.file.problems import Problem

if TYPE_CHECKING:
    from typing_extensions import Self

#: The key of the row of problems.
RECORD: Final = "problems"
#: The key of the row of the last plan.
LAST_PLAN: Final = "plan"
#: The key of the row of previews.
PREVIEWS: Final = "previews"
#: The row contains at most so many problems that the plan does not have.
MOST_FOUND: Final = 100

log = logging.getLogger(__name__)


def events_asset(dag_id: str) -> Asset:
    """Return the asset that has an event for what people should know of a calendar, and the rows of what was told."""
    return _asset(dag_id, "events")


def due_asset(dag_id: str) -> Asset:
    """Return the asset that has an event when the planner of a calendar has something to do."""
    return _asset(dag_id, "due")


def looked_asset(dag_id: str) -> Asset:
    """Return the asset that has an event when the planner of a calendar has read its file."""
    return _asset(dag_id, "looked")


def _asset(dag_id: str, what: str) -> Asset:
    uri = f"instagram://calendar/{quote(dag_id)}/{what}"
    return Asset(name=uri, uri=uri)


def events_alias(dag_id: str) -> AssetAlias:
    """Return the alias through which a task emits such an event, only if it has something to tell."""
    return AssetAlias(events_asset(dag_id).uri)


class Row(BaseModel):
    """A row that a user with rights may write."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return what a row contains. A malformed one contains nothing."""
        try:
            return cls.model_validate(row or {})
        except ValidationError as error:
            log.warning("A row of what is known of a calendar is damaged: %s", error)
            return cls()


class LastPlan(Row):
    """The row that tells the last plan from all earlier ones. Only the planner writes it.

    :param mark: What that plan is marked with. Each change of its runs has another mark.
    :param generation: How often the planner has begun anew, without what it knew of its runs.
    :param taken: The last number of a generation that rows may have, also of a look that has died.
    """

    mark: str = ""
    generation: int = 0
    taken: int = 0


class Preview(BaseModel):
    """The picture of a post that was made before its preparation.

    :param at: When it was made, in seconds since the epoch.
    :param says: What is lost of the picture, or why there is none.
    :param is_there: Whether it could be made.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    at: int
    says: str = ""
    is_there: bool = True


class PreviewRecord(Row):
    """The row of the pictures, by the versions of their posts."""

    previews: dict[str, Preview] = {}


class ProblemRecord(Row):
    """The row about the problems of a calendar.

    :param told: The keys of the problems that have been told and still exist, each with whether the
        notifiers worked.
    :param found: The problems that the last run found and the plan does not have, such as a missing
        file.
    """

    told: dict[str, bool] = {}
    found: tuple[Problem, ...] = ()


class PostRecord(Row):
    """The row about a post, whose key begins with ``told:``.

    :param version: The version of the post that this is about.
    :param told: The events that have been told of it, each with whether the notifiers worked.
    """

    version: str = ""
    told: dict[str, bool] = {}
