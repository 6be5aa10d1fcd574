"""The search for music on the page Posts over HTTP: who may ask, for which account, and within what bounds."""

from __future__ import annotations

import json
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.accounts import music
from airflow_provider_instagram.plugin.users import sealed
from demo.stack import wait_until
from tests.integration.pages import HOME, OURS
from tests.integration.plugin.test_board_edits import ACCOUNT, DAG_ID, OTHER_ID, calendar, detail, edit, user
from tests.integration.tasks import SCOPES

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

MUSIC = "587000000000001"
__all__ = ["calendar", "user"]


@pytest.fixture
def token(
    instagram_sandbox: SandboxHandle, calendar: Path, no_stored_tokens: None, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The account of the calendar is connected by Facebook Login. Returns its token."""
    instagram_sandbox.switch(login="any")
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page", scopes=list(SCOPES))
    connect(monkeypatch, instagram_sandbox, password=token)
    music._asked_s.clear()
    return token


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxHandle, calls_per_hour: int = 200, **fields: Any) -> None:
    connection = {**sandbox.connection, **fields, "extra": {"calls_per_hour": calls_per_hour}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{ACCOUNT.upper()}", json.dumps(connection))


def search(browser: Any, name: str, words: str = "harbour", headers: Any = None, **given: Any) -> Any:
    body = {
        "dag_id": DAG_ID,
        "account": ACCOUNT,
        "words": words,
        "form_token": sealed("form", {"user": name}),
        **given,
    }
    return browser.post("/instagram/calendar/api/music", json=body, headers=OURS if headers is None else headers)


def searches(sandbox: SandboxHandle) -> int:
    return sandbox.calls("audio")


def test_an_editor_finds_music_and_the_reel_has_it_in_the_file(
    user: Any, calendar: Path, token: str, instagram_sandbox: SandboxHandle, caplog: pytest.LogCaptureFixture
) -> None:
    ada = user("ada", "USER")
    assert (detail(ada)["edit"]["no_music"], detail(ada)["edit"]["seen"]["audio_id"]) == ("", None)
    answer = search(ada, "ada", " harbour lights ")
    assert (answer.status_code, searches(instagram_sandbox)) == (200, 1)
    assert answer.headers["cache-control"] == "no-store"
    (found,) = answer.json()["music"]
    assert found.keys() == {"audio_id", "title", "creator", "duration_s"}
    assert (found["audio_id"], found["title"]) == (MUSIC, "Harbour Lights")
    assert token not in f"{answer.text}{answer.headers}{caplog.text}"

    done = edit(ada, "ada", seen={"audio_id": None}, fields={"audio_id": found["audio_id"]})
    assert done.status_code == 200, done.text
    assert f'audio_id: "{MUSIC}"' in calendar.read_text()
    refused = edit(ada, "ada", fields={"audio_id": "Harbour Lights"})
    assert (refused.status_code, "only digits" in refused.text) == (422, True)


def test_only_who_may_edit_searches_and_only_for_accounts_of_the_calendar(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    ada, vic = user("ada", "USER"), user("vic", "VIEWER")
    assert search(vic, "vic").status_code == 403
    for other in ({"Origin": "https://evil.example.com"}, {"Origin": HOME, "Sec-Fetch-Site": "cross-site"}, {}):
        assert search(ada, "ada", headers=other).status_code == 403
    assert search(ada, "ada", form_token="forged").status_code == 403
    assert search(ada, "ada", account="instagram_default").status_code == 403
    assert search(ada, "ada", "x" * 101).status_code == 422
    assert search(ada, "ada", "a\x00b").status_code == 422
    stranger = user("ada", "USER")
    stranger.cookies.clear()
    assert search(stranger, "ada").status_code == 401
    with monkeypatch.context() as patch:
        patch.setattr(get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id == DAG_ID)
        assert search(ada, "ada", dag_id=OTHER_ID).status_code == 403
    monkeypatch.delenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING")
    assert search(user("root", "ADMIN"), "root").status_code == 403
    assert searches(instagram_sandbox) == 0


def test_an_account_that_cannot_have_music_says_why_and_instagram_is_not_asked(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, instagram_sandbox)
    ada, why = user("ada", "USER"), "Instagram Login has no licensed music."
    assert detail(ada)["edit"]["no_music"].startswith(why)
    answer = search(ada, "ada")
    assert (answer.status_code, answer.json()["detail"].startswith(why)) == (400, True)
    assert searches(instagram_sandbox) == 0


def test_searches_use_a_tenth_of_the_accounts_calls_and_none_once_instagram_throttles(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, instagram_sandbox, calls_per_hour=20, password=token)
    ada = user("ada", "USER")
    assert [search(ada, "ada").status_code for _ in range(3)] == [200, 200, 400]
    assert "The 2 searches an hour of this account are used up" in search(ada, "ada").json()["detail"]
    assert searches(instagram_sandbox) == 2

    music._asked_s.clear()
    instagram_sandbox.fail("audio", code=4)
    assert search(ada, "ada").status_code == 400
    assert "are used up" in search(ada, "ada").json()["detail"]
    assert searches(instagram_sandbox) == 3


def test_each_request_of_a_search_that_is_repeated_counts(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, instagram_sandbox, calls_per_hour=40, password=token)
    instagram_sandbox.fail("audio", code=2, times=4)
    ada = user("ada", "USER")
    assert search(ada, "ada").status_code == 400
    assert searches(instagram_sandbox) == 4
    assert "The 4 searches an hour of this account are used up" in search(ada, "ada").json()["detail"]
    assert searches(instagram_sandbox) == 4


def test_a_slow_instagram_holds_few_threads_and_a_user_is_told_soon(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(music, "LONGEST_WAIT_S", 0.2)
    instagram_sandbox.fail("audio", delay_s=3, times=music.MOST_OF_AN_ACCOUNT)
    ada = user("ada", "USER")
    said = [search(ada, "ada").json()["detail"] for _ in range(music.MOST_OF_AN_ACCOUNT + 1)]
    assert all("did not answer within" in one for one in said[:-1]), said
    assert said[-1].startswith(f"{music.MOST_OF_AN_ACCOUNT} searches of this account are running already.")
    assert music.MOST_OF_AN_ACCOUNT < music.MOST_SEARCHES, "the other accounts have places left"
    free = music.MOST_SEARCHES
    wait_until(lambda: music._places._value == free, "the answers came, and the threads are free", 30)
    monkeypatch.setattr(music, "_places", BoundedSemaphore(0))
    assert search(ada, "ada").json()["detail"].startswith(f"{music.MOST_SEARCHES} searches are running already.")


def test_what_another_teams_account_can_do_is_not_told(
    user: Any, token: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The DAG names it, but its team may not use it: it comes from the environment, and nobody knows whose it is."""
    connect(monkeypatch, instagram_sandbox)  # Instagram Login, which has no music
    ada = user("ada", "USER")
    assert "Instagram Login has no licensed music" in detail(ada)["edit"]["no_music"]
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    found = detail(ada)
    assert "Login" not in json.dumps(found)
    assert found["edit"]["no_music"] == "The connection of this account does not belong to the team of this calendar."
    before = searches(instagram_sandbox)
    assert search(ada, "ada").status_code == 403
    assert searches(instagram_sandbox) == before
