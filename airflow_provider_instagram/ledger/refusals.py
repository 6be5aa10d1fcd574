"""What Instagram refused to an account although nothing spoke against it, remembered for a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import StateStore

ROW: Final = "refused"
REMEMBERED: Final = timedelta(days=1)


class Refusal(BaseModel):
    """A refusal, as Instagram put it, and when it was."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reason: str
    at: datetime


def record_refusal(store: StateStore, what: str, reason: str | None, at: datetime) -> None:
    """Record that Instagram refused something to the account, or that it no longer does.

    :param what: The name of the capability.
    :param reason: Why not, or None if it is allowed.
    """
    row = dict(store.get(ROW) or {})
    if reason is not None:
        row[what] = Refusal(reason=reason, at=at).model_dump(mode="json")
    elif row.pop(what, None) is None:
        return
    store.set(ROW, row)


def refusals(store: StateStore, now: datetime) -> dict[str, Refusal]:
    """Return what Instagram refused to the account within the last day, by the name of the capability."""
    try:
        found = {str(what): Refusal.model_validate(row) for what, row in dict(store.get(ROW) or {}).items()}
        return {what: refusal for what, refusal in found.items() if now - refusal.at < REMEMBERED}
    except (ValidationError, TypeError, ValueError):
        return {}  # a user with rights may have written anything
