"""What a report says, in logs and in XCom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.media.plan import Plan, Reason
from airflow_provider_instagram.media.report import Report, facts_of

if TYPE_CHECKING:
    from airflow_provider_instagram.media.info import PictureInfo, VideoInfo

Make = Callable[..., Any]

VIDEO = {
    "container": "mp4",
    "size": "5.16 MB",
    "duration": "10.00 s",
    "frame": "1080x1920, 30 fps",
    "video": "h264, 4,000 kb/s",
    "audio": "aac, 128 kb/s, 48000 Hz, 2 ch",
}
PICTURE = {"format": "JPEG", "size": "1.50 MB", "frame": "1080x1080", "colours": "RGB, no profile"}


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({}, {}),
        ({"audio": None}, {"audio": "none"}),
        ({"layout": {"brand": "qt"}}, {"container": "mov"}),
        ({"layout": None, "container": "gif"}, {"container": "gif"}),
        ({"video": {"columns": 1920, "rows": 1080, "rotation": 90}}, {}),
        ({"video": {"columns": 1080, "rows": 1920, "rotation": 180}}, {}),
    ],
)
def test_the_facts_of_a_video_are_those_that_a_player_shows(
    change: dict[str, Any], facts: dict[str, str], make_info: Make
) -> None:
    assert facts_of(make_info(**change)) == VIDEO | facts


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({}, {}),
        ({"format": "PNG", "mode": "RGBA"}, {"format": "PNG", "colours": "RGBA, no profile"}),
        ({"colour_profile": "Display P3"}, {"colours": "RGB, Display P3"}),
    ],
)
def test_the_facts_of_a_picture(change: dict[str, Any], facts: dict[str, str], make_picture: Make) -> None:
    assert facts_of(make_picture(size_bytes=1_500_000, **change)) == PICTURE | facts


def test_a_report_of_a_video_is_a_table_for_people_and_plain_data_for_tasks(make_info: Make) -> None:
    before: VideoInfo = make_info(video={"codec": "hevc"})
    plan = Plan("full", (Reason("video codec", "hevc is not H.264", "full"),), ("It is dark.",), 10.0)
    report = Report(plan, before, make_info(), elapsed_s=4.0004)
    assert report.table() == [
        "Tier full, 4.0 s, 2.5 times real time",
        "because of video codec: hevc is not H.264 (needs full)",
        "warning: It is dark.",
        "           source                         result",
        "container  mp4                            mp4",
        "size       5.16 MB                        5.16 MB",
        "duration   10.00 s                        10.00 s",
        "frame      1080x1920, 30 fps              1080x1920, 30 fps",
        "video      hevc, 4,000 kb/s               h264, 4,000 kb/s",
        "audio      aac, 128 kb/s, 48000 Hz, 2 ch  aac, 128 kb/s, 48000 Hz, 2 ch",
    ]
    data = report.as_data()
    assert data["reasons"] == ["video codec: hevc is not H.264 (needs full)"]
    assert (data["kind"], data["tier"], data["elapsed_s"], data["speed"]) == ("video", "full", 4.0, 2.5)
    assert (data["before"]["video_codec"], data["after"]["video_codec"]) == ("hevc", "h264")


def test_a_report_of_a_picture_has_no_speed(make_picture: Make) -> None:
    info: PictureInfo = make_picture()
    report = Report(Plan("pass", (), ()), info, info, elapsed_s=0.5)
    assert report.table()[0] == "Tier pass, 0.5 s"
    assert report.as_data()["kind"] == "image"
    assert "speed" not in report.as_data()
