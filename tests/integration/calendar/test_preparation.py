"""Runs that prepare posts ahead of the runs that publish them, in this process, against the sandbox."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.model import ScheduledPost
from airflow_provider_instagram.calendar.planning.plan import Plan
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.told import events_asset
from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.calendar.tasks.previews import _preview
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from tests.integration.calendar.runs import ACCOUNT, labels, made, states
from tests.integration.calendar.test_problems import events
from tests.integration.calendar.test_told import new_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle

FIVE_HOURS_S = 5 * 3600.0
TEN_DAYS_S = 10 * 86400.0


@pytest.fixture
def prepare(run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Run a DAG as the scheduler does when the preparation of all its posts begins, or of none."""

    def run(dag: Any, *, prepares: bool = True) -> Any:
        with monkeypatch.context() as scheduled:
            for module in ("run_request", "select_posts", "report_problems"):
                name = f"airflow_provider_instagram.calendar.tasks.{module}.started_by_hand"
                scheduled.setattr(name, lambda _: False)
            scheduled.setattr(Plan, "is_prepared_by", lambda *_: prepares)
            return run_dag(dag)

    return run


def test_a_post_is_transcoded_ahead_and_its_own_run_finds_the_work_done(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    prepare: Callable[[Any], Any],
    calendar: Callable[..., Path],
    landscape_mov: Path,
    tmp_path: Path,
) -> None:
    """The first run calls Instagram not once. The second transcodes nothing, and publishes the post once."""
    (tmp_path / "clip.mov").write_bytes(landscape_mov.read_bytes())
    file = calendar({"later": FIVE_HOURS_S}, later={"video": "clip.mov"})
    early = prepare(made(file))
    assert early.state == "success"
    assert {step: states(early)[f"{step}[0]"] for step in ("transcode", "create", "publish")} == {
        "transcode": "success",
        "create": "skipped",
        "publish": "skipped",
    }
    assert instagram_sandbox.journal() == []
    result = Path(early.xcom(f"{ACCOUNT}.transcode", map_index=0))
    written = result.stat()
    assert result.suffix == ".mp4"

    own = run_dag(made(file), posts=["later"], now=True)
    assert own.state == "success"
    assert own.xcom(f"{ACCOUNT}.transcode", map_index=0) == str(result)
    assert (result.stat().st_ino, result.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert len(instagram_sandbox.posts) == 1
    assert instagram_sandbox.calls("publish") == 1


def test_a_post_whose_file_is_still_to_come_is_prepared_once_it_is_there(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[[Any], Any],
    calendar: Callable[..., Path],
    portrait_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task ends in between, and turns no run red."""
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.transcode.LOOK_AGAIN_AFTER", timedelta(seconds=1))
    waits: list[str] = []
    wait = TranscodePost._wait_for_file

    def filmed_during_the_second_wait(self: TranscodePost, context: Any, post: Any, missing: str) -> None:
        waits.append(missing)
        if len(waits) == 2:
            (tmp_path / "soon.mp4").write_bytes(portrait_video.read_bytes())
        wait(self, context, post, missing)

    monkeypatch.setattr(TranscodePost, "_wait_for_file", filmed_during_the_second_wait)
    early = prepare(made(calendar({"filmed-tomorrow": FIVE_HOURS_S}, **{"filmed-tomorrow": {"video": "soon.mp4"}})))
    assert (early.state, states(early)["transcode[0]"]) == ("success", "success")
    assert len(waits) == 2


def test_a_post_whose_file_does_not_come_is_left_to_its_own_run_and_turns_no_run_red(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[[Any], Any],
    calendar: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.transcode.LOOK_AGAIN_AFTER", timedelta(hours=4))
    early = prepare(made(calendar({"filmed-tomorrow": FIVE_HOURS_S}, **{"filmed-tomorrow": {"video": "soon.mp4"}})))
    assert early.state == "success"
    assert labels(early, "transcode") == {"filmed-tomorrow (its file is missing)"}
    assert early.xcom(f"{ACCOUNT}.transcode", "outcome", map_index=0)["state"] == "later"


def test_a_file_that_cannot_be_used_fails_the_run_that_prepares_it(
    instagram_sandbox: SandboxHandle, prepare: Callable[[Any], Any], calendar: Callable[..., Path], tmp_path: Path
) -> None:
    """There is time to mend it."""
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    posts = {"prepared-broken": FIVE_HOURS_S, "prepared-beside-it": FIVE_HOURS_S}
    early = prepare(made(calendar(posts, **{"prepared-broken": {"video": "broken.mp4"}})))
    assert early.state == "failed"
    assert sorted((states(early)["transcode[0]"], states(early)["transcode[1]"])) == ["failed", "success"]
    assert instagram_sandbox.journal() == []


def grey(picture: Image.Image, row: int) -> int:
    """Return how bright the middle of a row is, from 0 to 255."""
    return picture.convert("L").crop((picture.width // 2, row, picture.width // 2 + 1, row + 1)).tobytes()[0]


def previews() -> dict[str, Any]:
    """Return the row of the previews, as the page Posts reads it."""
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
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    landscape_mov: Path,
    pictures: None,
    tmp_path: Path,
) -> None:
    """A wide video as a reel: two thirds of the frame are bars, or of the video are lost. Nothing is transcoded.

    The post of today gets its picture from its transcode, whose run begins now.
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
    result = prepare(dag, prepares=False)
    assert result.state == "success"
    assert "transcode[0]" not in states(result)
    assert instagram_sandbox.journal() == []
    versions = {post.id: post.version for post in CalendarSettings.of("content", str(file)).plan().calendar.posts}
    row = previews()
    shown = set(versions) - {"to-come", "prepared"}
    assert set(row) == {versions[name] for name in shown}
    says = {name: row[versions[name]].get("says", "") for name in shown}
    assert says["bars"] == "68% of the frame is outside the picture."
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
    prepare(dag, prepares=False)
    assert {name: Path(cover_file(versions[name])).stat().st_mtime_ns for name in covers} == written


def test_a_run_makes_so_many_previews_the_next_posts_first_and_a_later_run_the_others(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[..., Any],
    calendar: Callable[..., Path],
    pictures: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.previews.MOST_AT_ONCE", 1)
    file = calendar({"second": TEN_DAYS_S + 60, "first": TEN_DAYS_S}, defaults={"video": None, "image": "wide.png"})
    plan = CalendarSettings.of("content", str(file)).plan()
    first, second = (one.version for one in plan.calendar.posts)
    for expected in ({first}, {first, second}):
        prepare(made(file), prepares=False)
        assert set(previews()) == expected


def test_a_preview_copies_no_huge_file_and_waits_for_no_slow_storage(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import ObjectStoragePath

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"{bucket}/")
    ObjectStoragePath(f"{bucket}/a.mp4").write_bytes(b"x" * 1001)
    post = ScheduledPost(id="a", publish_at=datetime.now(timezone.utc), account=ACCOUNT, video=f"{bucket}/a.mp4")
    files = CalendarFiles(str(tmp_path / "posts.yaml"), None)
    over = _preview(post, files, 7, time.monotonic() - 1)
    assert over.says == f"no preview: {bucket}/a.mp4 could not be copied in time."
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.previews.MOST_SOURCE_BYTES", 1000)
    large = _preview(post, files, 7, math.inf)
    assert large.says == f"no preview: {bucket}/a.mp4 has 1,001 bytes; the limit is 1,000 bytes."


def dies(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed")


@pytest.mark.parametrize("where", ["in its preparation", "before its preparation", "in the run that publishes it"])
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
                broken.setattr(TranscodePost, "_about_result", dies)
            early = prepare(made(file, default_args=once))
        assert early.state == ("failed" if where == "in its preparation" else "success")
    file = calendar({later: FIVE_HOURS_S}, **{later: {"caption": "last"}})
    if where == "in the run that publishes it":
        with monkeypatch.context() as broken:
            broken.setattr(PublishPost, "publication_time", dies)
            assert run_dag(made(file, default_args=once), posts=[later], now=True).state == "failed"
        assert instagram_sandbox.calls("create") == 1
    assert run_dag(made(file), posts=[later], now=True).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["last"]
    assert (instagram_sandbox.calls("create"), instagram_sandbox.calls("publish")) == (1, 1)


def test_a_preparation_tells_that_a_post_waits_and_nothing_of_what_it_leaves_to_later(
    instagram_sandbox: SandboxHandle,
    prepare: Callable[[Any], Any],
    calendar: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_provider_instagram.calendar.tasks.approve import ASKED, ApprovePost

    monkeypatch.setattr(ApprovePost, "execute", lambda self, context, **_: self.leave_to_later_run(context, *ASKED))
    before = max([0, *(number for number, _ in events())])
    file = calendar({"asked-ahead": FIVE_HOURS_S}, **{"asked-ahead": {"approval": "required"}})
    for _ in range(2):
        early = prepare(made(file, notify=[]))
        assert (early.state, states(early)["tell[0]"]) == ("success", "success")
    assert new_events(before) == [("waiting", "asked-ahead", "waits for an approval.")]
