"""The journal: every call that reached the sandbox and its outcome, without secrets."""

from __future__ import annotations

import re
import time
from heapq import merge
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from instagram_sandbox.simulator.clock import iso_time
from instagram_sandbox.simulator.state import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from instagram_sandbox.simulator.store import Store

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
    "message",
    "moderate",
    "insights",
    "limit",
    "account",
    "page",
    "subscribe",
    "webhook",
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
    {
        "access_token",
        "client_secret",
        "code",
        "appsecret_proof",
        "authorization",
        "fb_exchange_token",
        "input_token",
        "state",
        "verify_token",
    }
)


class Entry(Record):
    """One call.

    ``time`` and ``at`` are the sandbox's time, ``real_time`` is the machine's. ``status`` is the
    HTTP status that the client saw, or None if it saw no answer. ``effect`` is whether the call
    took effect, whatever the answer was. ``warnings`` say what Meta would not do the same way, or
    why a link of the call was refused.
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
    """The calls in the order in which they came: those without an answer yet in memory, all others in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[int, Entry] = {}
        last = next(store.each("journal", Entry, newest_first=True), None)
        self._next = last.number + 1 if last else 1

    def open(self, now: float, **facts: Any) -> Entry:
        """Record a call that has just arrived, or that the sandbox makes.

        :param now: The sandbox's time.
        """
        facts |= {"time": iso_time(now), "at": now, "real_time": time.time()}
        empty: dict[str, Any] = {"parameters": {}, "warnings": []}  # which pydantic makes slowly
        entry = self._open[self._next] = Entry.model_construct(number=self._next, **empty, **facts)
        self._next += 1
        return entry

    def keep(self, entry: Entry) -> None:
        """Store a call that has its answer, and what it changed; of a call from before a reset, nothing."""
        if self._open.get(entry.number) is entry:
            del self._open[entry.number]
            self._put(entry)
        self._store.commit()

    def _put(self, entry: Entry) -> None:
        self._store.put("journal", _key(entry.number), entry)

    def warn(self, container_id: str, what: str) -> None:
        """Add a warning to the call that created a container, or sent its video."""
        for entry in self.newest():
            if entry.container_id == container_id and entry.operation in {"create", "upload"}:
                entry.warnings.append(what)
                if entry.number not in self._open:
                    self._put(entry)
                    self._store.commit()
                return

    def newest(self) -> Iterator[Entry]:
        """Yield the calls, the newest first."""
        kept = self._store.each("journal", Entry, newest_first=True)
        return merge(reversed(self._open.values()), kept, key=_number, reverse=True)

    def find(
        self,
        operation: Operation | None = None,
        account: str | None = None,
        container_id: str | None = None,
        after: int = 0,
        warned: bool = False,
    ) -> list[Entry]:
        """Return the calls that match: those after a number, those with a warning, those of or about what is named."""
        kept = self._store.each("journal", Entry, _key(after))
        return [
            entry
            for entry in merge(self._open.values(), kept, key=_number)
            if entry.number > after
            and (entry.warnings or not warned)
            and (operation is None or entry.operation == operation)
            and (account is None or entry.account == account)
            and (container_id is None or entry.container_id == container_id)
        ]

    def clear(self) -> None:
        """Delete all calls."""
        self._open.clear()
        self._next = 1


def _number(entry: Entry) -> int:
    return entry.number


def _key(number: int) -> str:
    return f"{number:012d}"


def redact(params: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Remove secrets from parameters: tokens, codes, and the signatures of links.

    :param secrets: Texts that are secret wherever they appear, even in a caption.
    """
    known = tuple(secrets)
    return {
        name: "***" if name.lower() in SECRET else without(without_query(v), known)
        for name, v in params.items()
    }


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


def without_query(value: Any) -> Any:
    """Remove the query of a link, which may be signed, and a password in it."""
    if isinstance(value, str) and re.match(r"https?://", value, re.IGNORECASE):
        return re.sub(r"\?.*", "?***", re.sub(r"//[^/?#]*@", "//***@", value), flags=re.DOTALL)
    return value
