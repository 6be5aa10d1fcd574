"""What the provider adds to Airflow itself: its pages and its timetable (entry point ``airflow.plugins``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import conf

from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

PAGES = "/instagram"


async def answer(
    scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer a request for our pages. They are loaded by the first: every process of Airflow loads this module."""
    from airflow_provider_instagram.plugin.app import app

    await app(scope, receive, send)


class InstagramPlugin(AirflowPlugin):
    """Everything that the provider adds to Airflow itself."""

    name = "instagram"
    fastapi_apps = [{"app": answer, "url_prefix": PAGES, "name": "Instagram"}]  # noqa: RUF012 -- Airflow's own form
    # A page inside of Airflow's frame could not open Meta's login, so this is a link of its own.
    external_views = [  # noqa: RUF012
        {
            "name": "Instagram",
            "href": f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGES}/",
            "destination": "nav",
            # In the menu Admin, beside Connections: at the top level, Airflow 3.3.2 draws a button that leads nowhere.
            "category": "admin",
        }
    ]
    timetables = [ContentCalendarTimetable]  # noqa: RUF012
