from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_instagram.media.encode import ProgressReader
from airflow_provider_instagram.media.spec import Progress, Throttle


def test_progress_is_reported_once_in_five_seconds_and_at_the_end() -> None:
    """Ffmpeg reports twice a second; a log wants a line now and then, and the last word."""
    now_s = 0.0
    told: list[tuple[float, Progress]] = []
    reader = ProgressReader(20.0, lambda progress: told.append((now_s, progress)), clock=lambda: now_s)
    for half in range(24):
        now_s = half / 2
        for line in (f"out_time_us={half * 1_000_000 // 2}", "speed=1.0x", "progress=continue"):
            reader.read_line(line)
    reader.read_line("progress=end")
    assert [moment for moment, _ in told] == [5.0, 10.0, 11.5]
    assert told[0][1] == Progress(25.0, 1.0, timedelta(seconds=15))
    assert told[-1][1].percent == 100


@pytest.mark.parametrize("value", ["N/A", "9223372036854775807", "-9223372036854775807"])
def test_progress_without_a_time_yet_promises_nothing(value: str) -> None:
    """Versions of ffmpeg write the missing time of the first frame in different ways."""
    told: list[Progress] = []
    clock = iter([0.0, 6.0])
    reader = ProgressReader(20.0, told.append, clock=lambda: next(clock))
    reader.read_line(f"out_time_us={value}")
    reader.read_line("progress=continue")
    assert told == [Progress(0.0, 0.0, None)]
    assert str(told[0]) == "0 %, 0.00 times real time"


def test_at_the_end_all_is_made_also_when_ffmpeg_gives_no_time() -> None:
    told: list[Progress] = []
    clock = iter([0.0, 4.0])
    reader = ProgressReader(20.0, told.append, clock=lambda: next(clock))
    reader.read_line("out_time_us=N/A")
    reader.read_line("progress=end")
    assert told == [Progress(100.0, 5.0, timedelta(0))]


def test_a_report_is_due_once_in_five_seconds_and_not_at_once() -> None:
    times_s = iter((100.0, 100.0, 104.9, 105.0, 109.9, 110.5, 115.0, 115.5))
    throttle = Throttle(clock=lambda: next(times_s))
    assert [throttle.is_due() for _ in range(7)] == [False, False, True, False, True, False, True]
    assert throttle.elapsed_s == 15.5
