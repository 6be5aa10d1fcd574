"""The media of a calendar's post as its author writes them: a video, a picture, or the items of a carousel."""

from __future__ import annotations

import csv
from typing import Any, Final

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, kind_by_name
from airflow_provider_instagram.posts.post import Item
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import ending, shown

#: More items than any carousel has, so that a broken cell does not become a thousand problems.
MOST_READ: Final = 50
COMMAS: Final = 'Separate the items by commas, and put a name that contains a comma in quotation marks: "one, two.jpg".'
LIST: Final = "Write a list of files, of {image: …, alt_text: …} and of {video: …}."


def check_kind(name: str | None, location: str) -> None:
    """Check that the name of a file fits the field that contains it.

    :param name: ``video`` or ``image``; None for an item of a carousel whose kind is not written.
    :param location: The file.
    :raises InvalidValue: If the name is that of the other kind, or of neither.
    """
    if ending(location) in OTHER_ENDINGS:
        raise InvalidValue(f"{shown(location)} is neither a picture nor a video.", "Name a picture or a video.")
    kind = kind_by_name(location)
    if kind is not None and name is not None and kind != name:
        message = f"{name} is {shown(location)}, which is {kind.in_words}."
        raise InvalidValue(message, f"Write it after {kind}: instead.")


def items_in(written: Any) -> list[Any]:
    """Return the items of a carousel: a list, its JSON text, or names separated by commas.

    :raises InvalidValue: If the value is none of these.
    """
    if isinstance(written, str) and not written.lstrip().startswith("["):
        return _separated(written)
    try:
        return arguments.sequence("carousel", written)[:MOST_READ]
    except ValidationError:
        raise InvalidValue("carousel is not a list.", LIST) from None


def _separated(written: str) -> list[str]:
    """Return names that are separated by commas, or by the ends of lines within a cell."""
    lines = [line for line in written.splitlines() if line.strip()]
    try:
        names = [name for row in csv.reader(lines, skipinitialspace=True, strict=True) for name in row]
    except csv.Error:
        raise InvalidValue("the quotation marks in carousel do not match.", COMMAS) from None
    return [name.strip() for name in names if name.strip()][:MOST_READ]


def read_item(written: Any) -> Item:
    """Read one item of a carousel.

    :param written: A location, or an object with ``video`` or ``image``.
    :raises InvalidValue: If it is neither.
    """
    if not isinstance(written, (str, dict)) or not written:
        raise InvalidValue("it is neither a file nor an object.", LIST)
    try:
        item = Item.read(_as_literal(written))
    except ValidationError as error:
        raise InvalidValue(error.message, error.hint or LIST) from None
    check_kind(item.kind, item.location)
    return item


def _as_literal(value: Any) -> Any:
    """Return a value in which each text is marked as data."""
    if isinstance(value, dict):
        return {name: _as_literal(part) for name, part in value.items()}
    return [_as_literal(part) for part in value] if isinstance(value, list) else arguments.literal(value)
