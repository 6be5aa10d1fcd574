from __future__ import annotations

import json
import pickle
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_instagram import exceptions
from airflow_provider_instagram.exceptions import (
    ERRORS,
    InstagramError,
    MediaRejectedError,
    OutcomeUnknownError,
    TransientError,
)

KNOWN = {
    "hint": "Do this.",
    "code": 352,
    "subcode": 2207026,
    "fbtrace_id": "AbC",
    "user_message": "Sorry",
    "retry_after": timedelta(minutes=1, milliseconds=500),
    "outcome_unknown": True,
}


def everything(error: InstagramError) -> tuple[object, ...]:
    return type(error), error.args, *vars(error).values()


@pytest.mark.parametrize("known", [KNOWN, {}], ids=["all", "nothing"])
@pytest.mark.parametrize("kind", ERRORS.values())
def test_an_error_survives_the_way_from_trigger_to_task(kind: type[InstagramError], known: dict[str, Any]) -> None:
    """What travels is JSON, or pickled, and what arrives is the same class with all that it knew."""
    error = kind("It failed", **known)
    travelled = InstagramError.from_data(json.loads(json.dumps(error.as_data())))
    assert everything(travelled) == everything(error)
    assert everything(pickle.loads(pickle.dumps(error))) == everything(error)  # noqa: S301


def test_every_error_of_the_module_can_travel() -> None:
    defined = {cls for cls in vars(exceptions).values() if isinstance(cls, type) and issubclass(cls, Exception)}
    assert set(ERRORS.values()) == defined


def test_the_text_says_what_was_wrong_what_instagram_says_and_what_to_do() -> None:
    error = MediaRejectedError("Cannot use it", hint="Transcode it", code=352, subcode=2207026, user_message="Sorry")
    assert str(error) == "Cannot use it. Instagram says: Sorry. Transcode it. [code 352/2207026]"


def test_the_text_names_the_trace_that_metas_support_asks_for() -> None:
    assert str(InstagramError("No!", code=190, fbtrace_id="AbC")) == "No! [code 190, fbtrace_id AbC]"


def test_what_instagram_says_is_not_said_twice() -> None:
    assert str(InstagramError("It said: Sorry.", user_message="Sorry.")) == "It said: Sorry."


def test_the_class_says_whether_trying_again_can_help() -> None:
    assert {name for name, kind in ERRORS.items() if kind.retryable} == {
        "RateLimitError", "QuotaExhaustedError", "NotReadyError", "TransientError", "MediaNotFetchedError",
    }  # fmt: skip


def test_an_outcome_is_known_unless_it_is_said_not_to_be() -> None:
    assert not TransientError("It failed").outcome_unknown
    assert TransientError("It failed", outcome_unknown=True).outcome_unknown
    assert OutcomeUnknownError("Who knows").outcome_unknown
