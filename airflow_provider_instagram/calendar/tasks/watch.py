"""The trigger that wakes the planner of a calendar: its file has changed, or a post comes near."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_instagram.calendar.planning.stored_plan import Due, due_file
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.urls import is_local, is_web, shown

#: How often a file on this machine is looked at, one in object storage, and a sheet. An edit of the
#: first two is read within 10 s, of which the start of the planner's task takes several on a busy
#: Airflow.
LOOK_EVERY_S: Final = 2.0
LOOK_AT_OBJECT_EVERY_S: Final = 3.0
LOOK_AT_SHEET_EVERY_S: Final = 60.0
#: How long the planner may take before it is woken again.
WAKE_AGAIN_AFTER_S: Final = 60.0
#: Reads the files. If their storage hangs, the other work of the triggerer does not wait for its
#: threads.
_readers: Final = ThreadPoolExecutor(4, "calendars")

log = logging.getLogger(__name__)


class CalendarTrigger(BaseEventTrigger):
    """Event trigger that fires while the planner has something to do. It remembers nothing, so nothing is lost.

    It compares the file with what the planner has stored: after an outage of the triggerer, the
    scheduler or the storage, it fires at its first look.

    :param calendar: The calendar's file, or the address of a sheet without its query: Airflow
        stores it as it is.
    :param plan_file: Where the planner keeps its plan.
    :param settings: A digest of the DAG's settings.
    """

    def __init__(self, calendar: str, plan_file: str, settings: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calendar = calendar
        self.plan_file = plan_file
        self.settings = settings

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger."""
        kwargs = {"calendar": self.calendar, "plan_file": self.plan_file, "settings": self.settings}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every few seconds, and yield an event for each reason to plan."""
        loop = asyncio.get_running_loop()
        failed = False
        fired_at = float("-inf")
        fired_for = ""
        while True:
            try:
                why = await loop.run_in_executor(_readers, self.reason)
                failed = False
            except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and it may answer again
                why = ""
                if not failed:
                    log.warning(
                        "The calendar %s cannot be looked at: %s", self.calendar, shown(str(error))
                    )
                failed = True
            is_new = why != fired_for or time.monotonic() - fired_at >= WAKE_AGAIN_AFTER_S
            if why and is_new:
                fired_at = time.monotonic()
                fired_for = why
                yield TriggerEvent({"calendar": self.calendar, "why": why.partition(" ")[0]})
            elif not why:
                fired_for = ""
            await asyncio.sleep(self._pause_s)

    @property
    def _pause_s(self) -> float:
        if is_web(self.calendar):
            return LOOK_AT_SHEET_EVERY_S
        return LOOK_EVERY_S if is_local(self.calendar) else LOOK_AT_OBJECT_EVERY_S

    def reason(self) -> str:
        """Return why to plan: ``new``, ``settings``, ``time`` or ``edited``, and what it is about. Empty if not.

        :raises InstagramError: If the storage of the plan does not answer.
        """
        from airflow_provider_instagram.calendar.planning.look import change_since

        due = Due.read(due_file(self.plan_file))
        if due is None or not storage.exists(self.plan_file):
            return "new"
        if due.settings != self.settings:
            return "settings"
        if CLOCK.now().timestamp() >= due.at:
            return f"time {due.at}"
        changed = change_since(due)
        return f"edited {changed}" if changed else ""
