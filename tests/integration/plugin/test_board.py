"""The Posts page over HTTP: Airflow's own API server with its users and roles in this process, and its database."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from PIL import Image

from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.plugin.board import boards, routes
from airflow_provider_instagram.plugin.board.board import BoardReader
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.pages import OURS, browser_of
from tests.integration.plugin.runs import ask, push_xcom, store_calendar, write_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

DAG_ID = "spring_posts"
ACCOUNT = "board_studio"
NOW = datetime.now(timezone.utc).replace(microsecond=0)
EVIL = "<script>alert(1)</script>"
SECRET = "X-Signature=abcdef0123456789"
POSTS: list[dict[str, Any]] = [
    {"id": "hello", "caption": "A new week\n\nwith more", "tags": ["spring"]},
    {"id": "evil", "caption": EVIL, "tags": ["<img src=x onerror=alert(2)>", "javascript:alert(3)"]},
    {"id": "signed", "video": f"https://media.example.com/a.mp4?{SECRET}", "caption": "Signed"},
    {"id": "typo", "capton": EVIL, "caption": "A typo"},
    {"id": "tagged", "caption": "Tags #a #b #c #d #e #f"},
    {"id": "asked", "caption": "Asked", "approval": "required"},
    {"id": "asked-too", "caption": "Asked, too", "approval": "required"},
    {"id": "shown-approve", "caption": "Asked", "approval": "required"},
    {"id": "shown-reject", "caption": "Asked", "approval": "required"},
    {"id": "twice", "caption": "One"},
    {"id": "twice", "caption": "Another"},
    {"id": "fast", "caption": "Reported"},
    {"id": "slow", "caption": "Reported"},
]


def at(days: int) -> str:
    return f"{NOW + timedelta(days=days):%Y-%m-%d %H:%M} UTC"


@pytest.fixture
def calendar(airflow_pages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A stored calendar of posts that are to come, with problems and hostile texts."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    mocker.patch.object(routes, "boards", Boards())
    file = tmp_path / "calendar.yaml"
    posts = [
        {"id": post["id"], "publish_at": at(day + 1), "account": ACCOUNT, "video": "a.mp4", **post}
        for day, post in enumerate(POSTS)
    ]
    (tmp_path / "a.mp4").touch()
    file.write_text(yaml.safe_dump({"posts": posts}, sort_keys=False))
    store_calendar(content_calendar_dag(DAG_ID, file, accounts=[ACCOUNT]))
    return file


@pytest.fixture
def user(calendar: Path, airflow_app: FastAPI) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in to a whole Airflow."""
    return partial(browser_of, airflow_app)


def cards(browser: TestClient, **query: str) -> dict[str, dict[str, Any]]:
    answer = browser.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID, **query})
    assert answer.status_code == 200, answer.text
    return {card["id"]: card for card in answer.json()["cards"]}


def detail(browser: TestClient, post_id: str) -> dict[str, Any]:
    answer = browser.get("/instagram/calendar/api/post", params={"dag_id": DAG_ID, "post_id": post_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def do(
    browser: TestClient,
    name: str,
    act: str,
    post_id: str = "hello",
    headers: dict[str, str] | None = None,
    **given: Any,
) -> Any:
    token = given.pop("form_token", sealed("form", {"user": name}))
    shown = detail(browser, post_id) if act in ("approve", "reject") and "version" not in given else {}
    seen: dict[str, Any] = {name: shown[name] for name in ("version", "sha256", "held") if name in shown}
    body = {"act": act, "dag_id": DAG_ID, "post_id": post_id, "form_token": token, **seen, **given}
    return browser.post("/instagram/calendar/api/acts", json=body, headers=OURS if headers is None else headers)


def audit() -> list[tuple[str, str | None]]:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(Log.event, Log.owner).where(Log.dag_id == DAG_ID).order_by(Log.id))
        return [(event, owner) for event, owner in rows]


def test_more_hashtags_than_instagram_has_announced_are_a_warning_beside_the_post(user: Any) -> None:
    vic = user("vic", "VIEWER")
    assert "6 hashtags. Instagram has announced that it allows 5 only" in detail(vic, "tagged")["warning"]
    assert detail(vic, "hello")["warning"] is None


def test_a_viewer_sees_the_posts_with_their_states_and_is_offered_nothing(user: Any) -> None:
    vic = user("vic", "VIEWER")
    found = cards(vic)
    assert {post_id: card["state"] for post_id, card in found.items()} == {
        "hello": "planned",
        "evil": "planned",
        "signed": "planned",
        "typo": "problem",
        "tagged": "planned",
        "asked": "planned",
        "asked-too": "planned",
        "shown-approve": "planned",
        "shown-reject": "planned",
        "twice": "problem",
        "fast": "planned",
        "slow": "planned",
    }
    assert found["hello"]["title"] == "A new week"
    assert found["typo"]["problems"][0]["remedy"] == "Did you mean caption?"
    assert detail(vic, "hello")["acts"] == []
    for act in ("skip", "publish_now"):
        refused = do(vic, "vic", act)
        assert refused.status_code == 403
        assert "You do not have permission" in refused.json()["detail"]
    assert cards(vic)["hello"]["state"] == "planned"


def test_a_user_skips_a_post_brings_it_back_and_both_are_in_the_audit_log(user: Any) -> None:
    ada = user("ada", "USER")
    assert detail(ada, "hello")["acts"] == ["publish_now", "skip"]
    assert do(ada, "ada", "skip").status_code == 200
    assert (cards(ada)["hello"]["state"], cards(ada)["hello"]["why"]) == ("skipped", "by ada")
    again = do(ada, "ada", "skip")
    assert again.status_code == 409
    assert "Nothing was changed" in again.json()["detail"]
    assert detail(ada, "hello")["acts"] == ["unskip", "publish_now"]
    assert do(ada, "ada", "unskip").status_code == 200
    assert cards(ada)["hello"]["state"] == "planned"
    assert audit()[-2:] == [("instagram_post_skip", "ada"), ("instagram_post_unskip", "ada")]
    history = [event["what"] for event in detail(ada, "hello")["history"]]
    assert history[-2:] == ["Skipped by ada", "Brought back by ada"]


def test_publish_now_starts_one_run_for_the_post_as_the_user(user: Any) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ada, bob = user("ada", "USER"), user("bob", "USER")
    assert do(ada, "ada", "publish_now").status_code == 200
    second = do(bob, "bob", "publish_now")
    assert second.status_code == 409
    with create_session() as session:
        (run,) = session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.run_id.startswith("now__")))
        assert (run.run_id, run.conf) == ("now__hello__1", {"post": "hello", "now": True})
        assert run.triggering_user_name == "ada"
        session.delete(run)
    assert ("trigger_dag_run", "ada") in audit()
    assert ("instagram_post_publish_now", "ada") in audit()


def test_a_user_without_a_right_to_the_dag_sees_nothing_of_it(user: Any, mocker: MockerFixture) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    mocker.patch.object(get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id != DAG_ID)
    assert DAG_ID not in user("ada", "ADMIN").get("/instagram/calendar/api/posts").text


def test_each_module_that_the_page_loads_is_served_as_javascript(user: Any) -> None:
    ada = user("ada", "USER")
    script = re.search(r'<script type="module" src="([^"]+)">', ada.get("/instagram/calendar/").text)
    assert script is not None
    folder, _, main = script[1].rpartition("/")
    wanted, served = [main], set[str]()
    while wanted:
        name = wanted.pop()
        answer = ada.get(f"{folder}/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8"), name
        served.add(name)
        wanted += [other for other in re.findall(r'from "\./([^"]+)"', answer.text) if other not in served]
    assert {"api.js", "state.js", "panel.js", "charts.js"} < served
    library = ada.get(f"{folder}/uplot.mjs")  # charts.js loads it with the first chart
    assert (library.status_code, library.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    for other in ("nothing.js", "nothing.svg", "..%2f__init__.py"):
        assert ada.get(f"{folder}/{other}").status_code in (404, 422), other


def ask_for_approval(post_id: str) -> None:
    """Store what Airflow stores until the task of the approval of a post waits for an answer."""
    ask(DAG_ID, post_id)
    routes.boards.board(DAG_ID, is_fresh=True)


def test_of_two_answers_that_airflow_accepts_the_first_one_counts_and_the_page_says_so(
    user: Any, mocker: MockerFixture
) -> None:
    """Another API server process has resumed the task with bob's answer, and this one has not seen that in time."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from airflow_provider_instagram.plugin.board import acts

    ask_for_approval("asked")
    ada = user("ada", "USER")
    assert cards(ada)["asked"]["state"] == "waiting"
    check = acts._require

    def check_a_moment_before_bob(act: Any) -> None:
        check(act)
        bobs = {"chosen_options": ["Reject"], "params_input": {"reason": "too dark"}}
        event = {**bobs, "responded_by_user": {"id": "bob", "name": "bob"}, "timedout": False}
        with create_session() as session:
            session.execute(
                update(TaskInstance)
                .where(TaskInstance.run_id == "asked", TaskInstance.task_id == "approve")
                .values(state="scheduled", next_kwargs={"event": event}, next_method="execute_complete")
            )

    mocker.patch.object(acts, "_require", check_a_moment_before_bob)
    answer = do(ada, "ada", "approve", "asked")
    assert (answer.status_code, answer.json()["detail"]) == (409, "bob has answered already. Nothing was changed.")
    history = detail(ada, "asked")["history"]
    assert [event["what"] for event in history if "by" in event["what"]] == ["Rejected by bob"]


def test_a_card_says_what_was_answered_before_the_task_of_the_approval_runs(user: Any) -> None:
    """No scheduler runs here, so the task does not run. The next answer is told that it comes too late."""
    ask_for_approval("asked-too")
    ada = user("ada", "USER")
    assert cards(ada)["asked-too"]["state"] == "waiting"
    assert do(ada, "ada", "reject", "asked-too", reason="too dark").status_code == 200
    routes.boards.board(DAG_ID, is_fresh=True)
    card = cards(ada)["asked-too"]
    assert (card["state"], card["why"]) == ("skipped", "rejected: too dark")
    assert detail(ada, "asked-too")["hint"] == "Rejected by ada: too dark"
    late = do(ada, "ada", "approve", "asked-too").json()["detail"]
    assert late == "The state of this post is now: skipped. ada has answered already. Nothing was changed."


@pytest.mark.parametrize(
    ("post_id", "fast_s", "tries", "why"),
    [("fast", 90, 1, "4 min late"), ("slow", -90, 2, "see the log of its task")],
    ids=["fast, in this try", "slow, in an earlier try"],
)
def test_a_reason_is_that_of_the_latest_try_whatever_the_clock_of_its_worker_says(
    user: Any, post_id: str, fast_s: int, tries: int, why: str
) -> None:
    """The worker's clock says when a task started, and the API server's when it reported the reason."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from airflow_provider_instagram.calendar.tasks.outcome import report_state

    ask_for_approval(post_id)
    now, about = datetime.now(timezone.utc), {"run_id": post_id, "task_id": "prepare"}
    with create_session() as session:

        def push(key: str, value: Any) -> None:
            push_xcom(DAG_ID, post_id, "prepare", key, value)

        context: Any = {"ti": SimpleNamespace(try_number=1, xcom_push=push)}
        report_state(context, "skipped", "skipped: 4 min late", "Too late.")
        ours = [getattr(TaskInstance, name) == value for name, value in about.items()]
        started = {"try_number": tries, "start_date": now + timedelta(seconds=fast_s), "updated_at": now}
        session.execute(update(TaskInstance).where(*ours).values(state="skipped", **started))
    routes.boards.board(DAG_ID, is_fresh=True)
    assert cards(user("ada", "USER"))[post_id]["why"] == why


def report_of(post_id: str, sha256: str) -> None:
    """Store what the transcode has found."""
    post = routes.boards.board(DAG_ID, is_fresh=True).facts[post_id].post
    prepared = {"media": ["a"], "reports": [{"sha256": sha256}]}
    write_row(ledger_asset(post.account).uri, f"prepared:{post.key}/{post.version}", prepared)


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_an_answer_is_about_what_the_page_showed(user: Any, calendar: Path, act: str) -> None:
    """The caption and the file are those of another version by now, which the page then shows."""
    ada, post_id = user("ada", "USER"), f"shown-{act}"
    cards(ada)
    ask_for_approval(post_id)
    report_of(post_id, "a1")
    seen = {name: detail(ada, post_id)[name] for name in ("version", "sha256", "held")}
    assert seen["sha256"] == ["a1"]
    report_of(post_id, "b2")
    changes = [seen, {**seen, "version": "0" * 32, "sha256": ["b2"]}, {"version": None}, {**seen, "sha256": []}]
    changes.append({name: detail(ada, post_id)[name] for name in seen} | {"held": True})
    for stale in changes:
        refused = do(ada, "ada", act, post_id, **stale)
        assert refused.status_code == 409
        assert "has changed since the page showed it to you. Nothing was answered." in refused.json()["detail"]
        assert cards(ada)[post_id]["state"] == "waiting"
    assert do(ada, "ada", act, post_id).status_code == 200, "what it shows now can be answered"


def test_both_posts_with_one_id_are_shown(user: Any) -> None:
    ada = user("ada", "USER")
    found = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()["cards"]
    twice = [card for card in found if card["id"] == "twice"]
    assert len(twice) == 2
    shown = [detail(ada, f"twice:{card['line']}")["card"] for card in twice]
    assert shown == twice
    assert [card["why"].partition(" has")[0] for card in twice] == [
        f"the post in line {card['line']}" for card in reversed(twice)
    ]


def test_what_the_last_run_found_missing_in_object_storage_is_shown(user: Any) -> None:
    from airflow_provider_instagram.calendar.planning.told import RECORD, events_asset

    found = [{"line": 3, "message": "there is no file s3://x/a.mp4.", "remedy": "Put it there.", "post_id": "hello"}]
    for value, state in (({"found": found}, "problem"), ({"found": "x"}, "planned"), ([7], "planned")):
        write_row(events_asset(DAG_ID).uri, RECORD, value)
        routes.boards.board(DAG_ID, is_fresh=True)
        assert cards(user("ada", "USER"))["hello"]["state"] == state
    write_row(events_asset(DAG_ID).uri, RECORD, {"found": found}, is_sealed=False)
    routes.boards.board(DAG_ID, is_fresh=True)
    assert cards(user("ada", "USER"))["hello"]["state"] == "planned", "no task has written it"


def test_a_picture_from_before_the_preparation_is_shown_with_what_is_lost_of_it(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar.planning.told import PREVIEWS, events_asset
    from airflow_provider_instagram.calendar.tasks.covers import cover_file

    planned = {
        post_id: routes.boards.board(DAG_ID).facts[post_id].post.version for post_id in ("hello", "fast", "slow")
    }
    cover = Path(cover_file(planned["hello"]))
    cover.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (90, 160)).save(cover)
    row = {
        planned["hello"]: {"at": 1, "says": "Bars will fill 68% of the frame."},
        planned["fast"]: {"at": 1, "says": "no preview: /data/a.mp4 is damaged.", "is_there": False},
    }
    write_row(events_asset(DAG_ID).uri, PREVIEWS, {"previews": row})
    routes.boards.board(DAG_ID, is_fresh=True)
    ada = user("ada", "USER")
    found = cards(ada)
    assert {
        post_id: (found[post_id]["state"], found[post_id].get("why"), "cover" in found[post_id]) for post_id in planned
    } == {
        "hello": ("planned", "Bars will fill 68% of the frame.", True),
        "fast": ("planned", "no preview: a.mp4 is damaged.", False),
        "slow": ("planned", None, False),
    }
    answer = ada.get(f"/instagram/covers/{found['hello']['cover']}.jpg", params={"size": "small"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    (media,) = detail(ada, "hello")["media"]
    assert media["cover"] == planned["hello"]
    write_row(events_asset(DAG_ID).uri, PREVIEWS, ...)  # other tests have posts of these versions


SHAPES = [
    7,
    "text",
    True,
    [],
    [1],
    {},
    {"form": 2, "post_key": "x"},
    {"form": 1, "row": {}, "seal": "0" * 64},
    {"run": 7},
    {"at": []},
    {"post_key": [], "run": {}, "version": 1},
    [{"a": 1}],
    None,
]


@pytest.mark.parametrize("kind", ["done", "intent", "claim", "skip", "late", "containers"])
def test_a_row_that_no_task_has_written_concerns_one_card(user: Any, kind: str) -> None:
    """Users with the right to edit the states of assets can write any JSON into them."""
    ada, key, uri = user("ada", "USER"), f"{kind}:{ACCOUNT}/hello", ledger_asset(ACCOUNT).uri
    before = cards(ada)
    for shape in SHAPES:
        write_row(uri, key, shape, is_sealed=False)
        try:
            routes.boards.board(DAG_ID, is_fresh=True)
            after = cards(ada)
            assert {name: card for name, card in after.items() if name != "hello"} == {
                name: card for name, card in before.items() if name != "hello"
            }
            shown = detail(user("olga", "OP"), "hello")
            if kind in ("late", "containers"):  # nothing of this post depends on it
                assert after["hello"]["state"] == "planned", shape
                continue
            is_other_form = isinstance(shape, dict) and shape.get("form") == 2
            why = "was written by another version of the provider" if is_other_form else "task of this"
            assert (after["hello"]["state"], shown["acts"]) == ("unknown", ["live", "not_live"]), shape
            assert f"The row '{key}' of connection '{ACCOUNT}'" in shown["why"]
            assert why in shown["why"]
            assert "somebody" not in f"{shown['why']} {shown['hint']}".lower()
            assert do(ada, "ada", "skip", "evil").status_code == 200
            assert do(ada, "ada", "unskip", "evil").status_code == 200
        finally:
            write_row(uri, key, ...)
    routes.boards.board(DAG_ID, is_fresh=True)


@pytest.mark.parametrize("kind", ["done", "skip"])
def test_a_person_who_has_looked_at_the_account_repairs_the_record_of_a_post(user: Any, kind: str) -> None:
    from airflow_provider_instagram.ledger.assets import ledger_asset

    olga, key, uri = user("olga", "OP"), f"{kind}:{ACCOUNT}/hello", ledger_asset(ACCOUNT).uri
    write_row(uri, key, {"form": 0, "post_key": f"{ACCOUNT}/hello"}, is_sealed=False)
    try:
        routes.boards.board(DAG_ID, is_fresh=True)
        assert cards(olga)["hello"]["state"] == "unknown"
        assert do(olga, "olga", "not_live", "hello").status_code == 200
        routes.boards.board(DAG_ID, is_fresh=True)
        assert cards(olga)["hello"]["state"] == "planned"
    finally:
        write_row(uri, key, ...)
        routes.boards.board(DAG_ID, is_fresh=True)


def test_a_calendar_that_cannot_be_shown_keeps_no_other_from_being_shown(user: Any, mocker: MockerFixture) -> None:
    look = BoardReader.look

    def fail_for_another(reader: BoardReader, calendar: Any, is_still: Any) -> Any:
        if calendar.dag_id != DAG_ID:
            raise KeyError("a row")
        return look(reader, calendar, is_still)

    mocker.patch.object(BoardReader, "look", fail_for_another)
    answer = user("ada", "USER").get("/instagram/calendar/api/posts")
    assert [head["dag"] for head in answer.json()["calendars"]] == [DAG_ID]


def window(browser: TestClient, etag: str = "", **query: str) -> Any:
    headers = {"If-None-Match": etag}
    return browser.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID, **query}, headers=headers)


@pytest.mark.parametrize("text", ["hello", "A NEW WEEK", "with more", " spring "])
def test_a_search_finds_posts_of_the_whole_plan_by_id_caption_and_tag(user: Any, text: str) -> None:
    found = window(user("ada", "USER"), **{"from": "1", "to": "2", "q": text}).json()["cards"]
    assert [card["id"] for card in found] == ["hello"]


def test_what_did_not_change_is_not_sent_again(user: Any) -> None:
    ada = user("ada", "USER")
    first = window(ada)
    again = window(ada, first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert window(ada, f'W/{first.headers["etag"][:-1]}-gzip"').status_code == 304, "a proxy has compressed it"
    do(ada, "ada", "skip")
    changed = window(ada, first.headers["etag"])
    assert (changed.status_code, len(changed.json()["cards"])) == (200, len(POSTS))
    assert window(ada, changed.headers["etag"]).status_code == 304
    do(ada, "ada", "unskip")


def test_a_change_outside_of_the_window_sends_nothing(user: Any) -> None:
    ada, until = user("ada", "USER"), str(int((NOW + timedelta(days=2)).timestamp()))
    first = window(ada, to=until)
    everything = window(ada)
    do(ada, "ada", "skip", "fast")
    assert window(ada, first.headers["etag"], to=until).status_code == 304
    assert window(ada, everything.headers["etag"]).status_code == 200
    do(ada, "ada", "unskip", "fast")


def test_another_api_server_process_knows_that_nothing_changed(user: Any, mocker: MockerFixture) -> None:
    ada = user("ada", "USER")
    etag = window(ada).headers["etag"]
    mocker.patch.object(routes, "boards", Boards())
    assert window(ada, etag).status_code == 304


def test_another_api_server_process_answers_with_nothing_older(user: Any, mocker: MockerFixture) -> None:
    """Its last look was a moment before the act. Without what the page has seen, it would answer from that look."""
    ada, ours, other = user("ada", "USER"), Boards(), Boards()
    mocker.patch.object(routes, "boards", other)
    assert cards(ada)["hello"]["state"] == "planned"
    mocker.patch.object(routes, "boards", ours)
    seen = do(ada, "ada", "skip").json()["seen"]
    mocker.patch.object(routes, "boards", other)
    try:
        assert {card["id"]: card for card in window(ada, seen).json()["cards"]}["hello"]["state"] == "skipped"
        asked = {"dag_id": DAG_ID, "post_id": "hello", "seen": seen}
        assert ada.get("/instagram/calendar/api/post", params=asked).json()["card"]["state"] == "skipped"
    finally:
        do(ada, "ada", "unskip")


@pytest.mark.parametrize("etag", ["", "x", '"1.000-"', '"99999999999.000-"', f'"{"9" * 5000}.000-abc"'])
def test_what_a_page_has_seen_in_the_future_is_ignored(user: Any, mocker: MockerFixture, etag: str) -> None:
    """The page makes no process look more often, and an ETag that is changed gets everything."""
    ada, looks, look = user("ada", "USER"), list[Any](), BoardReader.look

    def counted(reader: BoardReader, calendar: Any, is_still: Any) -> Any:
        looks.append(calendar)
        return look(reader, calendar, is_still)

    mocker.patch.object(BoardReader, "look", counted)
    mocker.patch.object(boards, "LIFE_S", 60.0)
    for shown in ("", etag):
        assert len(window(ada, shown).json()["cards"]) == len(POSTS)
    assert len(looks) == 1


def test_only_the_posts_of_the_asked_time_are_sent(user: Any) -> None:
    until = int((NOW + timedelta(days=2)).timestamp())
    assert list(cards(user("ada", "USER"), to=str(until))) == ["hello", "evil"]


def test_a_hostile_calendar_is_data_and_never_part_of_the_page(user: Any) -> None:
    ada = user("ada", "USER")
    page = ada.get("/instagram/calendar/", params={"dag": DAG_ID, "q": EVIL})
    assert EVIL not in page.text
    assert not re.search(r"<script(?![^>]* src=)", page.text), "no script is in the page itself"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    answer = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert detail(ada, "evil")["caption"] == EVIL


def test_a_signature_is_not_shown(user: Any) -> None:
    ada = user("ada", "USER")
    found = detail(ada, "signed")
    assert "abcdef0123456789" not in json.dumps(found)
    assert "abcdef0123456789" not in json.dumps(cards(ada))


def test_a_dag_that_is_no_calendar_says_so(user: Any) -> None:
    answer = user("ada", "USER").get("/instagram/calendar/api/posts", params={"dag_id": "publish_reel"})
    assert answer.status_code == 404
    assert "is not a content calendar" in answer.json()["detail"]


@pytest.mark.parametrize(("text", "reason"), [(None, "there is no file"), ("posts: [", "cannot be read")])
def test_a_calendar_whose_file_was_never_readable_says_why(
    user: Any, calendar: Path, text: str | None, reason: str
) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    file = calendar.with_name(f"never_{text is None}.yaml")
    if text is not None:
        file.write_text(text)
    dag_id = f"never_readable_{text is None}"
    store_calendar(content_calendar_dag(dag_id, file))
    (head,) = user("ada", "USER").get("/instagram/calendar/api/posts", params={"dag_id": dag_id}).json()["calendars"]
    assert (head["read"], len(head["problems"])) == (False, 1)
    assert reason in head["problems"][0]["message"]


def test_nothing_is_offered_for_a_post_that_has_to_be_corrected(user: Any) -> None:
    ada = user("ada", "USER")
    assert detail(ada, "typo")["acts"] == []
    assert do(ada, "ada", "publish_now", "typo").status_code == 404


def test_a_cover_and_a_video_that_are_not_there_are_not_found(user: Any) -> None:
    ada = user("ada", "USER")
    for path in ("covers/0123456789abcdef0123456789abcdef.jpg", "calendar/api/video"):
        answer = ada.get(f"/instagram/{path}", params={"dag_id": DAG_ID, "post_id": "hello"})
        assert answer.status_code == 404
