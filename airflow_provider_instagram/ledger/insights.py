"""The rows about an account beside those of its posts: what Instagram refuses to it, and the latest insights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pydantic.dataclasses
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from airflow_provider_instagram.ledger.ledger import row_key

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.seal import StateStore

REFUSED_ROW: Final = "insights-refused"
#: What Instagram refused to the account although nothing spoke against it.
REFUSALS_ROW: Final = "refused"
REMEMBERED: Final = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass
class StoredRefusals:
    """The metrics that Meta refused to an account within the last day, by kind of medium."""

    store: StateStore
    clock: Callable[[], datetime]

    def of(self, kind: str) -> frozenset[str]:
        """Return the metrics that are refused for a kind of medium."""
        since = self.clock() - REMEMBERED
        refused_at = (self.store.get(REFUSED_ROW) or {}).get(kind, {})
        return frozenset(
            metric for metric, at in refused_at.items() if datetime.fromisoformat(at) > since
        )

    def add(self, kind: str, metrics: Sequence[str]) -> None:
        """Record metrics that are refused for a kind of medium."""
        row = self.store.get(REFUSED_ROW) or {}
        now = dict.fromkeys(metrics, self.clock().isoformat())
        self.store.set(REFUSED_ROW, row | {kind: row.get(kind, {}) | now})


@pydantic.dataclasses.dataclass(frozen=True)
class LatestNumbers:
    """The numbers of a post as they were read last.

    :param age: The age of the post at which they were read, such as ``6h``.
    :param refused: The metrics that Instagram refused.
    """

    post_key: str
    age: str
    read_at: str
    values: Mapping[str, int | float]
    refused: tuple[str, ...] = ()


def record_numbers(store: StateStore, media_id: str, numbers: LatestNumbers) -> None:
    """Record the latest numbers of a post, in place of the earlier ones."""
    store.set(row_key("insights", media_id), {**asdict(numbers), "refused": list(numbers.refused)})


def latest_numbers(store: StateStore, media_id: str) -> LatestNumbers | None:
    """Return the latest numbers of a post, or None if none were read."""
    row = store.get(row_key("insights", media_id))
    return LatestNumbers(**row) if row else None


class Refusal(BaseModel):
    """A refusal, as Instagram put it, and when it was."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reason: str
    at: datetime


#: The content of a row of refusals.
REFUSALS: Final = TypeAdapter(dict[str, Refusal])


def record_refusal(store: StateStore, reason: str | None, at: datetime, *what: str) -> None:
    """Record that Instagram refused something to the account, or that it no longer does.

    If that fails, only the log says so: what the caller does counts more.

    :param reason: Why not, or None if it is allowed.
    """
    try:
        known = refusals(store, at)
        now = {name: refusal for name, refusal in known.items() if name not in what}
        if reason is not None:
            now |= dict.fromkeys(what, Refusal(reason=reason, at=at))
        if now != known:
            dumped = {name: refusal.model_dump(mode="json") for name, refusal in now.items()}
            store.set(REFUSALS_ROW, dumped)
    except Exception:
        log.exception("It could not be recorded whether Instagram refuses %s", ", ".join(what))


def refusals(store: StateStore, now: datetime) -> dict[str, Refusal]:
    """Return what Instagram refused to the account within the last day, by the name of the capability."""
    try:
        found = REFUSALS.validate_python(store.get(REFUSALS_ROW) or {})
    except ValidationError:
        return {}  # a user with rights may have written anything
    return {what: refusal for what, refusal in found.items() if now - refusal.at < REMEMBERED}
