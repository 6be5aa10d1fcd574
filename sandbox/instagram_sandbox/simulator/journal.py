"""The journal: every call that reached the sandbox and its outcome, without secrets."""

from __future__ import annotations

import re
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from instagram_sandbox.simulator.state import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from instagram_sandbox.simulator.store import Store

MOST_IN_MEMORY: Final = 10_000

Operation = Literal[
    "create",
    "upload",
    "status",
    "publish",
    "media",
    "media_list",
    "stories",
    "children",
    "delete",
    "collaborators",
    "add_on",
    "audio",
    "comments",
    "comment",
    "moderate",
    "insights",
    "limit",
    "account",
    "page",
    "subscribe",
    "many",
    "batch",
    "refresh",
    "exchange_code",
    "exchange_token",
    "facebook_token",
    "authorize",
    "decide",
    "unknown",
]
"""The operations, as the journal, its queries and the faults name them."""

SECRET: Final = frozenset(
    {"access_token", "client_secret", "code", "appsecret_proof", "authorization", "fb_exchange_token", "state"}
)


class Entry(Record):
    """One call.

    ``time`` and ``at`` are the sandbox's time, ``real_time`` is the machine's. ``status`` is the HTTP status that the
    client saw, or None if it saw no answer. ``effect`` is whether the call took effect, whatever the answer was.
    ``warnings`` say what Meta would not do the same way, or why a link of the call was refused.
    """

    number: int
    time: str
    at: float
    real_time: float
    operation: Operation
    method: str
    path: str
    account: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    container_id: str | None = None
    media_id: str | None = None
    status: int | None = None
    outcome: str = "pending"  # ok, the failure's code, or what a fault made of it
    weight: int = 0  # how many calls it counted for
    effect: bool = False  # whether the call took effect
    fault: str | None = None
    warnings: list[str] = Field(default_factory=list)
    received_bytes: int | None = None
    duration_ms: float = 0.0


class Journal:
    """The calls in the order in which they came: the last ones in memory, all of them in the store.

    Without a state folder, only the last ones are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.entries: deque[Entry] = deque(maxlen=MOST_IN_MEMORY)
        self._next = 1

    def restore(self) -> Iterator[Entry]:
        """Read the calls that the previous process received, and yield each."""
        for _, entry in self._store.each("journal", Entry):
            self.entries.append(entry)
            self._next = entry.number + 1
            yield entry

    def keep(self, entry: Entry) -> None:
        """Store a call, or a change of one."""
        self._store.put("journal", _key(entry.number), entry)
        self._store.commit()

    def open(self, **facts: Any) -> Entry:
        """Record a call that has just arrived."""
        entry = Entry.model_construct(_ALL_FIELDS, number=self._next, **facts)
        self._next += 1
        self.entries.append(entry)
        return entry

    def find(
        self,
        operation: Operation | None = None,
        account: str | None = None,
        container_id: str | None = None,
        after: int = 0,
        warned: bool = False,
    ) -> list[Entry]:
        """Return the calls that match: those after a number, those with a warning, those of or about what is named."""
        first = self.entries[0].number if self.entries else self._next
        older = self._store.each("journal", Entry, before=_key(first)) if after + 1 < first else ()
        return [
            entry
            for entry in chain((entry for _, entry in older), self.entries)
            if entry.number > after
            and (entry.warnings or not warned)
            and (operation is None or entry.operation == operation)
            and (account is None or entry.account == account)
            and (container_id is None or entry.container_id == container_id)
        ]

    def clear(self) -> None:
        """Delete all calls."""
        self.entries.clear()
        self._next = 1


#: One set for all entries: a set of its own in each would be a third of the journal's memory.
_ALL_FIELDS: Final = set(Entry.model_fields)


def _key(number: int) -> str:
    return f"{number:012d}"


def redact(params: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Remove secrets from parameters: tokens, codes, and the signatures of links.

    :param secrets: Texts that are secret wherever they appear, even in a caption.
    """
    known = tuple(secrets)
    return {name: "***" if name.lower() in SECRET else without(_without_query(v), known) for name, v in params.items()}


def without(value: Any, secrets: Iterable[str]) -> Any:
    """Remove secret texts from a value, including its lists and objects."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, list):
        return [without(one, secrets) for one in value]
    if isinstance(value, dict):
        return {name: without(one, secrets) for name, one in value.items()}
    return value


def _without_query(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"https?://", value, re.IGNORECASE):
        return re.sub(r"\?.*", "?***", re.sub(r"//[^/?#]*@", "//***@", value), flags=re.DOTALL)
    return value
