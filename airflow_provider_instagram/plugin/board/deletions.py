"""The deletions of posts that users ask for on the page: runs of the DAG that ``[instagram] deletion_dag`` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from airflow.configuration import conf

#: How the ids of these runs begin. What follows is the account, the post and a number. None of them contains a tilde.
PREFIX: Final = "delete~"
ENDED: Final = ("success", "failed", "upstream_failed", "skipped", "removed")


@dataclass(frozen=True)
class Deletion:
    """The last run that deletes a post, or asks whether to.

    :param number: How many such runs the post has had.
    :param until: Until when a person can answer.
    """

    run_id: str
    state: str | None
    number: int = 1
    outcome: Mapping[str, Any] | None = None
    until: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ENDED

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's yes."""
        return self.state == "awaiting_input"

    @property
    def is_unknown(self) -> bool:
        """Whether it could not be determined if the post is gone."""
        return self.state == "failed" and (self.outcome or {}).get("mark") == "OutcomeUnknownError"


def deletion_dag() -> str:
    """Return the id of the DAG that deletes posts; empty if nobody can delete on the page."""
    return conf.get("instagram", "deletion_dag", fallback="").strip()


def run_id_of(account: str, post_id: str, number: int) -> str:
    """Return the id of a run that deletes a post. Of two requests with one number, Airflow refuses one."""
    return f"{PREFIX}{account}~{post_id}~{number}"
