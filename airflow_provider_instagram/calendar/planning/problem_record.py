"""Which problems of a calendar have been reported, and those that only a worker finds: a row of an asset of its own."""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias
from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_provider_instagram.calendar.file.problems import Problem

#: The key of the row.
RECORD: Final = "problems"
#: The row contains at most so many problems that only a worker finds.
MOST_FOUND: Final = 100

log = logging.getLogger(__name__)


def problems_asset(dag_id: str) -> Asset:
    """Return the asset that has an event for the new problems of a calendar, and the row of its problems."""
    uri = f"instagram://calendar/{quote(dag_id)}/problems"
    return Asset(name=uri, uri=uri)


def problems_alias(dag_id: str) -> AssetAlias:
    """Return the alias through which the task ``calendar`` emits this event, only if a problem is new."""
    return AssetAlias(problems_asset(dag_id).uri)


class ProblemRecord(BaseModel):
    """The row.

    :param told: The keys of the problems that have been reported and still exist, each with whether the callbacks
        succeeded.
    :param found: The problems that the last run found and the DAG processor cannot find, such as a missing object.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    told: dict[str, bool] = {}
    found: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, row: Any) -> ProblemRecord:
        """Return what a row contains. A malformed one contains nothing: a user with rights may write it."""
        try:
            return cls.model_validate(row or {})
        except ValidationError as error:
            log.warning("The row of the reported problems is damaged: %s", error)
            return cls()
