"""Read operator arguments as templates and run parameters deliver them: text for a number, a time, or nothing."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic import ValidationError as PydanticError

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils.urls import shown_in

T = TypeVar("T")
#: The longest text that is read as a Python list, because reading one takes much memory.
LONGEST_PYTHON_LIST = 100_000
#: Control characters except white space, and halves of a pair of UTF-16, which no request can
#: carry. PostgreSQL stores no NUL.
UNPRINTABLE: Final = re.compile("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff]")


#: A duration as people write it, and the seconds of its units.
DURATION: Final = re.compile(
    r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)?", re.IGNORECASE | re.ASCII
)
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: How a template begins.
TEMPLATE: Final = re.compile(r"{{|{%|{#")


#: Python counts a boolean as a number.
_NO_BOOLEAN: Final = BeforeValidator(lambda one: str(one) if isinstance(one, bool) else one)
NUMBER: Final = TypeAdapter(Annotated[float, _NO_BOOLEAN, Field(allow_inf_nan=False)])
WHOLE_NUMBER: Final = TypeAdapter(Annotated[int, _NO_BOOLEAN])
BOOLEAN: Final = TypeAdapter(bool)


class _Literal(str):
    __slots__ = ()


#: The default of an argument that must not be empty if its author gives it. Airflow stores it, and
#: takes a plain text.
NOT_GIVEN: Final = "(not given)"


def literal(value: Any) -> Any:
    """Mark a text as data, so that the text ``None`` is taken literally and not as the result of an empty template."""
    return _Literal(value) if isinstance(value, str) else value


def given(value: Any) -> Any:
    """Return the value, or None if it means "not set": None, an empty text, or the text ``None``.

    A :func:`literal` counts as not set only if it is empty.
    """
    if not isinstance(value, str):
        return value
    unset = ("",) if isinstance(value, _Literal) else ("", "None")
    return None if value.strip() in unset else value


def in_quotes(value: Any) -> str:
    """Return a value for a message: a text in quotation marks, a list as JSON, and what is no data as its type.

    Any value may be or contain a signed link.
    """
    if isinstance(value, str):
        return shown_in(repr(str(value)))
    if isinstance(value, (bool, int, float)):
        return str(value)
    try:
        return shown_in(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError):
        return f"a value of type {type(value).__name__}"


def is_known(value: Any) -> bool:
    """Return whether a value is final when the DAG is parsed: no template, result of a task, or function to call."""
    if isinstance(value, str) or _is_path(value):
        return TEMPLATE.search(str(value)) is None
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    if isinstance(value, (list, tuple, set)):
        return all(map(is_known, value))
    is_made_in_the_run = (
        hasattr(value, "iter_references") or hasattr(value, "template_fields") or callable(value)
    )
    return isinstance(value, type) or not is_made_in_the_run


def _is_path(value: Any) -> bool:
    return hasattr(value, "__fspath__") or hasattr(value, "as_uri")


def text(name: str, value: Any) -> str | None:
    """Read a text. Ids that arrive as whole numbers become text.

    :raises ValidationError: If the value is neither text nor a path, a whole number or a date. A
        float may have lost digits. Also if it has a control character.
    """
    value = given(value)
    if value is None:
        return None
    if isinstance(value, (bool, type)) or not (
        _is_path(value) or isinstance(value, (str, int, date))
    ):
        raise ValidationError(f"{name} must be text, not {in_quotes(value)}.")
    check_printable(name, str(value))
    return str(value)


def check_printable(name: str, text: str) -> None:
    """Check that a text has no control character except white space."""
    if match := UNPRINTABLE.search(text):
        raise ValidationError(
            f"{name} has an invisible character, number {ord(match[0])}.",
            hint="Delete it, or type the words around it again.",
        )


def required_text(name: str, value: Any) -> str:
    """Read a required text."""
    result = text(name, value)
    if result is None:
        raise ValidationError(
            f"{name} is empty.",
            hint="Set it. If a template or an upstream task provides the value, check that it returns one.",
        )
    return result


def key(name: str, value: Any) -> str | None:
    """Read a key, or return None if its author has given none.

    :raises ValidationError: If the key is given and empty: its default may be a new one in each
        run.
    """
    if value == NOT_GIVEN:
        return None
    result = text(name, value)
    if result is None:
        raise ValidationError(
            f"{name} is given, but is empty.",
            hint="Check the template or the task that provides it. To use the default key, leave it out.",
        )
    return result


def number(name: str, value: Any) -> float | None:
    """Read a number."""
    return _read(NUMBER, name, value, "a number")


def whole_number(name: str, value: Any) -> int | None:
    """Read a whole number."""
    return _read(WHOLE_NUMBER, name, value, "a whole number")


def boolean(name: str, value: Any) -> bool | None:
    """Read a boolean."""
    return _read(BOOLEAN, name, value, "true or false")


def _read(kind: TypeAdapter[T], name: str, value: Any, what: str) -> T | None:
    value = given(value)
    if value is None:
        return None
    try:
        return kind.validate_python(value.strip() if isinstance(value, str) else value)
    except PydanticError:
        raise ValidationError(f"{name} must be {what}, not {in_quotes(value)}.") from None


def sequence(name: str, value: Any) -> list[Any]:
    """Read a list: a list itself, its text in JSON or in Python, or texts separated by commas.

    A template such as ``{{ params.files }}`` renders a list as Python writes it.
    """
    value = given(value)
    if value is None:
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return _list_of_text(name, value.strip())
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    what = "an object" if isinstance(value, Mapping) else f"a value of type {type(value).__name__}"
    raise ValidationError(f"{name} must be a list, not {what}.")  # it may contain signed links


def _list_of_text(name: str, text: str) -> list[Any]:
    with suppress(ValueError, RecursionError):
        return list(json.loads(text))
    with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if len(text) <= LONGEST_PYTHON_LIST:
            return list(ast.literal_eval(text))
    raise ValidationError(  # without the text, which may contain signed links
        f"{name} begins like a list, and is not a valid one.",
        hint='Write it in JSON: ["a.jpg", "b.jpg"]. In a template: {{ params.files | tojson }}.',
    )


def moment(name: str, value: Any) -> datetime | None:
    """Read a time with a time zone: a datetime or ISO 8601 text."""
    value = given(value)
    if value is None:
        return None
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        raise ValidationError(
            f"{name} must be a time like 2026-12-24T18:00:00+01:00, not {in_quotes(value)}."
        )
    if value.tzinfo is None:
        raise ValidationError(
            f"{name} has no time zone: {value.isoformat()}.",
            hint="Add one, for example +01:00, or Z for UTC.",
        )
    return value.astimezone(timezone.utc)


def seconds_of(written: str, unit: str) -> float | None:
    """Return the seconds of a duration such as ``15 minutes``, ``90s`` or ``1h``, or None for another text.

    :param unit: The first letter of the unit of a number alone.
    """
    found = DURATION.fullmatch(written.strip())
    return None if found is None else float(found[1]) * UNITS[(found[2] or unit)[0].lower()]


def duration(name: str, value: Any) -> timedelta | None:
    """Read a duration: a timedelta, seconds, or a text such as ``15 minutes``."""
    value = given(value)
    if value is None:
        return None
    if isinstance(value, timedelta):
        result = value
    else:
        seconds = seconds_of(value, "s") if isinstance(value, str) else number(name, value)
        try:
            result = timedelta(seconds=math.nan if seconds is None else seconds)
        except (OverflowError, ValueError):
            raise ValidationError(
                f"{name} is {in_quotes(value)}, which is not a length of time.",
                hint="Write it like 15 minutes, 90 s or 1 h. A number alone counts seconds.",
            ) from None
    if result < timedelta(0):
        raise ValidationError(f"{name} must not be negative: {in_quotes(value)}.")
    return result


def positive_duration(name: str, value: Any) -> timedelta:
    """Read a duration that must be set, and longer than nothing."""
    result = duration(name, value)
    if not result:
        raise ValidationError(
            f"{name} is {'empty' if result is None else repr(value)}.",
            hint="Set it to a number of seconds greater than 0, or to a timedelta.",
        )
    return result


def if_set(read: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Return the reader of a value that may be not set."""
    return lambda name, value: None if given(value) is None else read(name, value)


#: How the id begins that stands for the container of a post which a person has settled as live,
#: when it is not known.
SETTLED: Final = "settled:"


def container_id(name: str, value: Any) -> str:
    """Read the id of a container."""
    container = required_text(name, value)
    if container.startswith(SETTLED):
        return container
    return _digits(
        name,
        container,
        "the id of a container",
        "Pass the output of the task that creates it: create.output.",
    )


def media_id(name: str, value: Any) -> str:
    """Read the media id of a post, also from what PublishOperator returns.

    :raises ValidationError: If the value is not a media id, or contains none.
    """
    post = text(name, value.get("media_id") if isinstance(value, dict) else value)
    if post is None:
        raise ValidationError(
            "There is no media id.",
            hint="If the publish task succeeded without a media id, its post is live but could not be told apart from "
            "others. Then use the Instagram app.",
        )
    hint = "Pass the output of the publish task, publish.output, or its media_id: publish.output['media_id']."
    return _digits(name, post, "a media id", hint)


def comment_id(name: str, value: Any) -> str:
    """Read the id of a comment, also from the payload of an event of InstagramCommentTrigger."""
    comment = required_text(name, value.get("comment_id") if isinstance(value, dict) else value)
    hint = "Pass the payload of an event of InstagramCommentTrigger, or its comment_id."
    return _digits(name, comment, "the id of a comment", hint)


def _digits(name: str, written: str, what: str, hint: str) -> str:
    if not (written.isascii() and written.isdigit()):
        raise ValidationError(f"{name}={written[:80]!r} is not {what}.", hint=hint)
    return written
