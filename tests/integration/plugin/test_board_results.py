"""Results on the Posts page over HTTP: who sees the numbers of which accounts, and what becomes of hostile texts."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from tests.integration.pages import browser_of
from tests.integration.plugin.runs import store_calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

OURS, THEIRS = "results_ours", "results_theirs"
NOW = datetime.now(timezone.utc).replace(microsecond=0)
BERLIN = ZoneInfo("Europe/Berlin")
#: When the best post was read.
READ_AT = NOW - timedelta(days=3) + timedelta(hours=25)
EVIL = '=HYPERLINK("https://evil.example.com")<script>alert(1)</script>'
PERIOD = {"from": f"{NOW - timedelta(days=89):%Y-%m-%d}", "to": f"{NOW:%Y-%m-%d}"}


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlTarget:
    """Twenty posts of our account, of which the calendar has planned one, and one post of theirs."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__INSIGHTS_TARGET", "warehouse")
    target = SqlTarget("warehouse")
    target.prepare()
    for number in range(20):
        write(target, f"m{number}", "ours", 100 + number, NOW - timedelta(days=2 + number))
    write(target, "m20", "ours", 900, NOW - timedelta(days=3), post_key="ours/planned", post_caption=EVIL)
    write(target, "secret", "theirs", 4711, NOW - timedelta(days=3), post_caption="their caption")
    return target


def write(target: SqlTarget, post_id: str, conn_id: str, reach: int, at: datetime, **more: Any) -> None:
    origin = {"post_id": post_id, "conn_id": conn_id}
    reel = {"media_type": "VIDEO", "media_product_type": "REELS", "is_story": False, "post_url": "javascript:alert(2)"}
    target.write(POSTS, [{**origin, **reel, "created_timestamp": at, **more}])
    snapshot = {"age": "24h", "age_seconds": 86_400, "status": "read", "reel_reach": reach}
    target.write(SNAPSHOTS, [{**origin, **snapshot, "snapshot_timestamp": at + timedelta(hours=25)}])


@pytest.fixture
def user(
    airflow_pages: None,
    warehouse: SqlTarget,
    airflow_app: FastAPI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in. Two calendars name an account each."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    mocker.patch.object(routes, "boards", Boards())
    (tmp_path / "a.mp4").touch()
    for dag_id, account in ((OURS, "ours"), (THEIRS, "theirs")):
        at = f"{NOW + timedelta(days=1):%Y-%m-%d %H:%M} UTC"
        planned = {"id": "planned", "publish_at": at, "account": account, "video": "a.mp4", "tags": ["spring", "=1+1"]}
        file = tmp_path / f"{account}.yaml"
        file.write_text(yaml.safe_dump({"posts": [planned]}))
        store_calendar(content_calendar_dag(dag_id, file, accounts=[account]))

    return partial(browser_of, airflow_app, "vic")


@pytest.fixture
def only_ours(user: Any, mocker: MockerFixture) -> None:
    """Nobody may read the DAG of the other team."""
    from airflow.api_fastapi.app import get_auth_manager

    mocker.patch.object(get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id != THEIRS)


def ask(browser: TestClient, path: str = "results", **query: str) -> Any:
    return browser.get(f"/instagram/calendar/api/{path}", params={**PERIOD, **query})


def rows(answer: Any, name: str = "posts") -> list[list[Any]]:
    assert answer.status_code == 200, answer.text
    return next(table["rows"] for table in answer.json()["tables"] if table["name"] == name)


def test_a_viewer_sees_what_the_posts_of_a_calendar_reached(user: Any) -> None:
    answer = ask(user("VIEWER"), dag_id=OURS, zone="Europe/Berlin")
    best, second, *_ = rows(answer)
    assert best[1:6] == ["ours", "reel", EVIL, 900, 8.18]  # the median is 110
    assert best[6:] == ["24h", f"{READ_AT.astimezone(BERLIN):%Y-%m-%d %H:%M}", "spring, =1+1", None, "m20"]
    assert second[3:6] == ["", 119, 1.08]
    assert len(rows(answer)) == 21
    content = answer.json()
    assert content["cards"] == {"m20": f"{OURS}/planned"}
    assert (content["zone"], content["age"], content["accounts"]) == ("Europe/Berlin", "24h", ["ours"])
    assert content["notes"] == ["21 of 21 posts are compared at 24h."]


def test_a_table_is_downloaded_as_csv_without_formulas(user: Any) -> None:
    answer = ask(user("VIEWER"), "results.csv", dag_id=OURS, table="posts")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="posts.csv"'
    assert answer.content.startswith("\ufeff".encode())
    head, best, *others = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head[:6] == ["Published", "Account", "Kind", "Post", "reach", "Times the median"]
    assert best[1:7] == ["ours", "reel", f"'{EVIL}", "900", "8.18", "24h"]
    assert best[8:] == ["spring, =1+1", "", "m20"]
    assert len(others) == 20
    assert ask(user("VIEWER"), "results.csv", dag_id=OURS, table="nothing").status_code == 404


@pytest.mark.usefixtures("only_ours")
def test_nothing_of_an_account_of_another_team_is_seen(user: Any) -> None:
    vic = user("VIEWER")
    for path, more in (("results", {}), ("results.csv", {"table": "posts"})):
        for query in ({}, {"dag_id": OURS}, {"account": "ours"}, {"post": "secret"}):
            answer = ask(vic, path, **query, **more)
            assert answer.status_code == 200
            for secret in ("secret", "4711", "their caption", "theirs"):
                assert secret not in answer.text
        for query in ({"dag_id": THEIRS}, {"account": "theirs"}, {"dag_id": OURS, "account": "theirs"}):
            refused = ask(vic, path, **query, **more)
            assert refused.status_code == 403, query
            assert "4711" not in refused.text
    assert ask(user("ADMIN"), account="nobodys").status_code == 403


def forget_team() -> None:
    from airflow.models import Connection
    from airflow.models.team import Team
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.team_name == "a"))
        session.execute(delete(Team).where(Team.name == "a"))


def test_a_connection_of_another_team_is_left_out_although_a_calendar_names_it(
    user: Any, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, request: pytest.FixtureRequest
) -> None:
    from airflow.models import Connection
    from airflow.models.dag import DagModel
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    mocker.patch.object(DagModel, "get_team_name", lambda dag_id: "a" if dag_id == OURS else "b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN__A___THEIRS", "instagram://")
        assert ask(user("ADMIN"), dag_id=THEIRS, account="theirs").status_code == 403
    with create_session() as session:
        session.add(Team(name="a"))
        session.flush()
        session.add_all(Connection(conn_id=name, conn_type="instagram", team_name="a") for name in ("ours", "theirs"))
    request.addfinalizer(forget_team)
    assert rows(ask(user("ADMIN"), dag_id=THEIRS)) == []
    assert ask(user("ADMIN"), dag_id=THEIRS, account="theirs").status_code == 403
    assert len(rows(ask(user("ADMIN"), dag_id=OURS))) == 21


def test_kind_tag_and_period_choose_what_is_shown(user: Any) -> None:
    vic = user("VIEWER")
    assert [row[-1] for row in rows(ask(vic, dag_id=OURS, tag="spring"))] == ["m20"]
    assert rows(ask(vic, dag_id=OURS, kind="story")) == []
    day = f"{NOW - timedelta(days=10):%Y-%m-%d}"
    assert [row[-1] for row in rows(ask(vic, dag_id=OURS, **{"from": day, "to": day}))] == ["m8"]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-01-01", "to": "2027-01-03"},
        {"from": "2026-01-02", "to": "2026-01-01"},
        {"from": "yesterday"},
        {"from": "9999-12-31", "to": "9999-12-31"},
        {"from": "0001-01-01", "to": "0001-01-01", "zone": "Asia/Tokyo"},
        {"metric": "reel_reach; DROP TABLE instagram_posts"},
        {"zone": "../../etc/passwd"},
        {"zone": "Nowhere/Else"},
    ],
)
def test_what_makes_no_sense_is_refused(user: Any, query: dict[str, str]) -> None:
    assert ask(user("VIEWER"), dag_id=OURS, **query).status_code == 422


def test_without_a_database_the_page_says_what_to_set(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__INSTAGRAM__INSIGHTS_TARGET")
    answer = ask(user("VIEWER"), dag_id=OURS)
    assert answer.status_code == 409
    assert "[instagram] insights_target names its connection" in answer.json()["detail"]


def test_a_database_that_cannot_be_read_is_named_without_its_secrets(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me", "password": "pa55word"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    answer = ask(user("VIEWER"), dag_id=OURS)
    assert answer.status_code == 400
    assert "cannot be read from the database of connection 'warehouse'" in answer.json()["detail"]
    assert "pa55word" not in answer.text


def test_a_post_that_was_read_too_late_is_shown_apart_and_not_compared(user: Any, warehouse: SqlTarget) -> None:
    origin = {"post_id": "late", "conn_id": "ours"}
    about = {"media_type": "VIDEO", "media_product_type": "REELS", "created_timestamp": NOW - timedelta(days=5)}
    snapshot = {"age": "24h", "age_seconds": 86_400, "status": "read", "reel_reach": 10**6}
    warehouse.write(POSTS, [{**origin, **about}])
    warehouse.write(SNAPSHOTS, [{**origin, **snapshot, "snapshot_timestamp": NOW - timedelta(days=3)}])
    answer = ask(user("VIEWER"), dag_id=OURS)
    assert (len(rows(answer)), rows(answer)[0][-1]) == (21, "m20")
    (apart,) = rows(answer, "apart")
    assert (apart[4], apart[7]) == (10**6, f"{NOW - timedelta(days=3):%Y-%m-%d %H:%M}, read too late")
    assert answer.json()["notes"][0] == "21 of 22 posts are compared at 24h, 1 read too late."
