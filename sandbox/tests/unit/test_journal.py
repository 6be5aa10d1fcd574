"""The journal: calls that wait for their answer are in memory, all others in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.simulator.journal import Journal
from instagram_sandbox.simulator.store import Store

if TYPE_CHECKING:
    from instagram_sandbox.simulator.journal import Entry


class Book:
    """A journal and its store."""

    def __init__(self) -> None:
        self.store = Store(Path(":memory:"))
        self.journal = Journal(self.store)

    def open(self, container_id: str | None = None) -> Entry:
        facts = {"operation": "create", "method": "POST", "path": "/me/media"}
        return self.journal.open(0.0, **facts, container_id=container_id)


@pytest.fixture
def book() -> Book:
    return Book()


def test_calls_are_in_their_order_whichever_is_answered_first(book: Book) -> None:
    calls = [book.open() for _ in range(4)]
    book.journal.keep(calls[2])
    book.journal.keep(calls[0])
    assert [entry.number for entry in book.journal.find()] == [1, 2, 3, 4]
    assert [entry.number for entry in book.journal.find(after=2)] == [3, 4]
    assert [entry.number for entry in book.journal.newest()] == [4, 3, 2, 1]
    assert Journal(book.store).open(0.0).number == 4


def test_a_call_that_a_reset_overtakes_is_not_among_those_that_follow(book: Book) -> None:
    overtaken = book.open("before")
    book.store.clear()
    book.journal.clear()
    book.journal.keep(book.open("after"))
    book.journal.keep(overtaken)
    assert [entry.container_id for entry in book.journal.find()] == ["after"]


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_warning_is_of_the_call_that_created_the_container(book: Book, *, is_answered: bool) -> None:
    calls = [book.open("one"), book.open("other")]
    if is_answered:
        book.journal.keep(calls[0])
    book.journal.warn("one", "refused")
    book.journal.keep(calls[0])
    assert [entry.warnings for entry in book.journal.find()] == [["refused"], []]
    assert [entry.container_id for entry in book.journal.find(warned=True)] == ["one"]
