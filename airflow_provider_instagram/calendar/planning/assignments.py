"""Which run brings a post: the rows that runs of a calendar leave for each other on an account's ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_instagram.ledger.ledger import row_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.parser import Post
    from airflow_provider_instagram.ledger.ledger import StateStore


@dataclass(frozen=True)
class Assignment:
    """Which run brings a post, in which version. An edit is taken anew, by a run of its own.

    :param post_key: The post.
    :param run: The run, as ``dag_id/run_id``; empty when it gave the post back.
    :param version: The version.
    :param settled: Whether the run let go of it for good: rejected by a person, or too late.
    """

    post_key: str
    run: str
    version: str
    settled: bool = False

    def of_another_dag(self, run: str) -> bool:
        """Return whether another DAG than that of a run took the post, for example under an earlier name of the DAG."""
        return bool(self.run) and self.run.partition("/")[0] != run.partition("/")[0]


@dataclass
class Assignments:
    """Who takes what, on the rows of an account's ledger.

    Rehearsals have rows of their own: none keeps the post itself from going out.

    :param store: The ledger's rows.
    :param dag_id: The DAG.
    :param dry_run: Whether the DAG only rehearses its posts.
    """

    store: StateStore
    dag_id: str
    dry_run: bool = False

    def of(self, post: Post) -> Assignment | None:
        """Read who takes a post."""
        row = self.store.get(self._row(post))
        return Assignment(**row) if row else None

    def assign(self, post: Post, run: str) -> None:
        """Record that a run takes this version of a post."""
        self.store.set(self._row(post), asdict(Assignment(post.key, run, post.version)))

    def release(self, post: Post, run: str) -> None:
        """Record that this run no longer takes this version, so that another run may take it if it returns."""
        if self.of(post) == Assignment(post.key, run, post.version):
            self.store.set(self._row(post), asdict(Assignment(post.key, "", post.version)))

    def close(self, post: Post, run: str) -> None:
        """Record that this run dropped this version for good, if this run had taken it."""
        if self.of(post) == Assignment(post.key, run, post.version):
            self.store.set(self._row(post), asdict(Assignment(post.key, run, post.version, settled=True)))

    def _row(self, post: Post) -> str:
        if self.dry_run or post.dry_run:
            return row_key("calendar-dry", f"{self.dag_id}/{post.key}")
        return f"calendar:{post.key}"

    def late_time(self, post: Post, *, edited: bool = True) -> datetime | None:
        """Read when a late post goes out.

        :param edited: Whether the time counts that the post had chosen before an edit: it may have gone out then.
        """
        row = self.store.get(f"calendar-late:{post.key}")
        chosen = row and row["at"] and (edited or row["version"] == post.version)
        return datetime.fromisoformat(row["at"]) if chosen else None

    def last_blind(self) -> tuple[str, datetime] | None:
        """Read which post was the last to choose a time while the calendar could not be read, and which time."""
        row = self.store.get("calendar-late-blind")
        return (row["post_key"], datetime.fromisoformat(row["at"])) if row else None

    def record_blind(self, post: Post, at: datetime) -> None:
        """Record the time of a late post that was chosen without knowledge of the other posts."""
        self.store.set("calendar-late-blind", {"post_key": post.key, "at": at.isoformat()})

    def record_late_time(self, post: Post, at: datetime) -> None:
        """Record when a late post goes out."""
        row = {"post_key": post.key, "version": post.version, "at": at.isoformat()}
        self.store.set(f"calendar-late:{post.key}", row)

    def forget_late_time(self, post: Post) -> None:
        """Record that a late post does not go out, which frees its time for others."""
        self.store.set(f"calendar-late:{post.key}", {"post_key": post.key, "version": post.version, "at": None})


def run_name(context: Context) -> str:
    """Name a run as the rows do: ``dag_id/run_id``."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"
