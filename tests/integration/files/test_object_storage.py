"""Videos in object storage: a real S3 server on this machine."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import object_path, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def test_an_object_is_copied_and_the_copy_goes_away(bucket: str, tmp_path: Path) -> None:
    made = tmp_path / "made.mp4"
    made.write_bytes(b"moving pictures")
    location = f"{bucket}/out/made.mp4"
    assert not storage.exists(location)
    storage.put(made, location)
    assert storage.exists(location)
    with storage.as_local_file(location) as copy:
        assert (copy.name, copy.read_bytes()) == ("made.mp4", b"moving pictures")
    assert not copy.exists()


def test_an_object_that_others_write_while_it_is_read_is_read_again(bucket: str, mocker: MockerFixture) -> None:
    location, writes = f"{bucket}/busy/calendar.yaml", iter([b"two", b"three"])
    storage.write(location, b"one")
    files = object_path(location).fs
    opened = files.open

    def busy(path: str, *given: Any, **more: Any) -> Any:
        file = opened(path, *given, **more)  # has seen a version, which is gone before it is read
        if (content := next(writes, None)) is not None:
            files.pipe_file(path, content)
        return file

    mocker.patch.object(files, "open", busy)
    assert read_file(location, 100) == b"three"


def test_an_error_names_the_object_and_not_where_its_copy_is(bucket: str, tmp_path: Path) -> None:
    from airflow_provider_instagram.media.probe import probe

    (tmp_path / "broken.mp4").write_bytes(b"no pictures")
    storage.put(tmp_path / "broken.mp4", f"{bucket}/in/broken.mp4")
    with (
        pytest.raises(ValidationError, match=f"^{bucket}/in/broken.mp4 is not a video"),
        storage.as_local_file(f"{bucket}/in/broken.mp4") as copy,
    ):
        probe(copy)


def test_an_object_that_is_not_there_is_said_to_be_so(bucket: str) -> None:
    with pytest.raises(ValidationError, match="does not exist"), storage.as_local_file(f"{bucket}/none.mp4"):
        pass


def test_an_object_that_is_too_large_is_not_copied(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100)
    storage.put(tmp_path / "large", f"{bucket}/large")
    with (
        pytest.raises(ValidationError, match="the limit is 99 bytes"),
        storage.as_local_file(f"{bucket}/large", max_bytes=99),
    ):
        pass


@pytest.mark.parametrize("other", [b"moving pictures, and more", b"moving"])
def test_an_object_that_is_replaced_before_it_is_copied_takes_no_more_room_than_was_checked(
    bucket: str, tmp_path: Path, mocker: MockerFixture, other: bytes
) -> None:
    from airflow.sdk import ObjectStoragePath

    mine = ObjectStoragePath(f"{bucket}/mine.mp4")
    mine.write_bytes(b"moving pictures")

    stat = ObjectStoragePath.stat

    def replaced_after(path: Any, **how: Any) -> Any:
        """Replace the object after the look at its size."""
        seen = stat(path, **how)
        mine.write_bytes(other)
        return seen

    mocker.patch.object(ObjectStoragePath, "stat", replaced_after)
    with (
        pytest.raises(TransientError, match="was changed while it was being read"),
        storage.as_local_file(str(mine)),
    ):
        pass


def test_a_video_goes_from_bucket_to_bucket_to_a_post(
    bucket: str, instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path
) -> None:
    """No two tasks share a disk here: what one leaves for the next is an object."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

    storage.put(landscape_mov, f"{bucket}/in/camera.mov")
    with DAG("bucket_to_post", schedule=None) as dag:
        transcode = TranscodeOperator(task_id="transcode", source=f"{bucket}/in/camera.mov", output=f"{bucket}/out/")
        create = CreateContainerOperator(
            task_id="create", video=transcode.output, caption="from a bucket", wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    result = run_dag(dag)
    assert result.state == "success"
    assert result.xcom("transcode").startswith(f"{bucket}/out/camera.reels.")
    assert [post.caption for post in instagram_sandbox.posts] == ["from a bucket"]


def test_a_link_is_signed_in_the_form_that_every_server_accepts_unless_the_connection_names_another(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256&" in storage.presigned(f"{bucket}/a.jpg", timedelta(hours=1))
    older = {"conn_type": "aws", "login": "a", "password": "b", "extra": {"config_kwargs": {"signature_version": "s3"}}}
    monkeypatch.setenv("AIRFLOW_CONN_OLDER", json.dumps(older))
    assert "X-Amz-" not in storage.presigned("s3://older@clips/a.jpg", timedelta(hours=1))


@pytest.mark.parametrize(("upload", "resumable"), [("url", True), ("auto", False)], ids=["chosen", "fallback"])
def test_instagram_fetches_an_object_by_a_presigned_link(
    bucket: str,
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    portrait_video: Path,
    caplog: pytest.LogCaptureFixture,
    upload: str,
    resumable: bool,
) -> None:
    """By choice, or because the account may not send uploads. The link is a secret: no log has it."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    storage.put(portrait_video, f"{bucket}/in/reel.mp4")
    instagram_sandbox.change_account(instagram_sandbox.user_id, resumable=resumable)
    with DAG(f"by_link_{upload}", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=f"{bucket}/in/reel.mp4", upload=upload, wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    assert run_dag(dag).state == "success"
    assert len(instagram_sandbox.posts) == 1
    assert "X-Amz-Signature" not in "".join(one.getMessage() for one in caplog.records if one.name != "werkzeug")


def test_a_calendar_in_a_bucket_is_read_with_the_videos_beside_it(bucket: str, tmp_path: Path) -> None:
    """And a DAG is made of it."""
    from airflow_provider_instagram.calendar import content_calendar_dag
    from airflow_provider_instagram.calendar.file.parser import read_calendar

    file = tmp_path / "posts.yaml"
    file.write_text("posts:\n- {id: a, publish_at: 2030-01-01 12:00 UTC, video: in/reel.mp4}\n")
    location = f"{bucket}/plan/posts.yaml"
    storage.put(file, location)
    (problem,) = read_calendar(location, check_files=True).problems
    assert (problem.line, problem.post_id) == (2, "a")
    assert f"there is no file {bucket}/plan/in/reel.mp4" in problem.message
    storage.put(file, f"{bucket}/plan/in/reel.mp4")
    (post,) = read_calendar(location, check_files=True).posts
    assert post.video == f"{bucket}/plan/in/reel.mp4"
    assert "publish" in content_calendar_dag("content", location).task_ids
