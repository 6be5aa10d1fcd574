"""The client against the sandbox, which knows Instagram but nothing of the client."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    PermissionDeniedError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.client import AsyncGraphClient, GraphClient
from airflow_provider_instagram.graph.models import Account, Container, ContainerState, ContainerStatus
from airflow_provider_instagram.graph.upload import VideoUpload

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

PROCESSING_LIMIT_S = 30


def new_container(client: GraphClient, sandbox: SandboxHandle, **params: Any) -> Container:
    return client.send(
        calls.create_container(sandbox.user_id, {"media_type": "REELS", "upload_type": "resumable", **params})
    )


def send_video(client: GraphClient, container: Container, video: Path, **options: Any) -> None:
    assert container.upload_uri is not None
    VideoUpload(client, container.upload_uri, video, container.id, **options).send()


def begin_upload(client: GraphClient, container: Container, video: Path) -> None:
    """Send about half a megabyte of a video, and stop as a task does that is killed."""

    def stop(sent: int, total: int) -> None:
        if sent > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_video(client, container, video, on_progress=stop)


def processed(client: GraphClient, container: Container) -> ContainerStatus:
    """Wait until the sandbox is done with a container."""
    deadline = time.monotonic() + PROCESSING_LIMIT_S
    while not (status := client.send(calls.container_status(container.id))).is_terminal:
        assert time.monotonic() < deadline, status.summary()
        time.sleep(0.05)
    return status


@pytest.fixture
def finished(client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path) -> Container:
    """A container that is ready to be published."""
    container = new_container(client, instagram_sandbox, caption="teaser")
    send_video(client, container, reel)
    status = processed(client, container)
    assert status.state is ContainerState.FINISHED, status.summary()
    return container


def test_a_file_becomes_a_post(
    client: GraphClient, instagram_sandbox: SandboxHandle, finished: Container, reel: Path
) -> None:
    media_id = client.send(calls.publish(instagram_sandbox.user_id, finished.id))
    (post,) = instagram_sandbox.posts
    assert (post.media_id, post.caption) == (media_id, "teaser")
    media = client.send(calls.media(media_id))
    assert (media.permalink, media.caption) == (post.permalink, "teaser")
    assert media.timestamp == post.published_at.replace(microsecond=0)
    (received,) = instagram_sandbox.journal("upload")
    assert received.received_bytes == reel.stat().st_size


def test_every_parameter_of_a_creation_is_known_to_instagram(
    client: GraphClient, instagram_sandbox: SandboxHandle
) -> None:
    new_container(
        client,
        instagram_sandbox,
        caption="Größe 🎬 {{ ds }}\n#x @ada",
        thumb_offset=1500,
        share_to_feed=True,
        collaborators=["ada", "bob"],
        user_tags=[{"username": "eve"}],
        audio_name="Rain",
        is_ai_generated=True,
    )
    (created,) = instagram_sandbox.containers
    assert created.caption == "Größe 🎬 {{ ds }}\n#x @ada"


def test_the_account_and_its_limit_are_read(client: GraphClient, instagram_sandbox: SandboxHandle) -> None:
    picture = f"{instagram_sandbox.url}/u/sandbox_studio/picture.svg"
    account = Account(instagram_sandbox.user_id, "sandbox_studio", "BUSINESS", picture)
    assert client.send(calls.account()) == account
    limit = client.send(calls.publishing_limit(instagram_sandbox.user_id))
    assert (limit.quota_usage, limit.quota_total, limit.quota_duration) == (0, 100, timedelta(days=1))
    assert client.usage is not None


def test_an_interrupted_upload_sends_no_byte_twice(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    instagram_sandbox.fail("upload", cut_after_bytes=300_000)
    instagram_sandbox.fail("upload", cut_after_bytes=200_000, nth=2)
    container = new_container(client, instagram_sandbox)
    send_video(client, container, reel)
    assert processed(client, container).state is ContainerState.FINISHED
    received = [entry.received_bytes for entry in instagram_sandbox.journal("upload")]
    assert received == [300_000, 200_000, reel.stat().st_size - 500_000]


def test_another_process_goes_on_where_instagram_has_it(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    container = new_container(client, instagram_sandbox)
    begin_upload(client, container, reel)
    there = client.send(calls.container_status(container.id)).bytes_transferred
    assert there
    send_video(client, container, reel, offset=there)
    assert processed(client, container).state is ContainerState.FINISHED
    assert sum(entry.received_bytes or 0 for entry in instagram_sandbox.journal("upload")) == reel.stat().st_size


def test_an_upload_whose_answer_was_lost_is_not_sent_again(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    instagram_sandbox.fail("upload", drop="after")
    container = new_container(client, instagram_sandbox)
    send_video(client, container, reel)
    assert processed(client, container).state is ContainerState.FINISHED
    assert instagram_sandbox.calls("upload") == 1


def test_an_upload_told_the_wrong_offset_asks_for_the_right_one(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    container = new_container(client, instagram_sandbox)
    send_video(client, container, reel, offset=1_000_000)
    assert processed(client, container).state is ContainerState.FINISHED


def test_a_file_that_changed_between_two_tries_is_refused(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path, tmp_path: Path
) -> None:
    container = new_container(client, instagram_sandbox)
    begin_upload(client, container, reel)
    changed = tmp_path / "reel.mp4"
    changed.write_bytes(reel.read_bytes() + b"more")
    with pytest.raises(ValidationError, match="changed"):
        send_video(client, container, changed, offset=300_000)
    assert client.send(calls.container_status(container.id)).state is ContainerState.IN_PROGRESS


def test_an_account_without_uploads_learns_of_the_alternative(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    container = new_container(client, instagram_sandbox)
    instagram_sandbox.change_account(instagram_sandbox.user_id, resumable=False)
    with pytest.raises(PermissionDeniedError, match='upload="url"'):
        send_video(client, container, reel)


def test_a_token_that_dies_before_the_upload_is_called_dead(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    container = new_container(client, instagram_sandbox)
    instagram_sandbox.revoke(instagram_sandbox.token)
    with pytest.raises(AuthenticationError):
        send_video(client, container, reel)


def test_an_upload_that_a_dead_token_was_refused_goes_on_with_the_one_that_took_its_place(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path
) -> None:
    """The upload host calls a dead token a missing permission."""
    container = new_container(client, instagram_sandbox)
    another = instagram_sandbox.add_token(instagram_sandbox.user_id)
    client._replacement_token = lambda: another
    instagram_sandbox.revoke(instagram_sandbox.token)
    send_video(client, container, reel)
    assert processed(client, container).state is ContainerState.FINISHED
    assert [entry.received_bytes or 0 for entry in instagram_sandbox.journal("upload")] == [0, reel.stat().st_size]


@pytest.mark.parametrize(
    ("processing", "error", "subcode", "new"),
    [
        ({"outcome": "error", "subcode": 2207026}, MediaRejectedError, 2207026, 0),
        ({"outcome": "error", "subcode": 2207003}, MediaRejectedError, 2207003, 3),
        ({"outcome": "error", "subcode": 2207020}, ContainerExpiredError, 2207020, 3),
        ({"outcome": "error", "subcode": 2207082}, MediaRejectedError, 2207082, 1),
        ({"outcome": "phase_error", "subcode": 2207077}, MediaRejectedError, 2207077, 1),
        ({"outcome": "download_failed"}, MediaRejectedError, None, 1),
    ],
)
def test_a_container_that_fails_is_seen_as_failed_however_instagram_says_it(
    client: GraphClient,
    instagram_sandbox: SandboxHandle,
    reel: Path,
    processing: dict[str, Any],
    error: type[InstagramError],
    subcode: int | None,
    new: int,
) -> None:
    instagram_sandbox.process_next(**processing)
    container = new_container(client, instagram_sandbox)
    send_video(client, container, reel)
    status = processed(client, container)
    failure = status.failure()
    assert type(failure) is error
    assert failure.subcode == subcode
    assert status.new_containers == new


def test_a_video_that_cannot_be_fetched_fails_on_the_container(
    client: GraphClient, instagram_sandbox: SandboxHandle
) -> None:
    params = {"upload_type": None, "video_url": f"{instagram_sandbox.url}/nothing.mp4"}
    container = new_container(client, instagram_sandbox, **params)
    failure = processed(client, container).failure()
    assert isinstance(failure, MediaRejectedError)


def test_a_container_left_for_a_day_has_expired(
    client: GraphClient, instagram_sandbox: SandboxHandle, finished: Container
) -> None:
    instagram_sandbox.advance(timedelta(hours=24, minutes=1))
    status = client.send(calls.container_status(finished.id))
    assert status.state is ContainerState.EXPIRED
    assert isinstance(status.failure(), ContainerExpiredError)


def test_a_container_in_processing_is_not_ready_to_be_published(
    client: GraphClient, instagram_sandbox: SandboxHandle
) -> None:
    container = new_container(client, instagram_sandbox)
    with pytest.raises(NotReadyError) as refused:
        client.send(calls.publish(instagram_sandbox.user_id, container.id))
    assert (refused.value.code, refused.value.subcode) == (9007, 2207027)
    assert not refused.value.outcome_unknown


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ({"drop": "after"}, 1),
        ({"drop": "before"}, 0),
        ({"html": True, "when": "after"}, 1),
        ({"html": True}, 0),
        ({"code": 2, "when": "after"}, 1),
        ({"code": 4, "subcode": 2207051, "when": "after"}, 1),
        ({"code": 4, "subcode": 2207051}, 0),
        ({"code": -1, "subcode": 2207001}, 0),
    ],
)
def test_a_publish_that_may_be_live_is_sent_once_and_says_so(
    client: GraphClient, instagram_sandbox: SandboxHandle, finished: Container, fault: dict[str, Any], posts: int
) -> None:
    instagram_sandbox.fail("publish", **fault)
    with pytest.raises(InstagramError) as raised:
        client.send(calls.publish(instagram_sandbox.user_id, finished.id))
    assert raised.value.outcome_unknown
    assert len(instagram_sandbox.posts) == posts
    assert instagram_sandbox.calls("publish") == 1


def test_an_account_that_called_too_often_learns_how_long_to_hold_back(
    client: GraphClient, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.switch(regain_minutes=17, calls_per_24_h=1)
    client.send(calls.account())
    with pytest.raises(RateLimitError) as raised:
        client.send(calls.account())
    assert raised.value.retry_after == timedelta(minutes=17)
    assert instagram_sandbox.calls("account") == 2


def test_a_read_survives_what_passes(client: GraphClient, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", 2)
    instagram_sandbox.fail("account", html=True, nth=2)
    instagram_sandbox.fail("account", drop="before", nth=3)
    assert client.send(calls.account()).username == "sandbox_studio"
    assert instagram_sandbox.calls("account") == 4


def test_posts_are_listed_page_by_page(client: GraphClient, instagram_sandbox: SandboxHandle) -> None:
    ids = [instagram_sandbox.add_foreign_post(f"post {age_s}", age_s=age_s) for age_s in (10, 20, 30)]
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = client.send(calls.media_list(instagram_sandbox.user_id, after=after, limit=1))
        seen += [media.id for media in page.items]
        after = page.after
    assert seen == ids
    assert after is None


def test_another_accounts_container_does_not_exist(client: GraphClient, instagram_sandbox: SandboxHandle) -> None:
    container = new_container(client, instagram_sandbox)
    token = instagram_sandbox.add_account("17841400000000002", "stranger")
    with GraphClient(token, base_url=instagram_sandbox.url) as stranger, pytest.raises(InstagramError) as raised:
        stranger.send(calls.container_status(container.id))
    assert (raised.value.code, raised.value.subcode) == (100, 33)


def test_many_reads_wait_together(instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", delay_s=0.5, times=0)

    async def read_all() -> list[Account]:
        async with AsyncGraphClient(instagram_sandbox.token, base_url=instagram_sandbox.url) as client:
            return await asyncio.gather(*(client.send(calls.account()) for _ in range(10)))

    before = time.monotonic()
    accounts = asyncio.run(read_all())
    assert len(accounts) == 10
    assert time.monotonic() - before < 3  # one after the other would take five seconds


def test_a_person_logs_in_and_the_token_is_refreshed(instagram_sandbox: SandboxHandle) -> None:
    back = "https://airflow.example.com/instagram/callback"
    url = instagram_sandbox.url
    app = oauth.LoginApp(instagram_sandbox.app_id, instagram_sandbox.app_secret, back, url, oauth_host=url)
    address = app.login_url("st")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    agreed = httpx.post(
        f"{instagram_sandbox.url}/oauth/authorize",
        data=asked | {"account": instagram_sandbox.user_id, "decision": "allow"},
    )
    returned = parse_qs(urlsplit(agreed.headers["location"]).query)
    assert returned["state"] == ["st"]
    login = oauth.exchange_code(app, returned["code"][0] + "#_")
    with GraphClient(None, base_url=instagram_sandbox.url, sleep=lambda _: None) as client:
        short = client.send(login)
        assert short.user_id == instagram_sandbox.user_id
        with pytest.raises(AuthenticationError, match="has been used"):
            client.send(login)
        long = client.send(oauth.exchange_for_long_lived(app, short.access_token))
        assert long.expires_in
        assert long.expires_in > timedelta(days=59)
        with pytest.raises(PermissionDeniedError, match="24 hours"):
            client.send(oauth.refresh(long.access_token))
        instagram_sandbox.advance(timedelta(days=30))
        fresh = client.send(oauth.refresh(long.access_token))
        assert fresh.expires_in
        assert fresh.expires_in > timedelta(days=59)
    with GraphClient(fresh.access_token, base_url=instagram_sandbox.url) as client:
        assert client.send(calls.account()).user_id == instagram_sandbox.user_id


def test_a_refresh_whose_answer_was_lost_says_that_it_may_have_happened(
    client: GraphClient, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.advance(timedelta(days=2))
    instagram_sandbox.fail("refresh", drop="after")
    with pytest.raises(TransientError) as lost:
        client.send(oauth.refresh(instagram_sandbox.token))
    assert lost.value.outcome_unknown
    assert instagram_sandbox.calls("refresh") == 1


def test_no_token_reaches_a_log_from_creation_to_permalink(
    client: GraphClient, instagram_sandbox: SandboxHandle, reel: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    instagram_sandbox.fail("upload", cut_after_bytes=300_000)
    instagram_sandbox.fail("publish", 9007, 2207027)
    container = new_container(client, instagram_sandbox)
    send_video(client, container, reel)
    processed(client, container)
    with pytest.raises(NotReadyError) as refused:
        client.send(calls.publish(instagram_sandbox.user_id, container.id))
    media_id = client.send(calls.publish(instagram_sandbox.user_id, container.id))
    client.send(calls.media(media_id))
    assert "media_publish" in caplog.text
    assert instagram_sandbox.token not in caplog.text + str(refused.value)
