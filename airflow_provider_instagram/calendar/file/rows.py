"""What a calendar's file says, before anyone knows what it means: texts by their names, with their lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.files.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.problems import Problem

#: More than a team plans in years; few enough that a DAG file is read in seconds.
MAX_POSTS = 10_000
MAX_MESSAGE_LENGTH = 1_000


@dataclass(frozen=True)
class Value:
    """A value as it stands in the file: text, a list or an object of texts, or None."""

    value: Any
    line: int


def without_secrets(message: str, value: Value | None) -> str:
    """Return a message about a value without its secret part: a signed link may stand in any place of a row."""
    written = value.value if value is not None else None
    if isinstance(written, str):  # as a whole, because white space in a link does not end its signature
        for spelling in (written, written.strip()):
            message = message.replace(spelling, shown(spelling)).replace(repr(spelling), repr(shown(spelling)))
    cut = message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[:MAX_MESSAGE_LENGTH]}…"
    return " ".join(shown(word) for word in cut.split(" "))  # and as a part of a list


@dataclass
class Row:
    """What the file says about one post.

    :param line: Where it begins.
    :param values: Its values by their names.
    :param problems: What cannot be right in it, whatever the values mean.
    :param broken: Whether a problem that is told once for all rows, of a column for example, leaves its post out.
    """

    line: int
    values: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False


@dataclass
class Rows:
    """What a file says.

    :param rows: Its posts.
    :param defaults: What holds for all of them.
    :param columns: The names of its columns, where it has some.
    :param min_spacing: The smallest distance of two posts, as it is written.
    :param problems: What is wrong beside the rows.
    """

    rows: list[Row] = field(default_factory=list)
    defaults: Row = field(default_factory=lambda: Row(0))
    columns: Row = field(default_factory=lambda: Row(0))
    min_spacing: Value | None = None
    problems: list[Problem] = field(default_factory=list)


def check_count(posts: int) -> None:
    """Check that a calendar is not too large.

    :param posts: How many posts it has.
    :raises InvalidValue: When they are too many.
    """
    if posts > MAX_POSTS:
        raise InvalidValue(
            f"the calendar has {posts:,} posts; at most {MAX_POSTS:,} are allowed.", "Split the calendar."
        )
