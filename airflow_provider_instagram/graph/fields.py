"""The fields of Meta's answers: strict about ids and numbers that cannot be, tolerant of everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.utils.urls import safe_link

if TYPE_CHECKING:
    from typing_extensions import Self

A = TypeVar("A")

#: An object in an answer that is not read yet, and what reads it.
Data: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Data], A]
#: The longest text that is taken from an answer, in characters, and the longest id.
LONGEST_TEXT: Final = 4_000
LONGEST_ID: Final = 40
#: The most names in a list, such as those of scopes.
MOST_NAMES: Final = 1_000
#: No number of Meta is larger, and no span of time.
LARGEST_NUMBER: Final = 10**15
LONGEST_SPAN: Final = timedelta(days=100_000)


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the beginning of a text from a server, up to the end of a word, before anything else reads it."""
    return text if len(text) <= longest else f"{text[:longest].rpartition(' ')[0]} …"


def read_json(text: str | bytes) -> Any:
    """Return the content of JSON, or None if the text is none. A whole number of too many digits is infinite."""
    try:
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_ID else float("inf")


def as_mapping(value: object) -> Data:
    """Return an object, or an empty one if the value is anything else."""
    return value if isinstance(value, Mapping) else {}


def read_text(value: object) -> str | None:
    """Return a text, or None if the value is anything else."""
    if not isinstance(value, str):
        return None
    # JSON can contain half of a surrogate pair, which cannot be encoded, and NUL, which PostgreSQL
    # cannot store.
    return cut(value).replace("\0", "\ufffd").encode(errors="replace").decode()


def read_number(value: object) -> int | float | None:
    """Return a number, or None if the value is anything else.

    :raises ValueError: If it is too large, or not a number although JSON says so, as NaN does.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise ValueError("is not a possible number")
    return value


def _time(value: object) -> datetime | None:
    """Return a time in Meta's format, or None if it is not one. Those near the first and last year have no UTC."""
    try:
        time = datetime.strptime(read_text(value) or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return time if 1 < time.year < 9999 else None


def read_names(value: object) -> tuple[str, ...]:
    """Return names: a list, or one text with commas."""
    if isinstance(value, str):
        value = cut(value).split(",")
    return (
        tuple(cut(str(name)) for name in value[:MOST_NAMES]) if isinstance(value, Sequence) else ()
    )


def _number_or_none(value: object) -> object:
    is_number = value.isdigit() if isinstance(value, str) else isinstance(value, (int, float))
    return value if is_number else None


def _as_number(value: object) -> object:
    return float(value) if isinstance(value, str) and value.isdecimal() else value


#: The types of fields. A field that is missing has its default; one without a default is required.
Text = Annotated[str | None, PlainValidator(read_text)]
Name = Annotated[str, PlainValidator(lambda value: read_text(value) or "")]
Link = Annotated[str | None, PlainValidator(lambda value: safe_link(read_text(value)))]
Names = Annotated[tuple[str, ...], PlainValidator(read_names)]
Time = Annotated[datetime | None, PlainValidator(_time)]
#: Decimal strings, or at login, numbers that are too large for a float.
Id = Annotated[str, Field(pattern=rf"^[0-9]{{1,{LONGEST_ID}}}$", coerce_numbers_to_str=True)]
Figure = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
Count = Annotated[Figure | None, BeforeValidator(_number_or_none)]
Flag = Annotated[bool, PlainValidator(lambda value: value is True)]
#: A span of time, and a time, for which 0 stands for never: in seconds, as a number or as text.
Duration = Annotated[timedelta, BeforeValidator(_as_number), Field(ge=timedelta(), le=LONGEST_SPAN)]
Moment = Annotated[datetime | None, BeforeValidator(lambda value: _as_number(value) or None)]


class Model:
    """Base class of dataclasses of pydantic that are read from objects in answers."""

    __slots__ = ()

    @classmethod
    def read(cls, data: Data) -> Self:
        """Read an object, flat, or in the ``{"data": [{…}]}`` that Meta documents but does not always send.

        :raises ValueError: If a field that is needed is missing, or one cannot be.
        """
        rows = data.get("data", data)
        row = rows[0] if isinstance(rows, list) and rows else rows
        try:
            read: Self = cls._adapter().validate_python(as_mapping(row))
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, wrong["loc"]))
            raise ValueError(f"{where}: {wrong['msg']}") from None
        return read

    @classmethod
    @cache
    def _adapter(cls) -> TypeAdapter[Any]:
        return TypeAdapter(cls)


@dataclass(frozen=True, slots=True)
class _Object(Model):
    id: Id


def read_id(data: Data) -> str:
    """Read the id of an object."""
    return _Object.read(data).id


def read_success(data: Data) -> bool:
    """Read the answer to a change that returns nothing else."""
    if data.get("success") is not True:
        raise ValueError("no success")
    return True


def read_rows(data: Data, what: str) -> list[Data]:
    """Read the rows of a list. What is not an object is left out."""
    rows = data.get("data")
    if not isinstance(rows, list):
        raise ValueError(f"no list of {what}")
    return [row for row in rows if isinstance(row, Mapping)]


def read_cursor(data: Data) -> str | None:
    """Read the cursor of the page after a page of a list, or None on the last page.

    The link to the next page is never followed, because Meta puts the access token into it.
    """
    paging = as_mapping(data.get("paging"))
    if not (following := read_text(paging.get("next"))):
        return None
    after = read_text(as_mapping(paging.get("cursors")).get("after"))
    return after or parse_qs(urlsplit(following).query).get("after", [""])[0] or None
