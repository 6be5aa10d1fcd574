"""The columns that only a calendar has (those of every post are in posts/post.py), and its posts as they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field, PlainSerializer, PlainValidator

from airflow_provider_instagram.calendar.file.problems import Problem, sorted_problems
from airflow_provider_instagram.calendar.file.times import dump_moment, load_moment
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import COLOUR, Fit, Trim, rgb
from airflow_provider_instagram.posts.fields import (
    EVERY_KIND,
    NO_STORY,
    PICTURE,
    About,
    canonical,
    declared,
    read_word,
    read_words,
)
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.posts.post import Post
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import is_web

#: The fields of a post, and of an item of a carousel, that contain the location of a file.
LOCATED: Final = {*ItemKind, "location"}
DEFAULT_SPACING = timedelta(minutes=5)
ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
#: A time of which a store keeps the name of its zone.
Moment = Annotated[datetime, PlainValidator(load_moment), PlainSerializer(dump_moment)]
ACCOUNT = "[A-Za-z0-9][A-Za-z0-9_-]{0,149}"


def _checked_colour(colour: str) -> str:
    try:
        rgb(colour)
    except ValidationError as error:
        raise ValueError(error.message) from error
    return colour


class CalendarPost(Post):
    """What a calendar says about a post beyond its container. Each field may be left out."""

    first_comment: Annotated[
        str | None,
        About(
            "A comment that the account writes once the post is published.",
            arguments.text,
            "Write a text.",
            kinds=NO_STORY,
            titles=("first comment", "comment"),
            lines=2,
        ),
    ] = None
    comment_enabled: Annotated[
        bool,
        About(
            "Whether the post takes comments. If false, they are switched off once, when the post is published.",
            lambda name, value: arguments.boolean(name, value) is not False,
            "Write true or false.",
            kinds=NO_STORY,
        ),
    ] = True
    approval: Annotated[
        Literal["none", "required"],
        About(
            "none, or required: a person has to approve the post.",
            read_word("none"),
            "Use one of none, required.",
            titles=("approval", "approve"),
        ),
    ] = "none"
    fit: Annotated[
        Fit,
        About(
            "How a file of another shape fits into the frame: pad with bars, blur with a blurred copy, or crop.",
            read_word("pad"),
            "Write pad, blur or crop.",
        ),
    ] = "pad"
    background: Annotated[
        Annotated[str, Field(pattern=COLOUR), AfterValidator(_checked_colour)],
        About(
            "The colour of the bars, and behind transparent parts: a name, or #rrggbb (in YAML, in quotation marks).",
            read_word("black"),
            'Write a name such as white, or #ffffff (in YAML, "#ffffff").',
        ),
    ] = "black"
    trim: Annotated[
        Trim,
        About(
            "What to do with a video that is too long: error, or end to cut off its end.",
            read_word("error"),
            "Write error or end.",
            kinds=EVERY_KIND - PICTURE,
        ),
    ] = "error"
    tags: Annotated[
        tuple[str, ...],
        About(
            "Words for the reader of the calendar.",
            read_words,
            "Separate them by commas.",
            titles=("tags", "labels", "campaign"),
            is_edit=False,
        ),
    ] = ()
    note: Annotated[
        str | None,
        About(
            "A note for the people who work with the calendar. It is never published.",
            arguments.text,
            "Write a text.",
            titles=(
                "note",
                "notes",
                "idea",
                "internal note",
                "notiz",
                "notizen",
                "idee",
                "anmerkung",
            ),
            has_default=False,
            is_edit=False,
        ),
    ] = None

    @property
    def options(self) -> dict[str, Any]:
        """The options that are set of its container, and of its comments."""
        return super().options | ({} if self.comment_enabled else {"comment_enabled": False})


class ScheduledPost(CalendarPost):
    """One valid post of a calendar, with its time and its account.

    :param publish_at: When it is published, in its own time zone.
    :param names: The names of its files that begin at the calendar's folder, by their locations.
    """

    id: str
    publish_at: Moment
    account: str
    line: int = 0
    names: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The post key, under which the post is published once, whatever happens to its file, its DAG and its runs."""
        return f"{self.account}/{self.id}"

    @cached_property
    def version(self) -> str:
        """A digest of the content and the time, which changes with every edit, but not if the calendar moves.

        A link has no other name: what it leads to is compared with nothing that was approved.
        """
        content = self.model_dump(mode="json", exclude_defaults=True, exclude=NO_EDITS)
        for one in (content, *content.get("carousel", ())):
            for name in LOCATED & one.keys():
                location = one[name]
                if not is_web(location):
                    one[name] = self.names.get(location, location)
        text = canonical({**content, "publish_at": self.publish_at.timestamp()})
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class WrittenPost(BaseModel):
    """The fields of a calendar that become others of a post, and those that every post has, as authors write them."""

    id: Annotated[
        str,
        About(
            "The post's unique name in the calendar, which prevents it from being published twice.",
            arguments.text,
            "Use up to 100 letters, digits, dots, dashes and underscores.",
            titles=("id", "post id"),
            has_default=False,
        ),
    ]
    publish_at: Annotated[
        str,
        About(
            "Local time, such as 2030-05-06 08:30, which may end with an offset or a zone. airflow instagram calendar "
            "fill writes it for posts without one. Without it, a post is a draft.",
            arguments.text,
            "Write it like 2030-05-06 08:30.",
            titles=(
                "publish at",
                "publish_at",
                "date and time",
                "date & time",
                "date/time",
                "datetime",
                "scheduled",
            ),
            has_default=False,
        ),
    ]
    timezone: Annotated[
        str,
        About(
            "The zone for a time without one, from the tz database.",
            arguments.text,
            titles=("timezone", "time zone", "tz"),
        ),
    ]
    account: Annotated[
        str,
        About(
            "The connection. The DAG file names those that may be used.",
            arguments.text,
            "Use letters, digits, dashes and underscores, and give the connection the same id.",
            titles=("account", "channel", "profile", "connection"),
        ),
    ] = DEFAULT_CONN_ID


#: All fields that a calendar may contain, in the order in which they are listed.
CALENDAR_FIELDS: Final = {**declared(WrittenPost), **declared(CalendarPost)}
NO_EDITS: Final = {
    *("line", "names"),
    *(name for name, about in CALENDAR_FIELDS.items() if not about.is_edit),
}


@dataclass(frozen=True)
class InvalidPost:
    """A post with a problem, as far as it can be shown. ``account`` is empty if that has a problem."""

    id: str
    publish_at: Moment
    account: str
    line: int


@dataclass(frozen=True)
class Draft:
    """A post without a time or without a file, which is not published and is no problem.

    :param publish_at: None if it has no time.
    :param has_file: Whether it has a video, an image or a carousel.
    """

    id: str
    publish_at: Moment | None
    account: str
    line: int
    has_file: bool
    caption: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    @property
    def lacks(self) -> str:
        """What it lacks, in words."""
        if self.has_file:
            return "no time"
        return "no time and no file" if self.publish_at is None else "no file"


#: A post as a calendar has it.
AnyPost: TypeAlias = ScheduledPost | InvalidPost | Draft


@dataclass(frozen=True)
class Calendar:
    """A calendar as it was read.

    :param left_out: The ids of the posts in the file that have problems.
    :param invalid: Those of them whose time is known.
    :param drafts: The posts without a time or a file, in the order of the file.
    :param pin: Where its file was found; None in object storage.
    """

    location: str
    posts: tuple[ScheduledPost, ...] = ()
    problems: tuple[Problem, ...] = ()
    min_spacing: timedelta = DEFAULT_SPACING
    left_out: frozenset[str] = frozenset()
    invalid: tuple[InvalidPost, ...] = ()
    drafts: tuple[Draft, ...] = ()
    pin: str | None = None

    @property
    def accounts(self) -> list[str]:
        """The connections of the posts, sorted."""
        return sorted({post.account for post in self.posts})

    def without(self, problems: Mapping[str, Problem]) -> Calendar:
        """Return the calendar without some of its posts.

        :param problems: Why each of them is left out, by post id.
        """
        if not problems:
            return self
        return replace(
            self,
            posts=tuple(post for post in self.posts if post.id not in problems),
            problems=sorted_problems([*self.problems, *problems.values()]),
            left_out=self.left_out | problems.keys(),
        )

    def post(self, post_id: str) -> ScheduledPost | None:
        """Return the post with an id, if the calendar has it."""
        return next((post for post in self.posts if post.id == post_id), None)

    def why_left_out(self, post_id: str) -> tuple[str, str]:
        """Return why a post is left out, and what to do: because of its own problems, or those of the defaults."""
        own = [problem for problem in self.problems if problem.post_id == post_id]
        problems = own or [problem for problem in self.problems if problem.post_id is None]
        messages = " ".join(problem.message for problem in problems)
        return messages, " ".join(problem.remedy for problem in problems)

    def draft(self, post_id: str) -> Draft | None:
        """Return the draft with an id, if the calendar has it."""
        return next((draft for draft in self.drafts if draft.id == post_id), None)
