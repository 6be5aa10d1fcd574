"""The addresses of the provider's own pages (menu entry Admin, Instagram)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import conf

#: The tag of the DAGs of calendars, by which the Posts page and the command line find them. From
#: Airflow 3.4 on, no other DAG has the tab *Posts*.
CALENDAR_TAG: Final = "instagram calendar"
#: Path of the pages below Airflow's base URL.
PAGES: Final = "/instagram"


def pages_path() -> str:
    """Return the path of the pages, which begins with the path of ``[api] base_url``."""
    return f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGES}"


def connect_page(conn_id: str | None = None) -> str | None:
    """Return the address of the page that connects an account, or None if ``[api] base_url`` is not set."""
    if not (base := conf.get("api", "base_url", fallback="")):
        return None
    return f"{base.rstrip('/')}{PAGES}/" + (f"connect?conn_id={quote(conn_id)}" if conn_id else "")


def post_page(dag_id: str, post_id: str | None = None, day: str | None = None) -> str:
    """Return the address of a post on the Posts page, or of the page.

    :param day: The day of the post, as 2030-12-24, which the page shows behind it.
    :return: The address; empty if ``[api] base_url`` is not set.
    """
    base = conf.get("api", "base_url", fallback="")
    asked = {"dag": dag_id, "day": day, "post": post_id and f"{dag_id}/{post_id}"}
    query = urlencode({name: value for name, value in asked.items() if value})
    return base and f"{base.rstrip('/')}/plugin/instagram-calendar?{query}"


def reconnect_hint(conn_id: str) -> str:
    """Return what to do when the token of a connection is no longer valid."""
    page = connect_page(conn_id) or "Admin, Instagram in Airflow's menu"
    return f"To reconnect the account, open {page} or run: airflow instagram connect {conn_id}"
