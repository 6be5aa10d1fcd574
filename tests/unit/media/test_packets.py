"""What the timestamps of packets say about a stream. ffprobe is a program that prints the lines of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.packets import Timeline, read_timelines
from airflow_provider_instagram.media.process import ProcessLimits

if TYPE_CHECKING:
    from pathlib import Path

AMPLE = ProcessLimits(wall_s=60, cpu_s=30)
Read = Callable[..., Timeline]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read lines as ffprobe prints them: stream, presentation, decoding, duration, size, flags."""

    def go(*lines: str, then: str = "", starts_at_zero: bool = False) -> Timeline:
        (listing := tmp_path / "listing").write_text("".join(f"{line}\n" for line in lines))
        (program := tmp_path / "ffprobe").write_text(f"#!/bin/sh\ncat {listing}\n{then}\n")
        program.chmod(0o755)
        timelines, _ = read_timelines(tmp_path, [0], [str(program)], AMPLE, None, starts_at_zero=starts_at_zero)
        return timelines[0]

    return go


FRAMES = ("0,0.0,0.0,0.5,100,K__", "0,0.5,0.5,0.5,50,___", "0,1.0,1.0,0.5,50,K__")


def test_the_rate_the_duration_and_the_bit_rate_are_those_of_the_packets(read: Read) -> None:
    """Packets of other streams and lines without a time do not count."""
    timeline = read(*FRAMES, "1,7.0,7.0,0.5,999,K__", "0,N/A,N/A,0.5,7,___", "")
    assert (timeline.count, timeline.hidden, timeline.size_bytes) == (3, 0, 200)
    assert (timeline.start_s, timeline.end_s, timeline.duration_s) == (0.0, 1.5, 1.5)
    assert [timeline.rate, timeline.bits_per_s] == pytest.approx([2.0, 200 * 8 / 1.5])
    assert not timeline.open_gop


@pytest.mark.parametrize(
    ("lines", "open_gop"),
    [
        (FRAMES, False),
        (("0,0.0,0.0,0.5,9,K__", "0,1.0,0.5,0.5,9,___", "0,0.5,1.0,0.5,9,___"), False),
        (("0,0.0,0.0,0.5,9,K__", "0,1.0,0.5,0.5,9,K__", "0,0.5,1.0,0.5,9,___"), True),
        (("0,0.0,0.0,0.5,9,___", "0,0.5,0.5,0.5,9,K__"), True),
    ],
    ids=["in order", "B-frames after their keyframe", "a frame shown before its keyframe", "no keyframe first"],
)
def test_a_frame_that_is_shown_before_its_keyframe_opens_the_group(
    lines: tuple[str, ...], open_gop: bool, read: Read
) -> None:
    assert read(*lines).open_gop == open_gop


@pytest.mark.parametrize(
    ("lines", "starts_at_zero", "count", "hidden", "start_s"),
    [
        (("0,-0.5,-0.5,0.5,9,_D_", "0,0.0,0.0,0.5,9,K__"), False, 1, 1, 0.0),
        (("0,-0.5,-0.5,0.5,9,K__", "0,0.0,0.0,0.5,9,K__"), False, 2, 0, -0.5),
        (("0,-0.5,-0.5,0.5,9,K__", "0,0.0,0.0,0.5,9,K__"), True, 1, 1, 0.0),
        (("0,-0.4,-0.4,0.5,9,K__", "0,0.1,0.1,0.5,9,K__"), True, 2, 0, -0.4),
    ],
    ids=["marked", "not marked", "over before a fragmented file starts", "partly shown"],
)
def test_what_an_edit_list_hides_is_counted_and_not_shown(
    lines: tuple[str, ...], starts_at_zero: bool, count: int, hidden: int, start_s: float, read: Read
) -> None:
    timeline = read(*lines, starts_at_zero=starts_at_zero)
    assert (timeline.count, timeline.hidden, timeline.start_s) == (count, hidden, start_s)


def test_the_steps_between_packets_show_variable_rates_and_concatenated_recordings(read: Read) -> None:
    timeline = read("0,0.0,0.0,,9,K__", "0,0.1,0.1,,9,___", "0,0.4,0.4,,9,___", "0,0.2,0.2,,9,___")
    assert timeline.longest_s == pytest.approx(0.2)
    assert timeline.shortest_s == pytest.approx(0.1)
    assert timeline.largest_step_s == pytest.approx(0.3)
    assert timeline.end_s == pytest.approx(0.5)


def test_a_stream_without_packets_has_no_rate(read: Read) -> None:
    timeline = read()
    assert (timeline.count, timeline.rate, timeline.bits_per_s) == (0, 0.0, 0.0)


def test_a_file_that_cannot_be_read_to_its_end_is_refused(read: Read) -> None:
    with pytest.raises(ValidationError, match=r"could not be read to its end \(broken\)"):
        read(*FRAMES, then="echo broken >&2; exit 1")
