"""The routes of *Results* on the Posts page: what the posts of accounts reached, as tables and as CSV.

Metrics come only of accounts that a calendar names whose posts the user may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from airflow.sdk import conf
from fastapi import APIRouter, Depends, HTTPException, Query
from starlette.responses import Response

from airflow_provider_instagram.calendar.file.times import YEARS
from airflow_provider_instagram.calendar.file.times import zone as zone_named
from airflow_provider_instagram.insights.results import (
    METRICS,
    MOST_DAYS,
    MOST_POSTS,
    Measured,
    Results,
    read_posts,
)
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.edits import errors_as_answers
from airflow_provider_instagram.plugin.bodies import Json  # noqa: TC001 -- FastAPI reads the annotation
from airflow_provider_instagram.plugin.users import Viewer, own_accounts, require_read
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import safe_link

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost

NO_TARGET: Final = (
    "Results need the metrics of posts in a database: insights_dag() writes them there, and [instagram] "
    "insights_target names its connection."
)

router = APIRouter(prefix="/calendar/api")


@dataclass(frozen=True)
class Asked:
    """What a user asks about posts that the user may see.

    :param accounts: The accounts of the calendars.
    :param planned: The posts of the calendars, by post key, each with the id of its DAG.
    :param is_cut: Whether the period has more posts.
    """

    results: Results
    accounts: Sequence[str]
    planned: Mapping[str, tuple[str, ScheduledPost]]
    is_cut: bool


def _asked(
    user: Viewer,
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
    metric: Annotated[str, Query(pattern=f"^({'|'.join(METRICS)})$")] = "reach",
    dag_id: str | None = None,
    account: str = "",
    kind: str = "",
    tag: str = "",
    age: str = "",
    zone: str = "UTC",
    post: str = "",
) -> Asked:
    """Return what the posts of the user's accounts reached."""
    if dag_id is not None:
        require_read(user, dag_id)
    if not (
        0 <= (last - first).days <= MOST_DAYS and YEARS[0] <= first.year and last.year < YEARS[1]
    ):
        raise HTTPException(
            422, f"The period is longer than {MOST_DAYS} days, or ends before it begins."
        )
    boards = routes.boards.readable(user) if dag_id is None else [routes.boards.board(dag_id)]
    accounts = set[str]()
    planned: dict[str, tuple[str, ScheduledPost]] = {}
    for board in boards:
        calendar = board.dag_id
        accounts.update(own_accounts(calendar, board.accounts))
        for facts in board.facts.values():
            planned[facts.post.key] = calendar, facts.post
    if account and account not in accounts:
        raise HTTPException(403, f"No calendar that you may read has the account {account!r}.")
    with errors_as_answers():
        chosen = zone_named(zone)
    since = datetime.combine(first, time(), chosen)
    until = datetime.combine(last + timedelta(days=1), time(), chosen)
    posts, is_cut = _read([account] if account else sorted(accounts), metric, since, until)
    kept = []
    for one in posts:
        known = planned.get(one.post_key or "")
        tags = known[1].tags if known is not None else ()
        if kind in ("", one.kind) and (not tag or tag in tags):
            kept.append(replace(one, link=safe_link(one.link), tags=tags))
    found = Results(kept, metric, age, chosen, utc_now(), post)
    return Asked(found, sorted(accounts), planned, is_cut)


def _read(
    accounts: Sequence[str], metric: str, since: datetime, until: datetime
) -> tuple[list[Measured], bool]:
    target = conf.get("instagram", "insights_target", fallback="").strip()
    conn_id, _, schema = target.partition("/")
    if not conn_id:
        raise HTTPException(409, NO_TARGET)
    if not accounts:
        return [], False
    return read_posts(SqlTarget(conn_id, schema or None), accounts, metric, since, until)


@router.get("/results")
def results(asked: Asked = Depends(_asked)) -> Json:  # noqa: B008
    """Return what posts reached, as tables."""
    found = asked.results
    notes = found.notes()
    if asked.is_cut:
        notes.append(f"The period has more posts. These are the newest {MOST_POSTS:,}.")
    cards = {}
    for measured in found.posts:
        planned = asked.planned.get(measured.post_key or "")
        if planned is not None:
            dag_id, post = planned
            cards[measured.media_id] = f"{dag_id}/{post.id}"
    content: Json = {
        "accounts": asked.accounts,
        "kinds": [kind.value for kind in PostKind],
        "tags": sorted({tag for _, post in asked.planned.values() for tag in post.tags}),
        "metrics": METRICS,
        "ages": [*found.ages],
        "age": found.age,
        "zone": str(found.zone),
        "notes": notes,
        "tables": [asdict(table) for table in found.tables()],
        "cards": cards,
    }
    return content


@router.get("/results.csv")
def results_csv(table: str, asked: Asked = Depends(_asked)) -> Response:  # noqa: B008
    """Return one of the tables as CSV."""
    found = next((one for one in asked.results.tables() if one.name == table), None)
    if found is None:
        raise HTTPException(404, "There is no such table.")
    headers = {"Content-Disposition": f'attachment; filename="{found.name}.csv"'}
    # The mark at the beginning tells spreadsheets that the text is UTF-8.
    return Response(
        f"\ufeff{found.as_csv()}", media_type="text/csv; charset=utf-8", headers=headers
    )
