"""What is known of a field of a post, and how the texts of authors are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from typing_extensions import TypedDict

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from pydantic import BaseModel

EVERY_KIND: Final = frozenset(PostKind)
REEL, PICTURE, CAROUSEL, STORY = (frozenset({kind}) for kind in PostKind)
NO_STORY: Final = EVERY_KIND - STORY
#: Source: Meta, IG User media reference.
LONGEST_ALT_TEXT: Final = 1000


@dataclass(frozen=True)
class About:
    """What is known of a field of a post, beside its type and its default.

    :param says: What it is, in the words of the documentation.
    :param read: Reads the value that a template, a run parameter or a calendar delivers.
    :param remedy: What to write instead of an invalid value.
    :param kinds: The kinds of posts that take it. Source: Meta, IG User Media reference.
    :param instead: What to write in a post of another kind, if not nothing.
    :param sent_as: Meta's parameter. None if it is not sent.
    :param sent: Turns its value into that of the parameter.
    :param titles: The titles of its column in spreadsheets.
    :param is_location: Whether it is a file or a link, whose query may be a signature.
    :param has_default: Whether the defaults of a calendar may contain it.
    :param label: Its name in a form, if that is not the one in the file.
    :param lines: How many lines its text has in a form; 0 for one without line ends.
    :param is_edit: Whether a change of it makes another version of a post.
    """

    says: str
    read: Callable[[str, Any], Any]
    remedy: str = ""
    kinds: frozenset[PostKind] = EVERY_KIND
    instead: Mapping[PostKind, str] = field(default_factory=dict)
    sent_as: str | None = None
    sent: Callable[[Any], Any] = lambda value: value
    titles: tuple[str, ...] = ()
    is_location: bool = False
    has_default: bool = True
    label: str = ""
    lines: int = 0
    is_edit: bool = True


@cache
def declared(model: type[BaseModel]) -> dict[str, About]:
    """Return what is known of the fields of a model, in their order."""
    known = {}
    for name, info in model.model_fields.items():
        for one in info.metadata:
            if isinstance(one, About):
                known[name] = one
    return known


class PlacedTag(TypedDict):
    """A tag of a user in a picture: its place from the left and the top edge, 0 to 1."""

    username: str
    x: float
    y: float


#: A tag of a user: the name alone, or with a place.
UserTag: TypeAlias = str | PlacedTag


def read_caption(name: str, value: Any) -> str:
    """Read a text that may be empty."""
    return arguments.text(name, value) or ""


def read_word(default: str) -> Callable[[str, Any], str]:
    """Return the reader of a field that has one of several words. None of them is in capitals."""
    return lambda name, value: (arguments.text(name, value) or default).lower()


def read_words(name: str, value: Any) -> tuple[str, ...]:
    """Read a list of words."""
    found = [one for one in arguments.sequence(name, value) if one is not None]
    for one in found:
        arguments.text(name, one)  # a list or an object is no word
    return tuple(map(str, found))


def read_user_names(name: str, value: Any) -> tuple[str, ...]:
    """Read names of users, given as text or as Meta's ``{"username": …}``."""
    return tuple(_user_name(name, one) for one in arguments.sequence(name, value))


def _user_name(name: str, value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("username")
    user_name = (arguments.text(name, value) or "").lstrip("@")
    if not re.fullmatch(r"[A-Za-z0-9_.]{1,30}", user_name):
        raise ValidationError(
            f"{arguments.in_quotes(value)} in {name} is not a valid Instagram user name."
        )
    return user_name


def read_alt_text(name: str, value: Any) -> str | None:
    """Read a description of a picture.

    :raises ValidationError: It is not a text, or longer than Instagram takes.
    """
    found = arguments.text(name, value)
    if found is not None and len(found) > LONGEST_ALT_TEXT:
        raise ValidationError(
            f"{name} has {len(found)} characters.", hint=f"Shorten it to {LONGEST_ALT_TEXT}."
        )
    return found


def read_user_tags(name: str, value: Any) -> tuple[UserTag, ...]:
    """Read tags of users: names, or Meta's ``{"username": …}``, with ``x`` and ``y`` for a place in a picture."""
    return tuple(_user_tag(name, one) for one in arguments.sequence(name, value))


def _user_tag(name: str, value: Any) -> UserTag:
    user_name = _user_name(name, value)
    if not isinstance(value, dict) or ("x" not in value and "y" not in value):
        return user_name
    x, y = (arguments.number(f"{axis} in {name}", value.get(axis)) for axis in ("x", "y"))
    if x is None or y is None or not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValidationError(
            f"The place of {user_name} in {name} is not valid.",
            hint="x and y are shares of the picture's width and height, from 0 (left, top) to 1: x: 0.5, y: 0.4.",
        )
    return {"username": user_name, "x": x, "y": y}


def as_objects(tags: tuple[UserTag, ...]) -> list[Mapping[str, Any]]:
    """Return tags of users as Meta takes them."""
    return [{"username": tag} if isinstance(tag, str) else tag for tag in tags]


def canonical(values: Any) -> str:
    """Return the one JSON text of values, for digests of what is set: a new field changes none without it."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
