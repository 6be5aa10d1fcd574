"""What keeps posts from going on although nothing is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: What a task needs beside the scheduler to go on, by its state. Without one, the planner has to start a run.
NEEDED_IN: Final[dict[str | None, tuple[str, ...]]] = {
    None: ("worker", "triggerer"),
    "queued": ("worker",),
    "deferred": ("triggerer",),
}


@dataclass(frozen=True)
class Away:
    """A part of Airflow that stands still.

    :param what: ``scheduler``, ``triggerer``, ``DAG processor`` or ``worker``.
    :param since: When it was heard of last; None if never. For workers: since when a task waits for one.
    """

    what: str
    since: datetime | None


@dataclass(frozen=True)
class Standstill:
    """What keeps all posts of a calendar from going on."""

    is_paused: bool = False
    is_lost: bool = False
    away: frozenset[str] = frozenset()

    def why(self, task_state: str | None) -> str:
        """Return why a task in a state does not go on, or an empty text."""
        if self.is_paused:
            return "its calendar is paused"
        if self.is_lost:
            return "Airflow cannot read its DAG file"
        needed = ("scheduler", *NEEDED_IN.get(task_state, ()))
        stands = next((one for one in needed if one in self.away), "")
        return f"Airflow's {stands} stands still" if stands else ""


NOTHING: Final = Standstill()
