"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MARKS: Final = {True: "ok", False: "FIX", None: "?"}


@dataclass(frozen=True)
class Finding:
    """The result of one check: ``good`` is None if it is unknown."""

    what: str
    good: bool | None
    text: str

    def __str__(self) -> str:
        return f"{MARKS[self.good]:<4} {self.what:<14} {self.text}"


def judged(what: str, good: bool, text: str, to_do: str) -> Finding:
    """Return a finding, with what to do unless it is good."""
    return Finding(what, good, text if good else f"{text}. {to_do}")


def checked(what: str, check: Callable[[], str]) -> Finding:
    """Return the finding of a check, which raises LookupError with what is to be fixed."""
    try:
        return Finding(what, True, check())
    except LookupError as error:
        return Finding(what, False, str(error.args[0]))


def unchecked(*what: str) -> Iterator[Finding]:
    """Yield findings of checks that another problem prevents."""
    return (
        Finding(each, None, "cannot be checked until the problem above is fixed") for each in what
    )
