"""The DAGs that are content calendars, as Airflow's database has them, and their stored plans."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dag import DagModel, DagTag
from airflow.models.errors import ParseImportError
from airflow.sdk import conf
from sqlalchemy import exists, or_, select

from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, plan_file
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.pages import CALENDAR_TAG
from airflow_provider_instagram.utils.urls import is_local, local_path, shown

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: How long a plan is not asked for after its storage has failed.
RETRY_AFTER_S: Final = 10.0
#: So long a calendar whose DAG file Airflow can no longer read is listed, with its last plan.
LOST_FOR: Final = timedelta(days=30)
#: What Airflow writes if the import of a DAG file has taken longer than ``[core]
#: dagbag_import_timeout``.
IMPORT_TIMEOUT: Final = "import timeout"
#: When a folder of plans did not answer. The plans of the other calendars would be waited for as
#: long.
_hung_s: Final[dict[str, float]] = {}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalendarDag:
    """A DAG that is a content calendar.

    :param plan_file: Where its planner stores its plan.
    :param is_lost: Whether Airflow can no longer read its DAG. Its runs stand still.
    :param dag_file: The file in which Airflow has found it.
    :param read_at: When Airflow has read it last.
    :param has_error: Whether that file has an error.
    :param is_slow: Whether the error is that its import took too long.
    """

    dag_id: str
    name: str
    is_paused: bool
    plan_file: str
    is_lost: bool = False
    dag_file: str = ""
    read_at: datetime | None = None
    has_error: bool = False
    is_slow: bool = False


def calendars(session: Session) -> list[CalendarDag]:
    """Return the calendars whose DAG exists or has been lost lately, by id."""
    dag: Any = DagModel  # for mypy, a display name is no column
    folder = conf.get("instagram", "calendar_snapshots")
    is_slow = exists().where(
        ParseImportError.filename == dag.relative_fileloc,
        ParseImportError.bundle_name == dag.bundle_name,
        ParseImportError.stacktrace.contains(IMPORT_TIMEOUT),
    )
    rows = session.execute(
        select(
            dag.dag_id,
            dag.dag_display_name,
            dag.is_paused,
            dag.is_stale,
            dag.relative_fileloc,
            dag.last_parsed_time,
            dag.has_import_errors,
            is_slow,
        )
        .join(DagTag, DagTag.dag_id == dag.dag_id)
        .where(
            or_(~dag.is_stale, dag.last_parsed_time >= utc_now() - LOST_FOR),
            DagTag.name == CALENDAR_TAG,
        )
        .order_by(dag.dag_id)
    )
    found = []
    for dag_id, name, is_paused, *about_file in rows:
        found.append(CalendarDag(dag_id, name, is_paused, plan_file(folder, dag_id), *about_file))
    return found


@dataclass
class PlanReader:
    """Reads the plan of a calendar, and parses it only if it has changed."""

    _state: Any = None
    _content: bytes | None = None
    _stored: StoredPlan | None = None
    _failed_s: float = -1e9

    def read(self, calendar: CalendarDag) -> StoredPlan | None:
        """Return the plan, or None if it does not exist here."""
        file = calendar.plan_file
        folder = file.rpartition("/")[0]
        failed_s = max(self._failed_s, _hung_s.get(folder, self._failed_s))
        if time.monotonic() - failed_s < RETRY_AFTER_S:
            return self._stored
        try:
            state = (file, _file_state(file))
            if state == self._state and state[1] is not None:
                return self._stored
            content = storage.read(file)
            if content != self._content:
                self._stored = None if content is None else StoredPlan.model_validate_json(content)
            self._state = state
            self._content = content
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; what was read before is shown
            log.warning("The plan %s cannot be read: %s", shown(file), shown(str(error)))
            self._failed_s = time.monotonic()
            if isinstance(error, TimeoutError):
                _hung_s[folder] = self._failed_s
        return self._stored


def _file_state(file: str) -> tuple[int, int, int] | None:
    """Return what changes with a local file, or None if it does not exist or is not local."""
    if not is_local(file):
        return None
    try:
        status = local_path(file).stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
