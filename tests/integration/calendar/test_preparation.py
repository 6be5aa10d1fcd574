"""Posts that their runs prepare days ahead, in this process, against the sandbox."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.planning.told import events_asset
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.previews import _preview
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from tests.integration.calendar.runs import ACCOUNT, made, planned, run_by_hand, run_post, run_report, settings_of
from tests.integration.calendar.test_problems import events
from tests.integration.calendar.test_told import new_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.calendar.tasks.base import PostTask
    from instagram_sandbox.testing.handle import SandboxHandle

FIVE_HOURS_S = 5 * 3600.0
TEN_DAYS_S = 10 * 86400.0
REST = ("create", "publish", "comment")


def waits(task: PostTask, context: Any, **_: Any) -> None:
    """End in the place of a task that waits for hours."""
    task.skip_post(context, "waits", "It waits.")


@pytest.fixture
def prepare(run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], Any]:
    """Play the run of a post until its container's time, which has not come."""

    def run(dag: Any, post_id: str) -> Any:
        with monkeypatch.context() as early:
            early.setattr(CreatePost, "execute", waits)
            return run_post(run_dag, dag, post_id)

    return run


def test_a_post_is_transcoded_ahead_and_another_run_of_it_finds_the_work_done(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    landscape_mov: Path,
    tmp_path: Path,
) -> None:
    """The first run calls Instagram not once. The second transcodes nothing, and publishes the post once."""
    (tmp_path / "clip.mov").write_bytes(landscape_mov.read_bytes())
    file = calendar({"later": FIVE_HOURS_S}, later={"video": "clip.mov"})
    early = prepare(made(file), "later")
    assert early.states() == {"prepare": "success", "approve": "success"} | dict.fromkeys(REST, "skipped")
    assert instagram_sandbox.journal() == []
    result = Path(early.xcom("prepare")["media"][0])
    written = result.stat()
    assert result.suffix == ".mp4"

    own = run_by_hand(run_dag, made(file), "later", now=True)
    assert own.state == "success"
    assert own.xcom("prepare")["media"] == [str(result)]
    assert (result.stat().st_ino, result.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert len(instagram_sandbox.posts) == 1
    assert instagram_sandbox.calls("publish") == 1


def test_a_post_whose_file_is_still_to_come_is_prepared_once_it_is_there(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    portrait_video: Path,
    tmp_path: Path,
    mocker: MockerFixture,
) -> None:
    """The task ends in between, and turns no run red."""
    mocker.patch("airflow_provider_instagram.calendar.tasks.prepare.LOOK_AGAIN_AFTER", timedelta(seconds=1))
    waits: list[str] = []
    wait = PreparePost._wait_for_file

    def filmed_during_the_second_wait(self: PreparePost, context: Any, post: Any, missing: str) -> None:
        waits.append(missing)
        if len(waits) == 2:
            (tmp_path / "soon.mp4").write_bytes(portrait_video.read_bytes())
        wait(self, context, post, missing)

    mocker.patch.object(PreparePost, "_wait_for_file", filmed_during_the_second_wait)
    file = calendar({"filmed-tomorrow": FIVE_HOURS_S}, **{"filmed-tomorrow": {"video": "soon.mp4"}})
    assert prepare(made(file), "filmed-tomorrow").states()["prepare"] == "success"
    assert len(waits) == 2


def test_a_post_whose_file_does_not_come_fails_when_its_container_is_due(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    mocker: MockerFixture,
) -> None:
    """There is still time to put it there."""
    mocker.patch("airflow_provider_instagram.calendar.tasks.prepare.LOOK_AGAIN_AFTER", timedelta(hours=4))
    file = calendar({"never-filmed": FIVE_HOURS_S}, **{"never-filmed": {"video": "soon.mp4"}})
    early = prepare(made(file, default_args={"retries": 0}), "never-filmed")
    assert (early.state, early.states()["prepare"]) == ("failed", "failed")
    assert "soon.mp4" in early.xcom("prepare", "outcome")["reason"]


def test_a_file_that_cannot_be_used_fails_the_run_of_its_post_days_before(
    instagram_sandbox: SandboxHandle, prepare: Callable[..., Any], calendar: Callable[..., Path], tmp_path: Path
) -> None:
    """There is time to mend it."""
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    posts = {"prepared-broken": FIVE_HOURS_S, "prepared-beside-it": FIVE_HOURS_S}
    dag = made(calendar(posts, **{"prepared-broken": {"video": "broken.mp4"}}))
    assert prepare(dag, "prepared-broken").state == "failed"
    assert prepare(dag, "prepared-beside-it").states()["prepare"] == "success"
    assert instagram_sandbox.journal() == []


def grey(picture: Image.Image, row: int) -> int:
    """Return how bright the middle of a row is, from 0 to 255."""
    return picture.convert("L").crop((picture.width // 2, row, picture.width // 2 + 1, row + 1)).tobytes()[0]


def previews() -> dict[str, Any]:
    """Return the row of the previews, as the Posts page reads it."""
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalar(
            select(AssetStateStoreModel.value)
            .join(AssetModel, AssetModel.id == AssetStateStoreModel.asset_id)
            .where(AssetModel.uri == events_asset("content").uri, AssetStateStoreModel.key == "previews")
        )
    return dict(json.loads(row)["row"]["previews"]) if row else {}


def test_posts_have_pictures_with_their_bars_or_their_crop_long_before_they_are_prepared(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    landscape_mov: Path,
    pictures: None,
    tmp_path: Path,
) -> None:
    """A wide video as a reel: two thirds of the frame are bars, or of the video are lost. Nothing is transcoded.

    The post of today gets its picture from its run, which begins now.
    """
    (tmp_path / "clip.mov").write_bytes(landscape_mov.read_bytes())
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    files = {
        "bars": {"video": "clip.mov", "background": "white"},
        "crop": {"video": "clip.mov", "fit": "crop"},
        "slides": {"video": None, "carousel": ["wide.png", "tall.jpg"]},
        "broken": {"video": "broken.mp4"},
        "to-come": {"video": "tomorrow.mp4"},
    }
    file = calendar({**dict.fromkeys(files, TEN_DAYS_S), "prepared": FIVE_HOURS_S}, **files)
    dag = made(file, accounts=[ACCOUNT])
    assert run_report(run_dag, dag).state == "success"
    assert instagram_sandbox.journal() == []
    versions = {post.id: post.version for post in settings_of(dag).stored().plan.calendar.posts}
    row = previews()
    shown = set(versions) - {"to-come", "prepared"}
    assert set(row) == {versions[name] for name in shown}
    says = {name: row[versions[name]].get("says", "") for name in shown}
    assert says["bars"] == "Bars will fill 68% of the frame."
    assert says["crop"].endswith("68% of the picture is cropped away.")
    assert says["broken"].startswith("no preview: ")
    assert not row[versions["broken"]]["is_there"]
    covers = {name: Image.open(cover_file(versions[name])) for name in ("bars", "crop", "slides")}
    ratios = {name: round(cover.width / cover.height, 2) for name, cover in covers.items()}
    assert ratios == {"bars": 0.56, "crop": 0.56, "slides": 1.6}
    assert grey(covers["bars"], 20) > 250
    assert grey(covers["bars"], covers["bars"].height // 2) < 250
    assert grey(covers["crop"], 20) < 250
    assert Image.open(cover_file(f"{versions['slides']}-2")).size == (1440, 900)  # 600x900, with bars

    written = {name: Path(cover_file(versions[name])).stat().st_mtime_ns for name in covers}
    run_report(run_dag, dag)
    assert {name: Path(cover_file(versions[name])).stat().st_mtime_ns for name in covers} == written


def test_a_look_makes_so_many_previews_the_next_posts_first_and_a_later_look_the_others(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    pictures: None,
    mocker: MockerFixture,
) -> None:
    mocker.patch("airflow_provider_instagram.calendar.tasks.previews.MOST_AT_ONCE", 1)
    file = calendar({"second": TEN_DAYS_S + 60, "first": TEN_DAYS_S}, defaults={"video": None, "image": "wide.png"})
    plan = planned(made(file)).plan
    first, second = (one.version for one in plan.calendar.posts)
    for expected in ({first}, {first, second}):
        run_report(run_dag, made(file))
        assert set(previews()) == expected


def test_a_preview_copies_no_huge_file_and_waits_for_no_slow_storage(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    from airflow.sdk import ObjectStoragePath

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"{bucket}/")
    ObjectStoragePath(f"{bucket}/a.mp4").write_bytes(b"x" * 1001)
    post = ScheduledPost(id="a", publish_at=datetime.now(timezone.utc), account=ACCOUNT, video=f"{bucket}/a.mp4")
    files = CalendarFiles(str(tmp_path / "posts.yaml"), None)
    over = _preview(post, files, 7, time.monotonic() - 1)
    assert over.says == f"no preview: {bucket}/a.mp4 could not be copied in time."
    mocker.patch("airflow_provider_instagram.calendar.tasks.previews.MOST_SOURCE_BYTES", 1000)
    large = _preview(post, files, 7, math.inf)
    assert large.says == f"no preview: {bucket}/a.mp4 has 1,001 bytes; the limit is 1,000 bytes."


def dies(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed")


@pytest.mark.parametrize(
    "where",
    [
        "in the run that publishes it",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("in its preparation", "before its preparation")),
    ],
)
def test_an_edited_post_goes_out_once_in_its_last_version_whichever_run_dies(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    once, later = {"retries": 0}, f"later-{len(where)}"
    file = calendar({later: FIVE_HOURS_S}, **{later: {"caption": "first"}})
    if where != "before its preparation":
        with monkeypatch.context() as broken:
            if where == "in its preparation":
                broken.setattr(PreparePost, "_about_result", dies)
            early = prepare(made(file, default_args=once), later)
        assert early.state == ("failed" if where == "in its preparation" else "success")
    file = calendar({later: FIVE_HOURS_S}, **{later: {"caption": "last"}})
    if where == "in the run that publishes it":
        with monkeypatch.context() as broken:
            broken.setattr(PublishPost, "publication_time", dies)
            assert run_by_hand(run_dag, made(file, default_args=once), later, now=True).state == "failed"
        assert instagram_sandbox.calls("create") == 1
    assert run_by_hand(run_dag, made(file), later, now=True).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["last"]
    assert (instagram_sandbox.calls("create"), instagram_sandbox.calls("publish")) == (1, 1)


def test_a_preparation_tells_once_that_a_post_waits(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    mocker: MockerFixture,
) -> None:
    mocker.patch.object(ApprovePost, "execute", waits)
    before = max([0, *(number for number, _ in events())])
    file = calendar({"asked-ahead": FIVE_HOURS_S}, **{"asked-ahead": {"approval": "required"}})
    for _ in range(2):
        early = run_post(run_dag, made(file, notify=[]), "asked-ahead")
        assert (early.state, early.states()["tell"]) == ("success", "success")
    assert new_events(before) == [("waiting", "asked-ahead", "waits for an approval.")]
