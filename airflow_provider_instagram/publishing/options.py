"""The options of a container: the one list of them, how each is read, and Meta's documented limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Source: Meta, IG User Media reference. The unit of the caption's length is undocumented: UTF-16 is the strictest.
LONGEST_CAPTION = 2200
MOST_HASHTAGS = 30
MOST_MENTIONS = 20
MOST_COLLABORATORS = 3
PLACEMENTS = ("reels", "feed")
Graduation = Literal["MANUAL", "SS_PERFORMANCE"]

HASHTAG = re.compile(r"(?<![\w#&])#\w+")
MENTION = re.compile(r"(?<![\w@.])@[A-Za-z0-9_.]+")


@dataclass(frozen=True)
class BrokenLimit:
    """A documented limit that an option breaks.

    :param option: The name of the option.
    :param message: What is wrong, as a sentence.
    :param remedy: What to change, as a sentence.
    """

    option: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')}: {self.remedy[:1].lower()}{self.remedy[1:]}"


def _caption(name: str, value: Any) -> str:
    return arguments.text(name, value) or ""


def _placement(name: str, value: Any) -> str:
    return (arguments.text(name, value) or "reels").lower()


def _user_names(name: str, value: Any) -> tuple[str, ...]:
    return tuple(_user_name(name, one) for one in arguments.sequence(name, value))


def _user_name(name: str, value: Any) -> str:
    """Read a user name, given as text or as Meta's ``{"username": …}``."""
    if isinstance(value, dict):
        value = value.get("username")
    found = (arguments.text(name, value) or "").lstrip("@")
    if not re.fullmatch(r"[A-Za-z0-9_.]{1,30}", found):
        raise ValidationError(f"{value!r} in {name} is not a valid Instagram user name.")
    return found


def _how(read: Callable[[str, Any], Any], remedy: str, sent_as: str | None = None) -> dict[str, Any]:
    """Return how an option is handled, as the metadata of its field.

    :param read: Reads the value that a template, a run parameter or a calendar delivers.
    :param remedy: What to write instead of an invalid value, for the author of a calendar.
    :param sent_as: The argument of ``calls.create_container``, if it is not the option's own name.
    """
    return {"read": read, "remedy": remedy, "sent_as": sent_as}


@dataclass(frozen=True)
class ContainerOptions:
    """The options of a container: everything but its video.

    Operators, calendars and the call to Instagram derive their options from these fields.
    """

    #: The text of the post.
    caption: str = field(default="", metadata=_how(_caption, "Write a text."))
    #: ``reels`` or ``feed``. For Meta, both are reels; a feed video is a reel shared to the feed.
    placement: str = field(default="reels", metadata=_how(_placement, "Write reels or feed."))
    #: The cover frame, in ms from the start of the video.
    video_cover_timestamp_ms: int | None = field(
        default=None,
        metadata=_how(
            arguments.whole_number, "Write the milliseconds from the start of the video: 1500.", sent_as="thumb_offset"
        ),
    )
    #: Address of a JPEG to use as the cover. Overrides ``video_cover_timestamp_ms``.
    cover_url: str | None = field(
        default=None,
        metadata=_how(
            arguments.text, "Write the public https address of a JPEG, with characters outside ASCII percent-encoded."
        ),
    )
    #: Id of a Facebook Page with a location.
    location_id: str | None = field(
        default=None,
        metadata=_how(
            arguments.text, "Write the numeric id of a Facebook Page with a location (only digits), or leave it out."
        ),
    )
    #: Up to three user names.
    collaborators: tuple[str, ...] = field(
        default=(), metadata=_how(_user_names, "Write user names: [studio_two, jane.doe].")
    )
    #: User names to tag.
    user_tags: tuple[str, ...] = field(
        default=(), metadata=_how(_user_names, "Write user names: [studio_two, jane.doe].")
    )
    #: Whether a reel also appears in the feed. If None, Instagram decides.
    share_to_feed: bool | None = field(default=None, metadata=_how(arguments.boolean, "Write true or false."))
    #: A name for the reel's original sound.
    audio_name: str | None = field(default=None, metadata=_how(arguments.text, "Write a short text."))
    #: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    trial_graduation: Graduation | None = field(
        default=None, metadata=_how(arguments.text, "Write MANUAL or SS_PERFORMANCE, or leave it out.")
    )
    #: Whether to label the post as made with AI.
    is_ai_generated: bool | None = field(default=None, metadata=_how(arguments.boolean, "Write true or false."))

    @classmethod
    def read(cls, **values: Any) -> ContainerOptions:
        """Read the options from the values that templates and run parameters deliver.

        :param values: The values by the names of the options. An option that is missing has its default.
        :raises ValidationError: If a value cannot be read or breaks a limit. The message lists all broken limits.
        """
        options = cls.parse(**values)
        if broken := options.broken_limits():
            raise ValidationError("This post cannot be created: " + " ".join(map(str, broken)))
        return options

    @classmethod
    def parse(cls, **values: Any) -> ContainerOptions:
        """Read the options without checking their limits.

        :param values: The values by the names of the options. An option that is missing has its default.
        :raises ValidationError: If a value cannot be read.
        """
        readers = {one.name: one.metadata["read"] for one in fields(cls)}
        return cls(**{name: readers[name](name, value) for name, value in values.items()})

    def call_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``calls.create_container``. The placement becomes ``share_to_feed``."""
        sent = {one.metadata["sent_as"] or one.name: getattr(self, one.name) for one in fields(self)}
        if sent.pop("placement") == "feed":
            sent["share_to_feed"] = True
        return sent | {"caption": self.caption or None}

    def broken_limits(self) -> list[BrokenLimit]:
        """Return each documented limit that the options break."""
        return [*self._broken_by_caption(), *self._broken_by_other_options()]

    def _broken_by_caption(self) -> Iterator[BrokenLimit]:
        length = len(self.caption.encode("utf-16-le")) // 2
        counted = self.caption[: 2 * LONGEST_CAPTION]  # a longer one is shortened before anything else
        if length > LONGEST_CAPTION:
            message = f"The caption has {length} characters (emoji count as two)."
            yield BrokenLimit("caption", message, f"Shorten it to {LONGEST_CAPTION}.")
        if (hashtags := len(HASHTAG.findall(counted))) > MOST_HASHTAGS:
            yield BrokenLimit("caption", f"The caption has {hashtags} hashtags.", _at_most(MOST_HASHTAGS))
        if (mentions := len(MENTION.findall(counted))) > MOST_MENTIONS:
            yield BrokenLimit("caption", f"The caption has {mentions} @mentions.", _at_most(MOST_MENTIONS))

    def _broken_by_other_options(self) -> Iterator[BrokenLimit]:
        if self.placement not in PLACEMENTS:
            yield self._invalid("placement", self.placement)
        if self.placement == "feed" and self.share_to_feed is False:
            message = "placement='feed' and share_to_feed=false contradict each other."
            yield BrokenLimit("placement", message, "Remove one of them.")
        if self.video_cover_timestamp_ms is not None and self.video_cover_timestamp_ms < 0:
            message = f"video_cover_timestamp_ms is {self.video_cover_timestamp_ms}."
            yield BrokenLimit("video_cover_timestamp_ms", message, "Use 0 (the first frame) or more.")
        if self.cover_url is not None and not locations.is_public_url(self.cover_url):
            yield self._invalid("cover_url", locations.shown(self.cover_url))  # its query may contain a signature
        if (count := len(self.collaborators)) > MOST_COLLABORATORS:
            yield BrokenLimit("collaborators", f"There are {count} collaborators.", _at_most(MOST_COLLABORATORS))
        if self.location_id is not None and not self.location_id.isdigit():
            yield self._invalid("location_id", self.location_id)
        if self.trial_graduation is not None and self.trial_graduation not in get_args(Graduation):
            yield self._invalid("trial_graduation", self.trial_graduation)

    @staticmethod
    def _invalid(option: str, shown: str) -> BrokenLimit:
        return BrokenLimit(option, f"{option} is {shown!r}.", REMEDIES[option])


def _at_most(number: int) -> str:
    return f"At most {number} are allowed."


#: The names of all options.
OPTIONS: Final = tuple(one.name for one in fields(ContainerOptions))
#: What to write instead of an invalid value, by the name of the option.
REMEDIES: Final[dict[str, str]] = {one.name: one.metadata["remedy"] for one in fields(ContainerOptions)}
