"""What a login carries through the browser: readable to every API worker, to nobody else, and not for long."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from airflow_provider_instagram.accounts.connect import LoginApp
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.plugin import users
from airflow_provider_instagram.plugin.users import PageUser, PendingLogin, Purpose, opened, sealed

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

APP = LoginApp(
    "99", "app-secret", "https://airflow.example.com/callback", "https://graph.instagram.com", login=MetaLogin.UNIFIED
)
LOGIN = PendingLogin("nonce", "ada", "brand", APP)


def test_another_worker_opens_what_one_sealed() -> None:
    cookie = LOGIN.cookie
    assert PendingLogin.of(cookie) == LOGIN
    assert "app-secret" not in cookie


def test_a_login_lasts_ten_minutes(mocker: MockerFixture) -> None:
    cookie, state, now_s = LOGIN.cookie, sealed("state", LOGIN.about), time.time()
    mocker.patch.object(time, "time", return_value=now_s + 598)
    assert (PendingLogin.of(cookie), opened("state", state)) == (LOGIN, {"nonce": "nonce", "user": "ada"})
    mocker.patch.object(time, "time", return_value=now_s + 602)
    assert (PendingLogin.of(cookie), opened("state", state)) == (None, None)


@pytest.mark.parametrize("forged", ["", "forged", "gAAAAABforged"])
def test_what_is_forged_is_nothing(forged: str) -> None:
    assert PendingLogin.of(forged) is None
    assert opened("form", forged) is None


@pytest.mark.parametrize("other", ["cookie", "form", "undo"])
def test_no_kind_of_seal_is_taken_for_another(other: Purpose) -> None:
    assert opened(other, sealed("state", LOGIN.about)) is None
    assert opened("state", sealed(other, LOGIN.about)) is None


#: Who may do what with FAB, as the docs say: a role, its permissions, the acts.
ROLES = re.findall(
    r"^\| (looks|approves|runs|plans) \| (.+?) \| (.+?) \|$",
    Path("docs/calendars/approvals.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("role", "described", "acts"), ROLES, ids=[role for role, _, _ in ROLES])
def test_a_role_of_fab_with_the_permissions_of_the_docs_may_do_what_they_say_and_no_more(
    role: str, described: str, acts: str, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    manager = FabAuthManager()
    mocker.patch.object(users, "get_auth_manager", return_value=manager)
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    looks = ROLES[0][1]
    listed = described if role == "looks" else f"{looks}, {described}"
    permissions = {(f"can_{verb}", resource) for verb, resource in re.findall(r"`can (\w+) on (.+?)`", listed)}
    person: Any = PageUser(SimpleNamespace(perms=permissions))
    allowed = {act for act in users.ACTS if users.may_act(person, "content", act)}
    if users.may(person, "content", users.READ):
        allowed.add("read")
    if users.may_edit(person, "content"):
        allowed.add("edit")
    assert allowed == {"read", *re.findall(r"`(\w+)`", acts)}


def test_the_docs_have_each_role() -> None:
    assert [role for role, _, _ in ROLES] == ["looks", "approves", "runs", "plans"]
