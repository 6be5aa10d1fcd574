"""What Facebook Login alone can do: posts with a poll, a comment prompt or music, each once, and a search of music."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from airflow.cli.cli_parser import get_parser
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from airflow_provider_instagram.exceptions import PermissionDeniedError, TransientError, ValidationError
from airflow_provider_instagram.graph import API_VERSION
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from tests.integration.account import DictStore
from tests.integration.tasks import connect_page, task_context

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.clips import ClipCache

FAULTS = (None, ("create", "before"), ("create", "after"), ("publish", "before"), ("publish", "after"))
MUSIC = "587000000000001"
#: The moov atom first, and no edit list.
FLAGS = ("-movflags", "+faststart", "-use_editlist", "0")
POLL = {"caption": "Tea or coffee?", "poll_attachment": ["Tea", "Coffee"]}
SONG = {"caption": "With music", "audio_id": MUSIC, "audio_volume": 80, "video_volume": 20}
pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def quick(mocker: MockerFixture) -> None:
    """Settle a lost answer within seconds, as the sandbox does what it does at once."""
    for name, seconds in (("REQUEST_IN_EFFECT_WITHIN", 1), ("READ_FOR_AT_LEAST", 1), ("POST_VISIBLE_WITHIN", 1)):
        mocker.patch(f"airflow_provider_instagram.publishing.outcome.{name}", timedelta(seconds=seconds))
    mocker.patch("airflow_provider_instagram.publishing.outcome.READ_AGAIN_AFTER", timedelta(seconds=0.2))


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch, instagram_sandbox: SandboxHandle) -> str:
    return connect_page(monkeypatch, instagram_sandbox)


def read(sandbox: SandboxHandle, token: str, path: str, **params: str) -> Any:
    """Read something as another client does."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{sandbox.url}/{API_VERSION}/{path}", params=params, headers=headers).json()


def publish(store: DictStore, video: Path, options: dict[str, Any], post_key: str = "extra") -> str:
    """Run the tasks of a post, each again until it succeeds, and return the media id."""
    create = CreateContainerOperator(task_id="t", video=str(video), post_key=post_key, **options)
    container_id = _until_it_succeeds(create, store)
    task = PublishOperator(task_id="t", container_id=container_id)
    return str(_until_it_succeeds(task, store)["media_id"])


def _until_it_succeeds(task: Any, store: DictStore) -> Any:
    tries = Retrying(retry=retry_if_exception_type(TransientError), stop=stop_after_attempt(3), reraise=True)
    return tries(lambda: task.execute(task_context(store)))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("options", [POLL, SONG], ids=["poll", "music"])
def test_a_poll_and_a_reel_with_music_are_posted_once(
    instagram_sandbox: SandboxHandle, token: str, portrait_video: Path, options: dict[str, Any], fault: Any
) -> None:
    instagram_sandbox.process_next(after_s=0, times=3)
    if fault is not None:
        instagram_sandbox.fail(fault[0], drop=fault[1])
    media_id = publish(DictStore(), portrait_video, options)
    assert [post.media_id for post in instagram_sandbox.posts] == [media_id]

    if options is POLL:
        poll = read(instagram_sandbox, token, f"{media_id}/poll_attachment")
        assert (poll["option_a"], poll["option_b"], "option_c" in poll) == ("Tea", "Coffee", False)
        assert "expiration_timestamp" in poll
    else:
        assert read(instagram_sandbox, token, media_id, fields="audio_id")["audio_id"] == MUSIC


def test_music_on_a_video_without_sound_needs_its_volume_at_0(
    instagram_sandbox: SandboxHandle, token: str, clips: ClipCache, portrait_video: Path
) -> None:
    """Source: reported, 2207082 on the container (Postiz #2033, 2026-09-07)."""
    silent = clips.get("silent.mp4", "-i", str(portrait_video), "-an", "-c", "copy", *FLAGS)
    with pytest.raises(ValidationError, match=r"no sound of its own.*Set video_volume to 0"):
        publish(DictStore(), silent, SONG)
    assert instagram_sandbox.calls("create") == 0
    assert publish(DictStore(), silent, {**SONG, "video_volume": 0})


def test_a_picture_asks_for_comments_and_a_poll_may_have_no_end(
    instagram_sandbox: SandboxHandle, token: str, gallery: Any
) -> None:
    for key, options in (
        ("prompt", {"caption": "Why?", "is_comment_prompt_used": True}),
        ("poll", {**POLL, "is_poll_duration_extended": "true"}),
    ):
        create = CreateContainerOperator(task_id="t", image=gallery.link("one"), post_key=key, **options)
        store = DictStore()
        task = PublishOperator(task_id="t", container_id=_until_it_succeeds(create, store))
        media_id = _until_it_succeeds(task, store)["media_id"]
        if key == "prompt":
            assert read(instagram_sandbox, token, f"{media_id}/prompt_response") == {"data": []}
        else:
            assert "expiration_timestamp" not in read(instagram_sandbox, token, f"{media_id}/poll_attachment")


@pytest.mark.parametrize("options", [POLL, SONG, {"caption": "Why?", "is_comment_prompt_used": True}])
def test_instagram_login_has_none_of_it_and_nothing_is_sent(
    instagram_sandbox: SandboxHandle, portrait_video: Path, options: dict[str, Any]
) -> None:
    create = CreateContainerOperator(task_id="t", video=str(portrait_video), **options)
    with pytest.raises(PermissionDeniedError, match=r"Instagram Login has no (polls|licensed music|comment prompts)"):
        create.execute(task_context(DictStore()))
    assert instagram_sandbox.calls("create") == 0


def _search(*words: str) -> None:
    arguments = get_parser().parse_args(["instagram", "audio", "instagram_default", *words, "--output", "json"])
    arguments.func(arguments)


@pytest.mark.usefixtures("token")
def test_music_is_searched_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    _search("harbour", "lights")
    assert MUSIC in capsys.readouterr().out
    _search("--sounds")
    said = capsys.readouterr().out
    assert "Rain on a tent" in said
    assert "Harbour Lights" not in said


def test_a_search_says_which_login_it_needs(instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(SystemExit, match="Instagram Login has no licensed music"):
        _search("harbour")
