from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    PermissionDeniedError,
)
from airflow_provider_instagram.graph.models import (
    Account,
    Comment,
    Container,
    ContainerState,
    ContainerStatus,
    Media,
    Page,
    PublishingLimit,
    Token,
    page_of,
)

read_page = page_of(Media.read, "media")


def status(status_code: str | None = None, sentence: str | None = None, **phases: object) -> ContainerStatus:
    data: dict[str, Any] = {"id": "17900000000000001", "status_code": status_code, "status": sentence}
    return ContainerStatus.read(data | {"video_status": phases})


FAILED_PHASE = {"status": "error", "errors": [{"message": "2207077: could not process", "code": 2207077}]}
DOWNLOAD_FAILED = "Error: Media download has failed. The media URI doesn't meet our requirements."


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (status("IN_PROGRESS", "In Progress: Media is still being processed."), ContainerState.IN_PROGRESS),
        (status("FINISHED", "Finished: Media has been uploaded and it is ready."), ContainerState.FINISHED),
        (status("PUBLISHED", "Published: Media has been published."), ContainerState.PUBLISHED),
        (status("ERROR", "Error: Media upload has failed with error code 2207026"), ContainerState.ERROR),
        (status("EXPIRED", "Expired: not published within 24 hours"), ContainerState.EXPIRED),
        (status("IN_PROGRESS", "In Progress", processing_phase=FAILED_PHASE), ContainerState.ERROR),
        (status("IN_PROGRESS", "In Progress", uploading_phase=FAILED_PHASE), ContainerState.ERROR),
        (status("", DOWNLOAD_FAILED), ContainerState.ERROR),
        (status(None, DOWNLOAD_FAILED), ContainerState.ERROR),
        (status(None, "Finished: Media has been uploaded."), ContainerState.FINISHED),
        (status("PUBLISHED", "Published", processing_phase=FAILED_PHASE), ContainerState.PUBLISHED),
        (status("SOMETHING_NEW", "?"), ContainerState.IN_PROGRESS),
        (status(), ContainerState.IN_PROGRESS),
    ],
)
def test_the_state_takes_code_sentence_and_phases_together(answer: ContainerStatus, state: ContainerState) -> None:
    assert answer.state is state
    assert answer.is_terminal is (state is not ContainerState.IN_PROGRESS)


@pytest.mark.parametrize(
    ("answer", "subcode"),
    [
        (status("ERROR", "Error: Media upload has failed with error code 2207026"), 2207026),
        (status("IN_PROGRESS", "In Progress", processing_phase=FAILED_PHASE), 2207077),
        (status("ERROR", "Error: code 1363008."), 1363008),
        (status("ERROR", "Error: 12207026 or 22070261"), None),
        (status("ERROR", None), None),
    ],
)
def test_the_subcode_is_found_wherever_it_stands(answer: ContainerStatus, subcode: int | None) -> None:
    assert answer.subcode == subcode


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status("EXPIRED"), ContainerExpiredError),
        (status("ERROR", "Error: 2207026"), MediaRejectedError),
        (status("ERROR", "Error: 2207020"), ContainerExpiredError),
        (status("ERROR", "Error: 2207001"), MediaRejectedError),
        (status("ERROR", "Error: 2207050"), PermissionDeniedError),
        (status("ERROR", "Error: 2207999"), MediaRejectedError),
        (status("", DOWNLOAD_FAILED), MediaRejectedError),
        (status("IN_PROGRESS", None, processing_phase=FAILED_PHASE), MediaRejectedError),
    ],
)
def test_a_dead_container_says_why_and_what_to_do(answer: ContainerStatus, error: type[InstagramError]) -> None:
    failure = answer.failure()
    assert type(failure) is error
    assert not failure.retryable
    assert "17900000000000001" in failure.message
    assert failure.hint
    assert failure.subcode == answer.subcode
    assert answer.status in failure.message


@pytest.mark.parametrize("code", ["IN_PROGRESS", "FINISHED", "PUBLISHED"])
def test_a_container_that_is_good_has_no_failure(code: str) -> None:
    assert status(code).failure() is None
    assert status(code).new_containers == 0


@pytest.mark.parametrize(
    ("answer", "new"),
    [
        (status("EXPIRED"), 3),
        (status("ERROR", "Error: 2207003"), 3),
        (status("ERROR", "Error: 2207053"), 3),
        (status("ERROR", "Error: 2207052"), 1),
        (status("ERROR", "Error: 2207082"), 1),
        (status("ERROR", "Error: code 1363008"), 1),
        (status("ERROR", DOWNLOAD_FAILED), 1),
        (status("ERROR", "Error: 2207026"), 0),
        (status("ERROR", "Error: 2207010"), 0),
        (status("ERROR", "Error: 2207999"), 0),
    ],
)
def test_a_new_container_is_made_only_where_it_can_help(answer: ContainerStatus, new: int) -> None:
    assert answer.new_containers == new


def test_the_progress_of_an_upload_is_read() -> None:
    phase = {"status": "in_progress", "bytes_transferred": 1048576, "source_file_size": "4194304"}
    answer = status("IN_PROGRESS", "In Progress", uploading_phase=phase)
    assert (answer.bytes_transferred, answer.source_file_size_bytes) == (1048576, 4194304)
    assert answer.summary() == "IN_PROGRESS, “In Progress”, upload in progress, 1,048,576 of 4,194,304 bytes received"


@pytest.mark.parametrize("video_status", [None, [], "x", {"uploading_phase": None}, {"processing_phase": []}])
def test_a_status_is_read_whatever_its_phases_look_like(video_status: object) -> None:
    answer = ContainerStatus.read({"id": "1", "video_status": video_status})
    assert answer.state is ContainerState.IN_PROGRESS
    assert answer.bytes_transferred is None


@pytest.mark.parametrize(
    ("check", "finding"),
    [
        ({"status": "completed", "matches_found": False}, None),
        ({"status": "complete", "matches_found": True}, "has found the work of somebody else"),
        ({"status": "complete", "matches_found": False}, None),
        ({"status": "in_progress", "matches_found": True}, "has found the work of somebody else"),
        ({"status": "in_progress", "matches_found": False}, "has not ended"),
        ({"status": "error"}, "has failed"),
        ("not an object", "has not ended"),
        (None, "has not ended"),
    ],
)
def test_a_copyright_check_that_is_not_clear_is_a_finding(check: Any, finding: str | None) -> None:
    found = ContainerStatus.read({"id": "1", "copyright_check_status": check}).copyright.finding
    assert (finding in found) if finding and found else (found == finding)


def test_a_container_keeps_its_upload_uri_as_it_is() -> None:
    uri = "https://rupload.facebook.com/ig-api-upload/v27.0/17"
    assert Container.read({"id": "17", "uri": uri}) == Container("17", uri)
    assert Container.read({"id": "17"}) == Container("17", None)


@pytest.mark.parametrize("data", [{}, {"id": ""}, {"id": None}, {"id": "x7"}, {"id": 1.5}, {"id": -3}])
def test_an_answer_without_an_id_is_none(data: dict[str, Any]) -> None:
    for model in (Container, ContainerStatus, Media):
        with pytest.raises(ValueError, match="id"):
            model.read(data)


def test_a_post_is_read_with_its_time() -> None:
    data = {"id": "18", "permalink": "https://www.instagram.com/reel/x/", "timestamp": "2026-11-24T15:48:20+0000"}
    post = Media.read(data)
    assert post.permalink == "https://www.instagram.com/reel/x/"
    assert post.timestamp == datetime(2026, 11, 24, 15, 48, 20, tzinfo=timezone.utc)
    assert post.caption is None
    assert Media.read({"id": "18", "timestamp": "yesterday"}).timestamp is None


def test_only_a_page_with_a_next_one_says_where_it_begins() -> None:
    link = "https://graph.instagram.com/v27.0/1/media?access_token=secret&after=QVFI"
    rows = [{"id": "2"}, {"id": "1"}]
    both = {"cursors": {"before": "a", "after": "QVFI"}, "next": link}
    assert read_page({"data": rows, "paging": both}) == Page((Media("2"), Media("1")), "QVFI")
    assert read_page({"data": rows, "paging": {"next": link}}).after == "QVFI"
    assert read_page({"data": rows, "paging": {"cursors": {"after": "QVFI"}}}).after is None
    assert read_page({"data": []}) == Page(())


def test_a_list_that_is_none_is_not_an_empty_one() -> None:
    with pytest.raises(ValueError, match="media"):
        read_page({})


def test_the_publishing_limit_is_read_never_assumed() -> None:
    row = {"quota_usage": 2, "config": {"quota_total": 100, "quota_duration": 86400}}
    limit = PublishingLimit.read({"data": [row]})
    assert limit == PublishingLimit(2, 100, timedelta(days=1))
    assert limit.remaining == 98
    assert PublishingLimit(101, 100, timedelta(days=1)).remaining == 0
    answers: list[dict[str, Any]] = [{"data": []}, {"data": [{"quota_usage": 2}]}, {}]
    for lacking in answers:
        with pytest.raises(ValueError, match="quota"):
            PublishingLimit.read(lacking)


@pytest.mark.parametrize("nested", [True, False])
def test_token_and_account_are_read_nested_and_flat(nested: bool) -> None:
    token = {"access_token": "IGx", "user_id": 17841400000000001, "permissions": ["a", "b"]}
    account = {"user_id": "17841400000000001", "username": "ada", "account_type": "BUSINESS", "id": "5"}
    wrapped = [{"data": [row]} if nested else row for row in (token, account)]
    assert Token.read(wrapped[0]) == Token("IGx", None, "17841400000000001", ("a", "b"))
    assert Account.read(wrapped[1]) == Account("17841400000000001", "ada", "BUSINESS")


@pytest.mark.parametrize("seconds", [5183944, "5183944"])
def test_a_token_knows_its_life_and_does_not_print_itself(seconds: int | str) -> None:
    token = Token.read({"access_token": "IGsecret", "token_type": "bearer", "expires_in": seconds})
    assert token.expires_in == timedelta(seconds=5183944)
    assert "IGsecret" not in repr(token)
    with pytest.raises(ValueError, match="access_token"):
        Token.read({"access_token": ""})


def test_permissions_written_as_one_text_are_read() -> None:
    assert Token.read({"access_token": "IGx", "permissions": "a,b"}).permissions == ("a", "b")


@pytest.mark.parametrize("name", ["text", "username"])
def test_what_no_database_can_store_in_the_text_of_somebody_else_is_replaced(name: str) -> None:
    """Everything else stays: an emoji of several characters, a mark of direction, and white space."""
    family, replaced = "👨\u200d👩\u200d👧", "\ufffd"
    given = f"a\0b {family} \u200fא\n\tc"
    comment = Comment.read({"id": "1", name: f"{given}\ud83d"})
    assert getattr(comment, name) == f"{given.replace(chr(0), replaced)}?"
