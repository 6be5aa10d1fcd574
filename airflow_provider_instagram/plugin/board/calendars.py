"""The DAGs that are content calendars, with what their timetables and snapshots say about them."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dag import DagModel
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import select

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.planning.snapshot import Stored, read_stored
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.locations import is_local, local_path, shown

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TIMETABLE: Final = "ContentCalendarTimetable"
#: How long a snapshot is not asked for after its storage has failed.
RETRY_AFTER_S: Final = 10.0
#: When a folder of snapshots did not answer. The snapshots of the other calendars would be waited for as long.
_hung_s: Final[dict[str, float]] = {}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalendarDag:
    """A DAG that is a content calendar.

    :param dag_id: Its id.
    :param name: The name that Airflow shows.
    :param is_paused: Whether it is paused.
    :param location: The calendar's file.
    :param snapshot: Where its last readable version is stored.
    :param lead_time: How long before a post's time its run begins.
    :param max_lateness: How late a post may still be published.
    :param is_dry: Whether the DAG only makes dry runs.
    :param problems: What is wrong with its settings, or with a file that cannot be read.
    :param accounts: The connections that its author named.
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


@dataclass
class Calendars:
    """Finds the calendars among Airflow's DAGs. A serialized DAG is read again only when it has changed."""

    _settings: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, session: Session) -> list[CalendarDag]:
        """Return the calendars whose DAG exists, by id. Those that an earlier release stored are not known."""
        with self._lock:
            rows = session.execute(
                select(
                    DagModel.dag_id, DagModel._dag_display_property_value, DagModel.is_paused, DagModel.last_parsed_time
                )
                .where(~DagModel.is_stale, DagModel.timetable_type.endswith(TIMETABLE))
                .order_by(DagModel.dag_id)
            ).all()
            hashes = self._hashes(session, [dag_id for dag_id, *_ in rows])
            found = []
            for dag_id, name, is_paused, _ in rows:
                settings = self._of(session, dag_id, hashes.get(dag_id, ""))
                if settings.get("snapshot"):
                    found.append(_calendar(dag_id, name or dag_id, bool(is_paused), settings))
            return found

    def _hashes(self, session: Session, dag_ids: list[str]) -> dict[str, str]:
        rows = session.execute(
            select(SerializedDagModel.dag_id, SerializedDagModel.dag_hash)
            .where(SerializedDagModel.dag_id.in_(dag_ids))
            .order_by(SerializedDagModel.created_at)
        )
        return {dag_id: dag_hash for dag_id, dag_hash in rows}  # noqa: C416 -- the last version counts

    def _of(self, session: Session, dag_id: str, dag_hash: str) -> dict[str, Any]:
        known = self._settings.get(dag_id)
        if known is not None and known[0] == dag_hash:
            return known[1]
        stored = session.scalar(
            select(SerializedDagModel)
            .where(SerializedDagModel.dag_id == dag_id)
            .order_by(SerializedDagModel.created_at.desc())
            .limit(1)
        )
        data: dict[str, Any] = (stored.data or {}) if stored is not None else {}
        settings = data.get("dag", {}).get("timetable", {}).get("__var", {}).get("calendar") or {}
        self._settings[dag_id] = (dag_hash, settings)
        return dict(settings)


def _calendar(dag_id: str, name: str, is_paused: bool, settings: dict[str, Any]) -> CalendarDag:
    return CalendarDag(
        dag_id=dag_id,
        name=name,
        is_paused=is_paused,
        location=settings["location"],
        snapshot=settings["snapshot"],
        lead_time=timedelta(seconds=settings["lead_s"]),
        max_lateness=timedelta(seconds=settings["max_lateness_s"]),
        is_dry=bool(settings["dry_run"]),
        problems=tuple(Problem(**problem) for problem in settings["problems"]),
        accounts=tuple(settings.get("accounts", ())),
    )


@dataclass
class SnapshotReader:
    """Reads the snapshot of a calendar, and parses it only if it has changed."""

    _state: Any = None
    _content: bytes | None = None
    _stored: Stored | None = None
    _failed_s: float = -1e9

    def read(self, calendar: CalendarDag) -> Stored | None:
        """Return the snapshot, or None if it does not exist here.

        :param calendar: The calendar.
        """
        folder = calendar.snapshot.rpartition("/")[0]
        if time.monotonic() - max(self._failed_s, _hung_s.get(folder, self._failed_s)) < RETRY_AFTER_S:
            return self._stored
        try:
            state = (calendar.snapshot, _file_state(calendar.snapshot))
            if state == self._state and state[1] is not None:
                return self._stored
            content = storage.read(calendar.snapshot)
            if content != self._content:
                self._stored = None if content is None else read_stored(calendar.location, content, utc_now())
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
        found = local_path(snapshot).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
