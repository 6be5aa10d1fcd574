"""The sandbox's own doors: what makes no sense is refused in words, and nothing taken can break what comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import httpx
import pytest

from instagram_sandbox.simulator.faults import Fault
from instagram_sandbox.simulator.journal import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller

USER = "17841400000000001"
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "1e300", "-1", "true", '"5"')
SENSELESS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "clock": ("POST", "clock", tuple(f'{{"seconds": {n}}}' for n in NUMBERS)),
    "visible_after_s": ("PATCH", "switches", tuple(f'{{"visible_after_s": {n}}}' for n in NUMBERS)),
    "fetch_timeout_s": ("PATCH", "switches", tuple(f'{{"fetch_timeout_s": {n}}}' for n in NUMBERS)),
    "switched processing": ("PATCH", "switches", tuple(f'{{"processing": {{"after_s": {n}}}}}' for n in NUMBERS)),
    "planned processing": ("POST", "processing", tuple(f'{{"processing": {{"after_s": {n}}}}}' for n in NUMBERS)),
    "delay of a fault": ("POST", "faults", tuple(f'{{"operation": "status", "delay_s": {n}}}' for n in NUMBERS)),
    "age of a token": ("POST", "tokens", tuple(f'{{"user_id": "{USER}", "age_s": {n}}}' for n in NUMBERS)),
    "age of a post": ("POST", "posts", tuple(f'{{"user_id": "{USER}", "age_s": {n}}}' for n in (*NUMBERS, "1e12"))),
    "body of a fault": (
        "POST",
        "faults",
        tuple(f'{{"operation": "status", "status": 400, "body": {{"a": [{n}]}}}}' for n in NUMBERS[:4])
        + tuple(f'{{"operation": "status", "status": {n}, "body": {{"a": 1}}}}' for n in (204, 205, 302, 304, 99)),
    ),
    "half a character": (
        "POST",
        "posts",
        (f'{{"user_id": "{USER}", "caption": "\\ud800"}}',),
    ),
    "half a character in a fault": (
        "POST",
        "faults",
        ('{"operation": "status", "status": 400, "body": {"a": "\\udfff"}}',),
    ),
    "account": (
        "POST",
        "accounts",
        tuple(
            f'{{"user_id": "17841400000000002", "username": "second", {more}}}'
            for more in ('"name": "\\ud800"', '"token": "two words"', '"token": ""', '"token": "EAAfacebook"')
        ),
    ),
    "change of an account": (
        "PATCH",
        f"accounts/{USER}",
        ('{"user_id": "17841400000000009"}', '{"name": "\\ud800"}', '{"resumable": "no"}', '{"color": 1}', "[]", ""),
    ),
    "token": (
        "POST",
        "tokens",
        tuple(
            f'{{"user_id": "{USER}", {more}}}'
            for more in ('"scopes": ["x"]', '"token": "IG a"', '"token": "IGa\\n"', '"token": "EAAx"', '"token": ""')
        ),
    ),
    "revocation": (
        "POST",
        "tokens/revoke",
        ('{"token": "TOKEN", "subcode": 33}', '{"token": "TOKEN", "subcode": "460"}'),
    ),
    "fault": (
        "POST",
        "faults",
        (
            '{"operation": "status", "code": 0}',
            '{"operation": "status", "code": -5}',
            '{"operation": "status", "code": true}',
            '{"operation": "status", "code": 1, "account": "1"}',
            '{"operation": "publsh", "drop": true}',
            '{"operation": "upload", "cut_after_bytes": 5, "when": "after"}',
        ),
    ),
    "processing": (
        "POST",
        "processing",
        (
            '{"processing": {}}',
            '{"processing": {"never": true, "after_polls": 2}}',
            '{"processing": {"after_s": 1, "after_polls": 2}}',
            '{"processing": {"after_s": 1, "never": true}}',
            '{"processing": {"subcode": 2207077}}',
            '{"processing": {"outcome": "error", "phase": "uploading"}}',
            '{"processing": {"never": true}, "times": 100000000000}',
            '{"processing": {"never": true}, "times": 0}',
        ),
    ),
}


@pytest.fixture
def http(instagram_sandbox: SandboxHandle) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{instagram_sandbox.url}/_sandbox", trust_env=False) as client:
        yield client


@pytest.mark.parametrize("kind", SENSELESS)
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(
    kind: str, http: httpx.Client, caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    """Each answer names the fault without repeating what was sent, and all that can be read stays readable."""
    method, path, bodies = SENSELESS[kind]
    doors = ("switches", "accounts", "faults", "posts", "containers", "truth")
    before = [http.get(door).json() for door in doors]
    for body in bodies:
        answer = http.request(method, path, content=body.replace("TOKEN", instagram_sandbox.token))
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["detail"], body
        assert "EAA" not in answer.text
    assert [http.get(door).json() for door in doors] == before
    assert caller.get("me/media").status_code == 200


def test_the_body_is_json_whatever_type_it_claims(http: httpx.Client, instagram_sandbox: SandboxHandle) -> None:
    """As ``curl -d`` sends it."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    before = instagram_sandbox.now()
    assert http.post("clock", content='{"seconds": 3600}', headers=form).status_code == 200
    assert instagram_sandbox.now() - before >= 3600


def test_the_clock_ends_somewhere(http: httpx.Client, instagram_sandbox: SandboxHandle) -> None:
    """Ten years at a time, it never leaves the calendar: all reads go on."""
    answers = [http.post("clock", json={"seconds": 3650 * 86_400}) for _ in range(720)]
    assert {answer.status_code for answer in answers} == {200, 422}
    assert "8999" in answers[-1].json()["detail"]
    assert http.get("clock").json()["time"].startswith("89")


def test_a_fault_for_an_account_that_does_not_exist_is_refused(instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError, match="The account 17841400000000009 does not exist"):
        instagram_sandbox.fail("status", 1, account="17841400000000009")


def test_a_name_that_another_account_has_is_refused(instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.add_account("17841400000000002", "second")
    with pytest.raises(ValueError, match="already"):
        instagram_sandbox.change_account("17841400000000002", username="sandbox_studio")
    instagram_sandbox.change_account("17841400000000002", username="second")


def test_a_misspelt_question_is_not_answered_with_nothing(http: httpx.Client, instagram_sandbox: SandboxHandle) -> None:
    """``calls("publsh") == 0`` would pass for ever."""
    with pytest.raises(ValueError, match="operation: Input should be"):
        instagram_sandbox.calls("publsh")
    with pytest.raises(ValueError, match=r"Unknown query parameter 'acount'\. Known parameters: account, after"):
        instagram_sandbox.journal(acount=USER)
    for question in ("posts?captoin=a", "containers?user=1", "truth?a=1", "clock?seconds=5"):
        assert http.get(question).status_code == 422, question


def test_faults_and_the_journal_know_the_same_operations() -> None:
    assert set(get_args(Fault.model_fields["operation"].annotation)) == {*get_args(Operation), "*"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "jurnal"),
        ("PUT", "clock"),
        ("DELETE", "posts"),
        ("GET", "posts/"),
        ("OPTIONS", "faults"),
        ("TRACE", "clock"),
        ("GET", ""),
    ],
)
def test_a_door_that_does_not_exist_is_answered_with_those_that_do(
    method: str, path: str, instagram_sandbox: SandboxHandle
) -> None:
    answer = httpx.request(method, f"{instagram_sandbox.url}/_sandbox{'/' if path else ''}{path}")
    assert answer.status_code == 404
    for door in ("GET /_sandbox/journal", "POST /_sandbox/clock", "PATCH /_sandbox/accounts/{user_id}"):
        assert door in answer.json()["detail"]
    assert instagram_sandbox.journal() == []


def test_accounts_tokens_and_revocations_take_what_meta_documents(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    told = set()
    for subcode in (0, 458, 459, 460, 463, 464, 467, 492):
        token = instagram_sandbox.add_token(USER, token=f"IGAAtoken{subcode}")
        instagram_sandbox.revoke(token, subcode)
        error: dict[str, Any] = caller.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"}).json()[
            "error"
        ]
        assert (error["code"], error.get("error_subcode", 0)) == (190, subcode)
        told.add(error["message"])
    assert len(told) == 8


def test_containers_come_oldest_first(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    made = [caller.create(upload_type="resumable").json()["id"] for _ in range(12)]
    assert [container.container_id for container in instagram_sandbox.containers] == made


def test_a_plan_without_words_is_as_usual(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """So that the first container may be as usual, and the second not."""
    instagram_sandbox.process_next()
    instagram_sandbox.process_next(outcome="error", subcode=2207077, after_s=0)
    for _ in range(2):
        caller.upload(caller.create(upload_type="resumable").json()["id"], b"no video")
    instagram_sandbox.advance(5)
    assert [container.subcode for container in instagram_sandbox.containers] == [2207026, 2207077]


def test_the_sandbox_publishes_no_schema_of_its_own(instagram_sandbox: SandboxHandle) -> None:
    assert httpx.get(f"{instagram_sandbox.url}/openapi.json").status_code == 400


def test_a_change_of_the_processing_keeps_what_it_does_not_name(instagram_sandbox: SandboxHandle) -> None:
    def changed(**to: Any) -> dict[str, Any]:
        found = httpx.patch(f"{instagram_sandbox.url}/_sandbox/switches", json={"processing": to}).json()["processing"]
        return {name: value for name, value in found.items() if value not in {None, False}}

    usual = {"outcome": "inspected", "phase": "processing"}
    assert changed(after_s=7.0, copyright="match") == usual | {"after_s": 7.0, "copyright": "match"}
    assert changed(copyright="error") == usual | {"after_s": 7.0, "copyright": "error"}
    failed = {"outcome": "error", "phase": "processing", "subcode": 2207077, "copyright": "error"}
    assert changed(outcome="error", subcode=2207077) == failed | {"after_s": 7.0}
    assert changed(never=True) == failed | {"never": True}, "one way to end replaces another"
    assert changed(outcome="finished", copyright="clear") == {
        "outcome": "finished", "phase": "processing", "copyright": "clear", "never": True,
    }  # fmt: skip
