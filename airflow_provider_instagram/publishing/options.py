"""The options of a post, checked against Meta's documented limits before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations
from airflow_provider_instagram.utils import arguments

# Source: Meta, IG User Media reference. The unit of the caption's length is undocumented: UTF-16 is the strictest.
LONGEST_CAPTION = 2200
MOST_HASHTAGS = 30
MOST_MENTIONS = 20
MOST_COLLABORATORS = 3
PLACEMENTS = ("reels", "feed")
Graduation = Literal["MANUAL", "SS_PERFORMANCE"]

HASHTAG = re.compile(r"(?<![\w#&])#\w+")
MENTION = re.compile(r"(?<![\w@.])@[A-Za-z0-9_.]+")


#: Whether a limit is broken, and the field, message and remedy of the :class:`BrokenLimit`.
_Rule = tuple[bool, tuple[str, str, str]]


@dataclass(frozen=True)
class BrokenLimit:
    """A documented limit that a post's options break.

    :param field: The option.
    :param message: What is wrong.
    :param remedy: What to change.
    """

    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


@dataclass(frozen=True)
class ContainerOptions:
    """The options of a container: everything but its video.

    :param caption: The text of the post.
    :param placement: ``reels`` or ``feed``. For Meta, both are reels; a feed video is a reel shared to the feed.
    :param video_cover_timestamp_ms: The cover frame, in ms from the start of the video.
    :param cover_url: Address of a JPEG to use as the cover. Overrides ``video_cover_timestamp_ms``.
    :param location_id: Id of a Facebook Page with a location.
    :param collaborators: Up to three user names.
    :param user_tags: User names to tag.
    :param share_to_feed: Whether a reel also appears in the feed. If None, Instagram decides.
    :param audio_name: A name for the reel's original sound.
    :param trial_graduation: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    :param is_ai_generated: Whether to label the post as made with AI.
    """

    caption: str = ""
    placement: str = "reels"
    video_cover_timestamp_ms: int | None = None
    cover_url: str | None = None
    location_id: str | None = None
    collaborators: tuple[str, ...] = ()
    user_tags: tuple[str, ...] = ()
    share_to_feed: bool | None = None
    audio_name: str | None = None
    trial_graduation: Graduation | None = None
    is_ai_generated: bool | None = None

    @classmethod
    def read(cls, **values: Any) -> ContainerOptions:
        """Read the options from the values that templates and run parameters deliver.

        :raises ValidationError: If a value cannot be read or breaks a limit. The message lists all broken limits.
        """
        options = cls.parse(**values)
        if broken := options.broken_limits():
            raise ValidationError("This post cannot be created: " + " ".join(map(str, broken)))
        return options

    @classmethod
    def parse(cls, **values: Any) -> ContainerOptions:
        """Read the options without checking the limits.

        :raises ValidationError: If a value cannot be read.
        """
        return cls(
            caption=arguments.text("caption", values["caption"]) or "",
            placement=(arguments.text("placement", values["placement"]) or "reels").lower(),
            video_cover_timestamp_ms=arguments.whole_number(
                "video_cover_timestamp_ms", values["video_cover_timestamp_ms"]
            ),
            cover_url=arguments.text("cover_url", values["cover_url"]),
            location_id=arguments.text("location_id", values["location_id"]),
            collaborators=tuple(
                _user_name("collaborators", name)
                for name in arguments.sequence("collaborators", values["collaborators"])
            ),
            user_tags=tuple(
                _user_name("user_tags", tag) for tag in arguments.sequence("user_tags", values["user_tags"])
            ),
            share_to_feed=arguments.boolean("share_to_feed", values["share_to_feed"]),
            audio_name=arguments.text("audio_name", values["audio_name"]),
            trial_graduation=cast("Graduation | None", arguments.text("trial_graduation", values["trial_graduation"])),
            is_ai_generated=arguments.boolean("is_ai_generated", values["is_ai_generated"]),
        )

    def broken_limits(self) -> list[BrokenLimit]:
        """Return each documented limit that the options break."""
        rules = (*self._caption_rules(), *self._choice_rules(), *self._value_rules())
        return [BrokenLimit(*limit) for broken, limit in rules if broken]

    def _caption_rules(self) -> tuple[_Rule, ...]:
        length = len(self.caption.encode("utf-16-le")) // 2
        counted = self.caption[: 2 * LONGEST_CAPTION]  # a longer one is shortened before anything else
        hashtags, mentions = len(HASHTAG.findall(counted)), len(MENTION.findall(counted))
        too_long = f"The caption has {length} characters (emoji count as two)."
        return (
            (length > LONGEST_CAPTION, ("caption", too_long, f"Shorten it to {LONGEST_CAPTION}.")),
            _at_most(MOST_HASHTAGS, hashtags, "caption", f"The caption has {hashtags} hashtags."),
            _at_most(MOST_MENTIONS, mentions, "caption", f"The caption has {mentions} @mentions."),
        )

    def _choice_rules(self) -> tuple[_Rule, ...]:
        contradiction = "placement='feed' and share_to_feed=false contradict each other."
        graduations = get_args(Graduation)
        return (
            (
                self.placement not in PLACEMENTS,
                ("placement", f"placement is {self.placement!r}.", "Write reels or feed."),
            ),
            (
                self.placement == "feed" and self.share_to_feed is False,
                ("placement", contradiction, "Remove one of them."),
            ),
            (
                self.trial_graduation is not None and self.trial_graduation not in graduations,
                (
                    "trial_graduation",
                    f"trial_graduation is {self.trial_graduation!r}.",
                    "Write MANUAL or SS_PERFORMANCE, or leave it out.",
                ),
            ),
        )

    def _value_rules(self) -> tuple[_Rule, ...]:
        count = len(self.collaborators)
        return (
            (
                self.video_cover_timestamp_ms is not None and self.video_cover_timestamp_ms < 0,
                (
                    "video_cover_timestamp_ms",
                    f"video_cover_timestamp_ms is {self.video_cover_timestamp_ms}.",
                    "Use 0 (the first frame) or more.",
                ),
            ),
            (
                self.cover_url is not None and not locations.is_public(self.cover_url),
                (
                    "cover_url",
                    f"cover_url is {locations.shown(self.cover_url or '')!r}.",
                    "Write the public https address of a JPEG, with characters outside ASCII percent-encoded.",
                ),
            ),
            _at_most(MOST_COLLABORATORS, count, "collaborators", f"There are {count} collaborators."),
            (
                self.location_id is not None and not self.location_id.isdigit(),
                (
                    "location_id",
                    f"location_id is {self.location_id!r}.",
                    "Write the digits of the numeric id of a Facebook Page with a location, or leave it out.",
                ),
            ),
        )


def _at_most(allowed: int, count: int, field: str, message: str) -> _Rule:
    return count > allowed, (field, message, f"At most {allowed} are allowed.")


def _user_name(name: str, value: Any) -> str:
    """Read a user name, given as text or as Meta's ``{"username": …}``."""
    if isinstance(value, dict):
        value = value.get("username")
    found = (arguments.text(name, value) or "").lstrip("@")
    if not re.fullmatch(r"[A-Za-z0-9_.]{1,30}", found):
        raise ValidationError(f"{value!r} in {name} is not a valid Instagram user name.")
    return found
