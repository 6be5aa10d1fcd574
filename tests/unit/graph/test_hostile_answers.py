"""What a hostile or broken server may answer: never more than a short message, and never an error of Python's."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TransientError
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.errors import error_from_answer
from airflow_provider_instagram.graph.models import ContainerStatus
from airflow_provider_instagram.graph.usage import Usage

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from tests.unit.graph.conftest import Send, WebServer

AT = datetime(2026, 5, 6, tzinfo=timezone.utc)
#: Numbers as JSON spells them: of 401 and of 5,000 digits, as text too, and what Python reads as a number in JSON.
NUMBERS = {
    "401 digits": "1" * 401,
    "5,000 digits": "1" * 5_000,
    "401 digits as text": f'"{"1" * 401}"',
    "5,000 digits as text": f'"{"1" * 5_000}"',
    "negative": f"-{'1' * 401}",
    "1e999": "1e999",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
}
#: Each call that reads a number, with an answer in which it is N.
READS: dict[str, tuple[Call[Any], str]] = {
    "quota": (calls.publishing_limit("1"), '{"quota_usage": N, "config": {"quota_total": 1, "quota_duration": 1}}'),
    "total": (calls.publishing_limit("1"), '{"quota_usage": 1, "config": {"quota_total": N, "quota_duration": 1}}'),
    "period": (calls.publishing_limit("1"), '{"quota_usage": 1, "config": {"quota_total": 1, "quota_duration": N}}'),
    "bytes": (
        calls.container_status("1"),
        '{"id": "1", "video_status": {"uploading_phase": {"bytes_transferred": N}}}',
    ),
    "comments": (calls.comment_count("1"), '{"id": "1", "comments_count": N}'),
    "metric": (calls.media_insights("1", ["reach"]), '{"data": [{"name": "reach", "values": [{"value": N}]}]}'),
    "total of a metric": (
        calls.account_insights("1", ["reach"], since=AT, until=AT),
        '{"data": [{"name": "reach", "total_value": {"value": N}}]}',
    ),
    "music": (calls.search_audio("1", "music"), '{"audio": [{"audio_id": "1", "duration_in_ms": N}]}'),
    "life of a token": (oauth.refresh("IGAAx"), '{"access_token": "IGAAy", "expires_in": N}'),
    "end of a token": (calls.token_info("EAAx"), '{"data": {"is_valid": true, "expires_at": N}}'),
    "id": (calls.publish("1", "2"), '{"id": N}'),
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("what", READS)
def test_a_number_that_cannot_be_is_a_temporary_error(server: WebServer, what: str, number: str) -> None:
    call, answer = READS[what]
    if "metric" in what and "text" in number:
        number = "1e999"  # a text is no number of a metric
    server.answer(answer.replace("N", NUMBERS[number]), times=4)
    with (
        GraphClient("IGAAx", base_url=server.url, sleep=lambda _: None) as client,
        pytest.raises(TransientError) as raised,
    ):
        client.send(call)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("number", NUMBERS.values())
def test_usage_that_cannot_be_is_none(number: str) -> None:
    headers = {"X-App-Usage": f'{{"call_count": {number}}}'}
    assert (usage := Usage.read(headers)) is None or usage.percent == 0
    answer = error_from_answer("read", 400, headers, b'{"error": {"code": 4}}', changes=False)
    assert answer.retry_after in (None, usage.regain if usage else None)


@pytest.mark.parametrize("number", NUMBERS.values())
def test_a_code_that_cannot_be_is_none(number: str) -> None:
    body = f'{{"error": {{"code": {number}, "error_subcode": {number}, "message": "No."}}}}'
    error = error_from_answer("read", 400, {}, body.encode(), changes=False)
    assert (error.code, error.subcode, len(str(error)) < 400) == (None, None, True)


@pytest.mark.parametrize("depth", [100, 900, 990, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_as_deep_as_a_well_is_an_error_of_ours(
    server: WebServer, send: Send, depth: int, status: int
) -> None:
    for body in ("[" * depth + "]" * depth, '{"error":' * depth + "1" + "}" * depth):
        server.answer(body, status)
        with pytest.raises(InstagramError):
            send(calls.publish("1", "2"))


@pytest.mark.parametrize("row", [None, 1, "x", [], [[]]])
def test_rows_that_are_no_objects_are_left_out(server: WebServer, send: Send, row: object) -> None:
    reads: list[Call[Any]] = [calls.media_list("1"), calls.comment_list("1"), calls.comment_counts("1")]
    for call in (*reads, calls.facebook_pages()):
        server.answer({"data": [row]})
        assert not getattr(found := send(call), "items", found)


def test_a_post_of_the_first_year_has_no_time(server: WebServer, send: Send) -> None:
    server.answer({"id": "1", "timestamp": "0001-01-01T00:00:00+1400"})
    assert send(calls.media("1")).timestamp is None


PAGE = (
    "<!DOCTYPE html>\n<html><head><title>502</title></head><body><h1>Bad Gateway</h1><script>x</script></body></html>"
)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "body", [PAGE, f"\ufeff \n{PAGE.upper()}", json.dumps({"detail": PAGE}), json.dumps({"error": {"message": PAGE}})]
)
def test_an_html_page_is_named_and_not_quoted(server: WebServer, send: Send, status: int, body: str) -> None:
    server.answer(body, status)
    with pytest.raises(InstagramError) as raised:
        send(calls.publish("1", "2"))
    assert "an HTML page" in str(raised.value) or (status == 200 and body.startswith("{"))
    assert "<" not in str(raised.value)
    assert "Bad Gateway" not in str(raised.value)


def test_the_page_of_a_proxy_says_its_status_and_its_host(server: WebServer, send: Send) -> None:
    server.answer(PAGE, 403)
    with pytest.raises(InstagramError) as raised:
        send(calls.publish("1", "2"))
    assert raised.value.message == (
        "Cannot publish container 2: the answer from 127.0.0.1 was HTTP 403 (an HTML page instead of an answer)."
    )


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        ({"error": {"type": "Unknown", "detail": "quota"}}, "quota"),
        ({"error": "invalid_request", "error_description": "Redirect"}, "invalid_request"),
        ({"errors": [{"message": "No <b>such</b> thing"}]}, "No such thing"),
        (["odd"], "odd"),
        ({"error": {"code": 77777, "message": "New <i>rule</i>"}}, "New rule"),
    ],
)
def test_an_error_of_an_unknown_shape_is_quoted_without_tags(body: object, quoted: str) -> None:
    error = error_from_answer("read", 400, {}, json.dumps(body).encode(), changes=False)
    assert quoted in str(error)
    assert "<" not in str(error)


def test_an_unlisted_code_does_not_say_whether_a_retry_helps() -> None:
    error = error_from_answer("read", 400, {}, b'{"error": {"code": 77777}}', changes=False)
    assert error.hint == "A retry may help or not. If it does not, look up the error in Meta's error reference."


ATTACK = "https://" * 10_000
SHAPES: dict[str, dict[str, Any]] = {
    "error": {"error": dict.fromkeys(("message", "error_user_msg", "error_user_title", "fbtrace_id", "type"), ATTACK)},
    "upload": {"debug_info": {"type": ATTACK, "message": ATTACK}},
    "login": {"error_type": ATTACK, "error_message": ATTACK},
    "unknown": {"detail": ATTACK},
    "deep": {"error": {"what": {"is": [ATTACK]}}},
}


@pytest.mark.parametrize("attack", [ATTACK, "a b" * 30_000, "ü" * 80_000, "\u2028" * 80_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_quotes_at_most_four_thousand_characters(shape: str, attack: str) -> None:
    body = json.dumps(SHAPES[shape]).replace(ATTACK, attack).encode()
    error = error_from_answer("read", 400, {}, body, changes=False)
    assert len(str(error)) < 4_000
    assert len(repr(error.as_data())) < 8_000


def test_what_a_container_says_is_cut_and_shows_no_signature() -> None:
    said = "Could not fetch //media.example/a.jpg?X-Amz-Signature=SECRET"
    data = {"id": "1", "status_code": "ERROR", "status": said, "video_status": {}}
    data["video_status"] = {"processing_phase": {"status": "error", "errors": [{"message": said}, *[ATTACK] * 500]}}
    status = ContainerStatus.read(data)
    for text in (str(status.failure()), status.summary()):
        assert "Could not fetch //media.example/a.jpg?…" in text
        assert "SECRET" not in text
        assert len(text) < 5_000


@pytest.mark.parametrize("reason", [ATTACK[:60_000], "<html>"])
def test_a_status_line_is_cut_in_logs(
    server: WebServer, send: Send, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    caplog.set_level("INFO", "httpx")
    begin = f"HTTP/1.1 200 {reason}\r\nContent-Length: 11\r\n\r\n".encode()
    server.drip(begin, b'{"id": "1"}', times=1)
    assert send(calls.publish("1", "2")) == "1"
    assert all(len(record.getMessage()) < 4_100 for record in caplog.records)
