"""The Airflow plugin (entry point ``airflow.plugins``): the provider's pages and menu entry.

Logic that a command also needs does not belong here. Every Airflow process loads this module, so it
imports little.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_instagram.utils.pages import CALENDAR_TAG, PAGES, pages_path


async def answer(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer a request for our pages, and load them at the first request: every Airflow process loads this module."""
    from airflow_provider_instagram.plugin.app import app

    # our app replaces the entry "app"
    await app({**scope, "airflow_app": scope.get("app")}, receive, send)


class InstagramPlugin(AirflowPlugin):
    """The provider's pages and menu entry."""

    name = "instagram"
    fastapi_apps = [{"app": answer, "url_prefix": PAGES, "name": "Instagram"}]  # noqa: RUF012 -- Airflow's own form
    # A page inside Airflow's frame could not open Meta's login, so this link opens a tab of its
    # own.
    external_views = [  # noqa: RUF012
        {
            "name": "Instagram",
            "href": f"{pages_path()}/",
            "destination": "nav",
            # In the menu Admin, beside Connections: at the top level, Airflow 3.3.2 draws a button
            # without a target.
            "category": "admin",
        },
        # These pages are frames, not components in Airflow's own page: its styles and its version
        # of React do not reach them, and their own Content-Security-Policy holds.
        {
            "name": "Posts",
            "href": f"{pages_path()}/calendar/",
            "url_route": "instagram-calendar",
            "destination": "nav",
            "icon": f"{pages_path()}/calendar/static/0/icon.svg",
            "icon_dark_mode": f"{pages_path()}/calendar/static/0/icon-dark.svg",
        },
        {
            "name": "Posts",
            "href": f"{pages_path()}/calendar/?dag={{DAG_ID}}",
            "url_route": "posts",
            "destination": "dag",
            # Airflow 3.4 hides the tab on all other DAGs. Airflow 3.3 does not know this, and shows
            # it.
            "applies_to": {"tags.name": [CALENDAR_TAG]},
        },
    ]
