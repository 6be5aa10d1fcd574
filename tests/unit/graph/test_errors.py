from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitError,
    TransientError,
)
from airflow_provider_instagram.graph.errors import RULES, Cause, cause_of, error_from_answer, rule_for

FAIL, RETRY = False, True
#: Meta's table, row by row: code, subcode, what it becomes, whether trying again can help, whether a publish that is
#: answered so may be live, and how many new containers are worth making.
TABLE: list[tuple[int, int | None, type[InstagramError], bool, bool, int]] = [
    (190, None, AuthenticationError, FAIL, False, 0),
    (190, 0, AuthenticationError, FAIL, False, 0),
    (190, 463, AuthenticationError, FAIL, False, 0),
    (190, 459, PermissionDeniedError, FAIL, False, 0),
    (102, None, AuthenticationError, FAIL, False, 0),
    *((100, subcode, AuthenticationError, FAIL, False, 0) for subcode in (36007, 36008, 36009)),
    (20, 1772107, OutcomeUnknownError, FAIL, True, 0),
    (10, None, PermissionDeniedError, FAIL, False, 0),
    (200, None, PermissionDeniedError, FAIL, False, 0),
    (299, None, PermissionDeniedError, FAIL, False, 0),
    (3, None, PermissionDeniedError, FAIL, False, 0),
    (4, None, RateLimitError, RETRY, False, 0),
    (17, 2446079, RateLimitError, RETRY, False, 0),
    (32, None, RateLimitError, RETRY, False, 0),
    (613, None, RateLimitError, RETRY, False, 0),
    (341, None, RateLimitError, RETRY, False, 0),
    (80002, None, RateLimitError, RETRY, False, 0),
    (4, 2207051, PermissionDeniedError, FAIL, True, 0),
    (9, 2207042, QuotaExhaustedError, RETRY, False, 0),
    (9007, 2207027, NotReadyError, RETRY, False, 0),
    (9007, 2207055, NotReadyError, RETRY, False, 0),
    (24, 2207006, NotReadyError, RETRY, False, 1),
    (24, 2207008, NotReadyError, RETRY, False, 1),
    (-2, 2207020, ContainerExpiredError, FAIL, False, 3),
    (-2, 2207003, MediaRejectedError, FAIL, False, 3),
    (-1, 2207001, TransientError, RETRY, True, 3),
    (-1, 2207032, TransientError, RETRY, True, 3),
    (-1, 2207053, TransientError, RETRY, True, 3),
    (1, None, TransientError, RETRY, True, 0),
    (2, None, TransientError, RETRY, True, 0),
    (352, 2207026, MediaRejectedError, FAIL, False, 0),
    (9004, 2207052, MediaRejectedError, FAIL, False, 1),
    (-1, 2207076, MediaRejectedError, FAIL, False, 1),
    (-1, 2207077, MediaRejectedError, FAIL, False, 1),
    (-1, 2207082, MediaRejectedError, FAIL, False, 1),
    (-1, 2207085, MediaRejectedError, FAIL, False, 1),
    (-1, 1363008, MediaRejectedError, FAIL, False, 1),
    (100, 2207081, PermissionDeniedError, FAIL, False, 0),
    (25, 2207050, PermissionDeniedError, FAIL, False, 0),
    (36000, 2207004, MediaRejectedError, FAIL, False, 0),
    (36001, 2207005, MediaRejectedError, FAIL, False, 0),
    (36003, 2207009, MediaRejectedError, FAIL, False, 0),
    (110, 2207013, MediaRejectedError, FAIL, False, 0),
    (110, 2207018, MediaRejectedError, FAIL, False, 0),
    (36004, 2207010, MediaRejectedError, FAIL, False, 0),
    (1, 2207057, MediaRejectedError, FAIL, False, 0),
    (100, 2207023, MediaRejectedError, FAIL, False, 0),
    (100, 2207028, MediaRejectedError, FAIL, False, 0),
    (100, 2207035, MediaRejectedError, FAIL, False, 0),
    (100, 2207036, MediaRejectedError, FAIL, False, 0),
    (100, 2207037, MediaRejectedError, FAIL, False, 0),
    (100, 2207040, MediaRejectedError, FAIL, False, 0),
    (100, 2207089, MediaRejectedError, FAIL, False, 0),
    (100, 33, NotReadyError, RETRY, True, 0),
    (368, None, PermissionDeniedError, FAIL, False, 0),
    (506, None, OutcomeUnknownError, FAIL, True, 0),
]


def refused(
    error: object,
    status: int = 400,
    headers: dict[str, str] | None = None,
    *,
    changes: bool = True,
    key: str = "error",
) -> InstagramError:
    body = json.dumps({key: error}).encode()
    return error_from_answer("publish container 7", status, headers or {}, body, changes=changes)


@pytest.mark.parametrize(("code", "subcode", "error", "retryable", "unknown", "new"), TABLE)
def test_each_row_of_metas_table_becomes_its_own_exception(
    code: int, subcode: int | None, error: type[InstagramError], retryable: bool, unknown: bool, new: int
) -> None:
    answer: dict[str, Any] = {"message": "No.", "type": "OAuthException", "code": code, "fbtrace_id": "AbC"}
    answer |= {"error_user_msg": "Sorry.", "is_transient": False}
    if subcode is not None:
        answer["error_subcode"] = subcode
    raised = refused(answer)
    rule = rule_for(code, subcode)
    assert type(raised) is error
    assert raised.retryable is retryable
    assert raised.outcome_unknown is unknown
    assert rule is not None
    assert rule.new_containers == new
    assert (raised.code, raised.subcode, raised.fbtrace_id) == (code, subcode or None, "AbC")
    assert raised.user_message == "Sorry."
    assert raised.hint
    assert "publish container 7" in str(raised)


def test_the_table_has_no_row_that_meta_has_not() -> None:
    documented = {rule_for(code, subcode) for code, subcode, *_ in TABLE}
    documented |= {rule_for(code, None) for code in range(200, 300)} | {rule_for(9007, None), rule_for(-1, None)}
    assert set(RULES) == documented


@pytest.mark.parametrize(("code", "subcode"), [(100, 2207026), (None, 2207026)])
def test_a_subcode_of_instagram_counts_whatever_its_code(code: int | None, subcode: int) -> None:
    assert rule_for(code, subcode) == rule_for(352, 2207026)


def test_a_small_subcode_means_something_only_with_its_code() -> None:
    assert rule_for(12345, 33) is None


@pytest.mark.parametrize(
    ("code", "subcode", "message", "cause"),
    [
        (100, None, "(#100) Tried accessing nonexisting field (x)", Cause.INVALID_PARAMETER),
        (100, 33, "Unsupported get request", Cause.NO_SUCH_OBJECT),
        (200, 33, "No", None),
        (100, 2207028, "Children", Cause.INVALID_CHILDREN),
        (-1, 2207028, "Children", Cause.INVALID_CHILDREN),
        (100, 2108006, "Media posted before business account conversion", Cause.OLDER_THAN_ACCOUNT),
        (10, None, "(#10) Not enough viewers for the media to show insights", Cause.TOO_FEW_VIEWERS),
        (10, None, "(#10) Application does not have permission for this action", Cause.NO_PERMISSION),
        (1, None, "Not enough viewers", None),
    ],
)
def test_an_error_that_a_caller_answers_has_a_cause(
    code: int, subcode: int | None, message: str, cause: Cause | None
) -> None:
    assert cause_of(refused({"code": code, "error_subcode": subcode, "message": message})) is cause


def test_an_unknown_code_is_kept_with_metas_words() -> None:
    raised = refused({"message": "Never seen before", "code": 77777, "error_subcode": 88})
    assert type(raised) is InstagramError
    assert (raised.code, raised.subcode) == (77777, 88)
    assert "Never seen before" in str(raised)
    assert "77777/88" in str(raised)


def test_what_a_change_did_that_ended_in_an_unknown_code_is_not_known() -> None:
    """Nobody has described it: it says nothing of what was done, whatever its status."""
    assert refused({"code": 77777}).outcome_unknown
    assert not refused({"code": 77777}, changes=False).outcome_unknown


def test_only_a_change_has_an_unknown_outcome() -> None:
    assert not refused({"code": 2}, 500, changes=False).outcome_unknown
    assert not refused({"code": 4, "error_subcode": 2207051}, changes=False).outcome_unknown


@pytest.mark.parametrize("code", [2, 190, 77777])
def test_a_server_error_leaves_every_change_unknown(code: int) -> None:
    assert refused({"code": code}, 500).outcome_unknown


def test_a_proxys_page_on_a_5xx_passes_and_leaves_a_change_unknown() -> None:
    page = b"<html><h1>502 Bad Gateway</h1></html>"
    raised = error_from_answer("publish", 502, {}, page, changes=True)
    assert type(raised) is TransientError
    assert raised.outcome_unknown
    assert "HTTP 502" in str(raised)
    assert not error_from_answer("read", 502, {}, page, changes=False).outcome_unknown


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 408])
@pytest.mark.parametrize("page", [b"<html></html>", b'{"success": false}'])
def test_an_answer_that_is_not_metas_leaves_a_change_unknown(status: int, page: bytes) -> None:
    assert error_from_answer("publish", status, {}, page, changes=True).outcome_unknown
    assert not error_from_answer("read", status, {}, page, changes=False).outcome_unknown


def test_the_wait_of_a_used_up_account_comes_from_the_usage_header() -> None:
    report = [{"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 17}]
    raised = refused({"code": 80002}, headers={"X-Business-Use-Case-Usage": json.dumps({"1784": report})})
    assert raised.retry_after == timedelta(minutes=17)


def test_too_many_requests_without_metas_envelope_is_a_rate_limit() -> None:
    raised = error_from_answer("read", 429, {"Retry-After": "30"}, b"slow down", changes=False)
    assert type(raised) is RateLimitError
    assert raised.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("header", ["9" * 5000, "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_no_number_of_seconds_is_unknown(header: str) -> None:
    assert error_from_answer("read", 429, {"Retry-After": header}, b"", changes=False).retry_after is None


def test_not_ready_says_when_to_try_again() -> None:
    assert refused({"code": 9007, "error_subcode": 2207027}).retry_after == timedelta(seconds=15)


@pytest.mark.parametrize(
    ("kind", "retriable", "error"),
    [
        ("NotAuthorizedError", False, PermissionDeniedError),
        ("ProcessingFailedError", False, MediaRejectedError),
        ("ProcessingFailedError", True, TransientError),
        ("OffsetInvalidError", False, TransientError),
        ("PartialRequestError", False, TransientError),
        ("SomethingNewError", True, TransientError),
        ("SomethingNewError", False, InstagramError),
    ],
)
def test_the_upload_hosts_own_error_shape_is_understood(
    kind: str, retriable: bool, error: type[InstagramError]
) -> None:
    raised = refused({"retriable": retriable, "type": kind, "message": "Byte 5"}, key="debug_info")
    assert type(raised) is error
    assert "Byte 5" in str(raised)


def test_a_refused_upload_names_the_alternative() -> None:
    assert 'upload="url"' in str(refused({"type": "NotAuthorizedError", "message": "no"}, key="debug_info"))


def test_the_login_hosts_own_error_shape_is_understood() -> None:
    body = {"error_type": "OAuthException", "code": 400, "error_message": "This authorization code has been used"}
    raised = error_from_answer("exchange the login code", 400, {}, json.dumps(body).encode(), changes=True)
    assert type(raised) is AuthenticationError
    assert "has been used" in str(raised)


WRONG_SECRET = "Error validating client secret."
WRONG_APP = "Error validating application. Cannot get application info due to a system error."
NO_PROOF = "API calls from the server require an appsecret_proof argument"


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        (1, WRONG_SECRET, "The app secret is wrong"),
        (100, WRONG_SECRET, "The app secret is wrong"),
        (101, WRONG_SECRET, "The app secret is wrong"),
        (100, "Invalid appsecret_proof provided in the API argument", "The app secret is wrong"),
        (100, NO_PROOF, "The app secret is missing"),
        (101, "Missing client_id parameter.", "Meta knows no app with this app id"),
        (101, WRONG_APP, "Meta knows no app with this app id"),
        (190, WRONG_APP, "Meta knows no app with this app id"),
        (1, "Error validating client secret", "The app secret is wrong"),
    ],
)
def test_a_wrong_app_is_no_fault_of_a_server(code: int, message: str, says: str) -> None:
    """As Facebook's host answers, with HTTP 400 whatever the code. Each says where the right values are and go."""
    raised = refused({"message": message, "type": "OAuthException", "code": code})
    assert (type(raised), raised.retryable, raised.code) == (AuthenticationError, False, code)
    assert says in str(raised)
    assert message.rstrip(".") in str(raised)
    for place in ("App settings, Basic", "API setup with Instagram login", "Meta app secret"):
        assert place in str(raised)
    assert "later" not in str(raised)


@pytest.mark.parametrize("message", ["An unknown error occurred", "Please reduce the amount of data", ""])
@pytest.mark.parametrize("status", [400, 500])
def test_any_other_error_with_code_1_is_temporary(message: str, status: int) -> None:
    body = json.dumps({"error": {"message": message, "type": "OAuthException", "code": 1}}).encode()
    assert type(error_from_answer("read", status, {}, body, changes=False)) is TransientError


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (WRONG_SECRET, "The app secret is wrong"),
        ("Invalid platform app", "Meta knows no app with this app id"),
        ("Invalid Client Secret", "The app secret is wrong"),
        ("You must provide a client_id", "Meta knows no app with this app id"),
    ],
)
def test_a_wrong_app_of_instagram_login_says_which_value_is_wrong(message: str, says: str) -> None:
    body = {"error_type": "OAuthException", "code": 400, "error_message": message}
    raised = error_from_answer("exchange the login code", 400, {}, json.dumps(body).encode(), changes=True)
    assert (type(raised), raised.outcome_unknown) == (AuthenticationError, False)
    assert says in str(raised)
    assert "API setup with Instagram login" in str(raised)


def test_a_refused_code_of_instagram_login_may_come_from_a_wrong_secret() -> None:
    """One who had a wrong secret was told this."""
    message = "Error validating verification code. Please make sure your redirect_uri is identical"
    body = {"error_type": "OAuthException", "code": 400, "error_message": message}
    said = str(error_from_answer("exchange the login code", 400, {}, json.dumps(body).encode(), changes=True))
    assert "app secret" in said
    assert "valid once, for one hour" in said


@pytest.mark.parametrize(
    ("subcode", "says"), [(36007, "not valid"), (36008, "other redirect"), (36009, "was used before")]
)
def test_a_refused_code_of_facebook_says_why(subcode: int, says: str) -> None:
    raised = refused({"code": 100, "error_subcode": subcode, "message": "No."})
    assert says in raised.message
    assert "Log in again" in str(raised.hint)


def test_at_a_checkpoint_the_token_stays_valid() -> None:
    raised = refused({"code": 190, "error_subcode": 459, "message": "You cannot access the app"})
    assert "stays valid" in str(raised.hint)


@pytest.mark.parametrize("code", [10, 200, 190])
def test_access_to_data_that_has_ended_is_mended_by_a_login_and_by_no_scope(code: int) -> None:
    raised = refused({"code": code, "message": "(#10) The app's access to the data of this user has expired"})
    assert type(raised) is AuthenticationError
    assert cause_of(raised) is None
    assert "log in again" in raised.message
    assert "_insights" not in str(raised)


@pytest.mark.parametrize("body", [b"", b"[]", b'"no"', b'{"error": "no"}', b"\xff\xfe", b"null"])
def test_no_answer_is_too_odd_to_be_reported(body: bytes) -> None:
    assert "HTTP 400" in str(error_from_answer("read", 400, {}, body, changes=False))


def test_a_secret_in_metas_words_is_not_repeated() -> None:
    raised = refused({"message": "Bad ?access_token=IGAAsecretsecretsecret1&x=1", "code": 190})
    assert "secret" not in str(raised)
    assert "(Meta: Bad ?…)" in str(raised)
