"""How often an upload reports its progress."""

from __future__ import annotations

from airflow_provider_instagram.publishing.containers import Throttle


def test_a_report_is_due_once_in_five_seconds_and_not_at_once() -> None:
    times_s = iter((100.0, 100.0, 104.9, 105.0, 109.9, 110.5, 115.0, 115.5))
    throttle = Throttle(clock=lambda: next(times_s))
    assert [throttle.is_due() for _ in range(7)] == [False, False, True, False, True, False, True]
    assert throttle.elapsed_s == 15.5
