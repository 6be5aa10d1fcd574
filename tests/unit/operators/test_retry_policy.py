from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

from airflow_provider_instagram import exceptions
from airflow_provider_instagram.operators.base import InstagramRetryPolicy

if TYPE_CHECKING:
    from pytest_mock import MockerFixture


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ValidationError,
        exceptions.AuthenticationError,
        exceptions.PermissionDeniedError,
        exceptions.MediaRejectedError,
        exceptions.ContainerExpiredError,
        exceptions.OutcomeUnknownError,
        exceptions.TranscodeError,
    ],
)
def test_what_cannot_get_better_by_itself_fails_at_once(error: type[exceptions.InstagramError]) -> None:
    assert InstagramRetryPolicy().evaluate(error("no"), 1, 3).action is RetryAction.FAIL


def test_what_meta_does_not_document_may_get_better() -> None:
    decision = InstagramRetryPolicy().evaluate(exceptions.InstagramError("code 77777", code=77777), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert "cannot help" not in (decision.reason or "")


def test_a_rate_limit_is_waited_out() -> None:
    error = exceptions.RateLimitError("slow down", retry_after=timedelta(minutes=7))
    decision = InstagramRetryPolicy().evaluate(error, 1, 3)
    waits = getattr(RetryAction, "RESCHEDULE", RetryAction.RETRY)  # which Airflow 3.4 has
    assert (decision.action, decision.retry_delay) == (waits, timedelta(minutes=7))


def test_waiting_for_a_rate_limit_uses_up_no_retry_where_airflow_can(mocker: MockerFixture) -> None:
    """From Airflow 3.4 on, for a day at most. tests/next runs the other tests of this file there."""
    calls: list[tuple[object, object]] = []

    def reschedule(delay: timedelta, *, reschedule_timeout: timedelta, reason: str) -> RetryDecision:
        calls.append((delay, reschedule_timeout))
        return RetryDecision(reason=reason)

    mocker.patch.object(RetryDecision, "reschedule", reschedule, create=True)
    policy, wait = InstagramRetryPolicy(), timedelta(minutes=7)
    policy.evaluate(exceptions.RateLimitError("slow down", retry_after=wait), 1, 3)
    policy.evaluate(exceptions.TransientError("down", retry_after=wait), 1, 3)
    assert calls == [(wait, timedelta(days=1))]


def test_what_may_pass_is_tried_again_later_and_later_with_jitter() -> None:
    policy, error = InstagramRetryPolicy(), exceptions.TransientError("hiccup")
    delays = [[policy.evaluate(error, attempt, 9).retry_delay for _ in range(20)] for attempt in (1, 2, 3, 30)]
    for spread, around_s in zip(delays, (15, 30, 60, 900), strict=True):
        seconds = [delay.total_seconds() for delay in spread if delay]
        assert len(seconds) == 20
        assert all(0.75 * around_s <= one <= 1.25 * around_s for one in seconds)
        assert len(set(seconds)) > 1


def test_what_is_not_ours_is_left_to_airflow() -> None:
    assert InstagramRetryPolicy().evaluate(KeyError("x"), 1, 3).action is RetryAction.DEFAULT


def test_it_survives_serialization() -> None:
    assert isinstance(InstagramRetryPolicy.deserialize(InstagramRetryPolicy().serialize()), InstagramRetryPolicy)
