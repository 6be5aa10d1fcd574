"""The rows about insights beside those of the posts: the metrics that Meta refuses to the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_instagram.ledger.ledger import StateStore

REFUSED_ROW: Final = "insights-refused"


@dataclass
class StoredRefusals:
    """The metrics that Meta refused to an account, by kind of medium.

    :param store: The rows of the account's ledger.
    """

    store: StateStore

    def of(self, kind: str) -> frozenset[str]:
        """Return the metrics that are refused for a kind of medium."""
        return frozenset((self.store.get(REFUSED_ROW) or {}).get(kind, ()))

    def add(self, kind: str, metrics: Sequence[str]) -> None:
        """Record metrics that are refused for a kind of medium."""
        row = self.store.get(REFUSED_ROW) or {}
        self.store.set(REFUSED_ROW, row | {kind: sorted({*row.get(kind, ()), *metrics})})
