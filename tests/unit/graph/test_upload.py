from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    MediaRejectedError,
    PermissionDeniedError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import answer, client
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.upload import VideoUpload

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from tests.unit.graph.conftest import WebServer


CONTAINER = "17900000000000001"
SIZE = 700_000


class Uploader:
    """Sends one file to the web server, with sleeps that are only counted."""

    def __init__(self, url: str, token: str, video: Path) -> None:
        self.url = url
        self.token = token
        self.video = video
        self.uri = f"{url}/ig-api-upload/v27.0/{CONTAINER}"
        self.pauses_s: list[float] = []
        self.progress: list[tuple[int, int]] = []
        self.pause_s = 0.0

    def __call__(self, offset: int = 0, uri: str | None = None) -> None:
        with GraphClient(self.token, base_url=self.url, sleep=self.pauses_s.append) as graph:
            VideoUpload(
                graph,
                uri or self.uri,
                self.video,
                CONTAINER,
                offset,
                on_progress=self._note,
            ).send()

    def _note(self, sent: int, total: int) -> None:
        time.sleep(self.pause_s)
        self.progress.append((sent, total))


@pytest.fixture
def send_video(server: WebServer, tmp_path: Path) -> Uploader:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(number % 251 for number in range(SIZE)))
    return Uploader(server.url, server.token, video)


def done(server: WebServer) -> None:
    server.answer({"success": True, "message": "Upload successful."})


def refuse(server: WebServer, kind: str, *, retriable: bool = False) -> None:
    server.answer({"debug_info": {"retriable": retriable, "type": kind, "message": "No."}}, 400)


def stands_at(server: WebServer, there: int | None, code: str = "IN_PROGRESS", size: int = SIZE) -> None:
    phase = {"status": "in_progress", "bytes_transferred": there, "source_file_size": size}
    server.answer({"id": CONTAINER, "status_code": code, "video_status": {"uploading_phase": phase}})


def offsets(server: WebServer) -> list[int]:
    return [int(request.headers["offset"]) for request in server.requests if request.method == "POST"]


def test_a_video_goes_out_whole_in_one_request(server: WebServer, send_video: Uploader) -> None:
    done(server)
    send_video()
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/ig-api-upload/v27.0/{CONTAINER}")
    assert request.body == send_video.video.read_bytes()
    assert request.headers["Authorization"] == f"OAuth {server.token}"
    assert (request.headers["offset"], request.headers["file_size"]) == ("0", str(SIZE))
    assert request.headers["Content-Length"] == str(SIZE)
    assert "Transfer-Encoding" not in request.headers


def test_progress_grows_to_the_whole_file(server: WebServer, send_video: Uploader) -> None:
    done(server)
    send_video()
    assert send_video.progress == sorted(set(send_video.progress))
    assert send_video.progress[-1] == (SIZE, SIZE)


def test_an_upload_begins_where_it_is_told_to(server: WebServer, send_video: Uploader) -> None:
    done(server)
    send_video(offset=600_000)
    (request,) = server.requests
    assert request.body == send_video.video.read_bytes()[600_000:]
    assert (request.headers["offset"], request.headers["file_size"]) == ("600000", str(SIZE))


def test_an_upload_that_is_complete_sends_nothing(server: WebServer, send_video: Uploader) -> None:
    send_video(offset=SIZE)
    assert not server.requests


def test_a_dropped_upload_goes_on_at_the_byte_that_instagram_has(server: WebServer, send_video: Uploader) -> None:
    server.drop(after_bytes=300_000)
    stands_at(server, 300_000)
    done(server)
    send_video()
    assert offsets(server) == [0, 300_000]
    assert server.requests[-1].body == send_video.video.read_bytes()[300_000:]


def test_a_wrong_offset_is_read_again(server: WebServer, send_video: Uploader) -> None:
    refuse(server, "OffsetInvalidError")
    stands_at(server, 123_456)
    done(server)
    send_video(offset=500_000)
    assert offsets(server) == [500_000, 123_456]


def test_a_stalled_upload_is_given_up_and_goes_on(
    server: WebServer, send_video: Uploader, mocker: MockerFixture
) -> None:
    mocker.patch.object(client, "_READ_TIMEOUT_S", 0.5)
    server.stall()
    stands_at(server, 262_144)
    done(server)
    send_video()
    assert offsets(server) == [0, 262_144]


def test_an_upload_may_take_longer_than_an_answer(
    server: WebServer, send_video: Uploader, mocker: MockerFixture
) -> None:
    mocker.patch.object(answer, "ANSWER_S", 0.2)
    send_video.pause_s = 0.3
    done(server)
    send_video()
    assert offsets(server) == [0]


def test_a_network_that_takes_no_more_bytes_is_given_up(
    server: WebServer, send_video: Uploader, mocker: MockerFixture
) -> None:
    mocker.patch.object(client, "_READ_TIMEOUT_S", 0.5)
    size = 32_000_000  # more than the buffers of a socket hold
    with send_video.video.open("r+b") as file:
        file.truncate(size)
    server.stall(after_bytes=1_000)
    stands_at(server, 1_000, size=size)
    done(server)
    send_video()
    assert offsets(server) == [0, 1_000]
    assert send_video.progress.count((size, size)) == 1


@pytest.mark.parametrize("code", ["FINISHED", "PUBLISHED"])
def test_a_refusal_of_what_has_arrived_is_no_failure(server: WebServer, send_video: Uploader, code: str) -> None:
    refuse(server, "ProcessingFailedError")
    stands_at(server, None, code)
    send_video()
    assert offsets(server) == [0]


def test_a_lost_answer_to_the_last_byte_is_no_failure(server: WebServer, send_video: Uploader) -> None:
    server.drop()
    stands_at(server, SIZE)
    send_video()
    assert offsets(server) == [0]


def test_an_upload_that_instagram_calls_complete_is_no_failure(server: WebServer, send_video: Uploader) -> None:
    server.answer("<html>Bad Gateway</html>", 502)
    server.answer({"id": CONTAINER, "video_status": {"uploading_phase": {"status": "complete"}}})
    send_video()
    assert offsets(server) == [0]


def test_an_upload_without_progress_is_given_up_for_now(server: WebServer, send_video: Uploader) -> None:
    for _ in range(9):
        server.drop(after_bytes=1)
        stands_at(server, 0)
    with pytest.raises(TransientError, match="byte 0"):
        send_video()
    assert len(offsets(server)) == 5
    assert len(send_video.pauses_s) == 4


def test_an_upload_goes_on_for_as_long_as_it_gains(server: WebServer, send_video: Uploader) -> None:
    for there in range(1_000, 13_000, 1_000):
        server.drop(after_bytes=1_000)
        stands_at(server, there)
    done(server)
    send_video()
    assert offsets(server) == list(range(0, 13_000, 1_000))


def test_a_refused_account_learns_of_the_alternative(server: WebServer, send_video: Uploader) -> None:
    refuse(server, "NotAuthorizedError")
    stands_at(server, 0)
    with pytest.raises(PermissionDeniedError, match='upload="url"'):
        send_video()
    assert offsets(server) == [0]


def test_a_dead_token_is_called_so_whatever_the_upload_host_calls_it(server: WebServer, send_video: Uploader) -> None:
    refuse(server, "NotAuthorizedError")
    server.refuse(190)
    with pytest.raises(AuthenticationError):
        send_video()


def test_a_container_that_failed_says_why(server: WebServer, send_video: Uploader) -> None:
    server.drop()
    server.answer({"id": CONTAINER, "status_code": "ERROR", "status": "Error: code 2207026"})
    with pytest.raises(MediaRejectedError, match="format"):
        send_video()


def test_the_first_error_stays_when_the_container_cannot_be_read(server: WebServer, send_video: Uploader) -> None:
    refuse(server, "ProcessingFailedError")
    server.refuse(2, status=500, times=4)
    with pytest.raises(MediaRejectedError):
        send_video()


@pytest.mark.parametrize(("code", "error"), [(190, AuthenticationError), (4, RateLimitError)])
def test_a_refusal_that_no_container_can_settle_is_raised_at_once(
    server: WebServer, send_video: Uploader, code: int, error: type[InstagramError]
) -> None:
    server.refuse(code)
    with pytest.raises(error):
        send_video()
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [{"success": False}, "[" * 100_000], ids=["false", "nested-lists"])
def test_a_success_that_is_none_is_not_believed(server: WebServer, send_video: Uploader, answer: object) -> None:
    server.answer(answer)
    stands_at(server, 0)
    with pytest.raises(InstagramError):
        send_video()


@pytest.mark.parametrize("there", [0, 250_000, SIZE + 1])
def test_another_file_is_never_joined_to_the_first_part(server: WebServer, send_video: Uploader, there: int) -> None:
    server.drop()
    stands_at(server, there, size=SIZE + 1)
    with pytest.raises(ValidationError, match="changed"):
        send_video()
    assert offsets(server) == [0]


def test_a_file_cut_during_the_upload_is_refused(server: WebServer, send_video: Uploader) -> None:
    server.drop(after_bytes=300_000)
    stands_at(server, 300_000)
    server.drop(after_bytes=100_000)

    def cut(sent: int, total: int) -> None:
        send_video.video.write_bytes(b"short")

    with (
        GraphClient(server.token, base_url=server.url, sleep=lambda _: None) as client,
        pytest.raises(ValidationError, match="truncated"),
    ):
        VideoUpload(client, send_video.uri, send_video.video, CONTAINER, on_progress=cut).send()


@pytest.mark.parametrize("uri", ["https://example.com/ig-api-upload/v27.0/17", "http://127.0.0.1:9/17", "/17"])
def test_nothing_is_sent_to_a_stranger(server: WebServer, send_video: Uploader, uri: str) -> None:
    with pytest.raises(ValidationError):
        send_video(uri=uri)
    assert not server.requests
    assert not send_video.progress
