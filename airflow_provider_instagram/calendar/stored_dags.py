"""The DAGs that are content calendars, as Airflow's database has them, and their snapshots."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dag import DagModel
from airflow.models.serialized_dag import SerializedDagModel
from pydantic import TypeAdapter
from sqlalchemy import select

from airflow_provider_instagram.calendar.file.parser import Rules
from airflow_provider_instagram.calendar.file.problems import Problem  # noqa: TC001 -- pydantic resolves it
from airflow_provider_instagram.calendar.planning.slot_choices import choices_file, read_choices
from airflow_provider_instagram.calendar.planning.snapshot import SLOTS
from airflow_provider_instagram.calendar.planning.stored_snapshot import Snapshot, read_stored
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.locations import is_local, local_path, shown

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_instagram.calendar.file.slots import Choice

TIMETABLE: Final = "ContentCalendarTimetable"
#: How long a snapshot is not asked for after its storage has failed.
RETRY_AFTER_S: Final = 10.0
#: When a folder of snapshots did not answer. The snapshots of the other calendars would be waited for as long.
_hung_s: Final[dict[str, float]] = {}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalendarDag:
    """A DAG that is a content calendar.

    :param problems: What is wrong with its settings, or with a file that cannot be read.
    :param min_spacing: The distance between two posts that its author requires; None for that of the file.
    :param approval: ``required`` if its author requires an approval of each post.
    """

    dag_id: str
    name: str
    is_paused: bool
    location: str
    snapshot: str
    lead_time: timedelta
    max_lateness: timedelta
    is_dry: bool
    problems: tuple[Problem, ...] = ()
    accounts: tuple[str, ...] = ()
    min_spacing: timedelta | None = None
    approval: str | None = None

    def rules(self, text: str) -> Rules:
        """Return what the DAG requires of its calendar, to check a text of it."""
        times: dict[str, Choice] = {}
        if SLOTS in text:
            file = choices_file(self.snapshot.rpartition("/")[0], self.location)
            times = read_choices(file, storage.read).chosen
        return Rules(min_spacing=self.min_spacing, accounts=self.accounts, approval=self.approval, times=times)


CALENDAR_DAG: Final = TypeAdapter(CalendarDag)


@dataclass
class Calendars:
    """Finds the calendars among Airflow's DAGs. A serialized DAG is read again only when it has changed."""

    _settings: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def all(self, session: Session) -> list[CalendarDag]:
        """Return the calendars whose DAG exists, by id."""
        model, stored = DagModel, SerializedDagModel
        display_name: Any = model.dag_display_name  # its type is that of a DAG, not that of the table
        rows = session.execute(
            select(model.dag_id, display_name, model.is_paused)
            .where(~model.is_stale, model.timetable_type.endswith(TIMETABLE))
            .order_by(model.dag_id)
        ).all()
        versions = session.execute(
            select(stored.dag_id, stored.dag_hash)
            .where(stored.dag_id.in_([dag_id for dag_id, *_ in rows]))
            .order_by(stored.created_at)
        )
        hashes = {dag_id: dag_hash for dag_id, dag_hash in versions}  # noqa: C416 -- the last version counts
        return [
            CALENDAR_DAG.validate_python({**settings, "dag_id": dag_id, "name": name, "is_paused": is_paused})
            for dag_id, name, is_paused in rows
            if dag_id in hashes and (settings := self._of(session, dag_id, hashes[dag_id]))
        ]

    def _of(self, session: Session, dag_id: str, dag_hash: str) -> dict[str, Any]:
        """Return what a DAG has stored for pages: nothing, if only its timetable is a calendar's."""
        known_hash, settings = self._settings.get(dag_id, ("", {}))
        if known_hash != dag_hash:
            serialized: Any = SerializedDagModel.get(dag_id, session=session)
            settings = serialized.dag.timetable.calendar
            self._settings[dag_id] = (dag_hash, settings)
        return settings


@dataclass
class SnapshotReader:
    """Reads the snapshot of a calendar, and parses it only if it has changed."""

    _state: Any = None
    _content: bytes | None = None
    _stored: Snapshot | None = None
    _failed_s: float = -1e9

    def read(self, calendar: CalendarDag) -> Snapshot | None:
        """Return the snapshot, or None if it does not exist here."""
        folder = calendar.snapshot.rpartition("/")[0]
        if time.monotonic() - max(self._failed_s, _hung_s.get(folder, self._failed_s)) < RETRY_AFTER_S:
            return self._stored
        try:
            state = (calendar.snapshot, _file_state(calendar.snapshot))
            if state == self._state and state[1] is not None:
                return self._stored
            content = storage.read(calendar.snapshot)
            if content != self._content:
                self._stored = None if content is None else read_stored(content)
            self._state, self._content = state, content
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; what was read before is shown
            log.warning("The snapshot %s cannot be read: %s", shown(calendar.snapshot), shown(str(error)))
            self._failed_s = time.monotonic()
            if isinstance(error, TimeoutError):
                _hung_s[folder] = self._failed_s
        return self._stored


def _file_state(snapshot: str) -> tuple[int, int, int] | None:
    """Return what changes with a local file, or None if it does not exist or is not local."""
    if not is_local(snapshot):
        return None
    try:
        status = local_path(snapshot).stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
