"""What the Posts page shows of a task that did not succeed.

Airflow stores no reason for a task's state, so that is an XCom of the task. Airflow deletes it when
a next try starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from airflow.sdk.exceptions import (
    AirflowRescheduleException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from airflow_provider_instagram.exceptions import InstagramError, own_words

if TYPE_CHECKING:
    from airflow.sdk import Context

#: What a task says of its end.
Outcome: TypeAlias = dict[str, Any]
#: The key of the XCom.
OUTCOME: Final = "outcome"
LONGEST_TEXT: Final = 2_000
#: What a report says: the state, a mark, the reason, what to do, and in which try that was.
PARTS: Final = ("state", "mark", "reason", "hint", "try")

T = TypeVar("T", bound="Callable[..., Any]")
log = logging.getLogger(__name__)


def report(context: Context, key: str, value: Outcome) -> None:
    """Push an XCom for the page, which names its try. A failure to do so does not affect the task."""
    try:
        context["ti"].xcom_push(key=key, value={**value, "try": context["ti"].try_number})
    except Exception as error:  # noqa: BLE001 -- the page shows less, and the task goes on
        log.warning("The Posts page cannot show the %s of this task: %s", key, error)


def report_state(
    context: Context, state: Literal["skipped", "later", "held"], mark: str, reason: str
) -> None:
    """Report why a post is skipped, is left to a later run, or is held until a person answers."""
    report(
        context,
        OUTCOME,
        {"state": state, "mark": mark, "reason": reason[:LONGEST_TEXT], "hint": None},
    )


def known_texts(reported: Any) -> Outcome:
    """Return the parts of a report as a task writes them, of an XCom that users may have edited."""
    if not isinstance(reported, dict):
        return {}
    return {
        name: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in reported.items()
        if name in PARTS and isinstance(value, (str, int))
    }


def reports_failure(method: T) -> T:
    """Return a method of a task that reports its error before it raises it."""

    @wraps(method)
    def reporting(self: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, context, *args, **kwargs)
        except (AirflowSkipException, AirflowRescheduleException, DownstreamTasksSkipped):
            raise
        except Exception as error:
            report(context, OUTCOME, _failure(error))
            raise

    return reporting  # type: ignore[return-value]


def _failure(error: Exception) -> Outcome:
    hint, reason = None, own_words(error)  # notifiers and events repeat it, and nothing masks these
    if isinstance(error, InstagramError):
        hint = error.hint
        if error.user_message and error.user_message not in reason:
            reason = f"{reason} Instagram says: {error.user_message}"
    reason = reason[:LONGEST_TEXT]
    hint = hint and hint[:LONGEST_TEXT]
    return {"state": "failed", "mark": type(error).__name__, "reason": reason, "hint": hint}
