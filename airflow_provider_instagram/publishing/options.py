"""The options of a container: the one list of them, how each is read, and Meta's documented limits."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import PLACEMENTS, ItemKind, PostKind
from airflow_provider_instagram.utils import arguments, locations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_instagram.graph.models import UserTag

# Source: Meta, IG User Media reference. The unit of the caption's length is undocumented: UTF-16 is the strictest.
LONGEST_CAPTION = 2200
MOST_HASHTAGS = 30
#: Since December 2025, Instagram announces this limit, in a slow roll-out. Meta's API page still says 30.
ANNOUNCED_HASHTAGS = 5
MOST_MENTIONS = 20
MOST_COLLABORATORS = 3
MOST_USER_TAGS = 20
Graduation = Literal["MANUAL", "SS_PERFORMANCE"]

_EVERY_POST: Final = frozenset(PostKind) - {PostKind.STORY}
_REEL: Final = frozenset({PostKind.REEL})
#: The kinds that take an option; every kind takes the others. Source: Meta, IG User Media reference.
TAKEN_BY: Final[dict[str, frozenset[PostKind]]] = {
    "caption": _EVERY_POST,
    "alt_text": frozenset({PostKind.PICTURE}),
    "video_cover_timestamp_ms": _REEL,
    "cover_url": _REEL,
    "location_id": _EVERY_POST,
    "collaborators": _EVERY_POST,
    "user_tags": frozenset(PostKind) - {PostKind.CAROUSEL},
    "share_to_feed": _REEL,
    "audio_name": _REEL,
    "trial_graduation": _REEL,
}
_INSTEAD: Final[dict[tuple[str, PostKind], str]] = {
    ("caption", PostKind.STORY): "Remove it, or put the text into the picture or the video.",
    ("alt_text", PostKind.CAROUSEL): "Write it with the item: {image: a.jpg, alt_text: A tree}.",
    (
        "user_tags",
        PostKind.CAROUSEL,
    ): "Write them with the item: {image: a.jpg, user_tags: [{username: ann, x: 0.5, y: 0.4}]}.",
}
_MEDIA_TYPES: Final = {
    PostKind.REEL: "REELS",
    PostKind.PICTURE: None,
    PostKind.CAROUSEL: "CAROUSEL",
    PostKind.STORY: "STORIES",
}

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


def user_tags(name: str, value: Any) -> tuple[UserTag, ...]:
    """Read tags of users: names, or Meta's ``{"username": …}``, with ``x`` and ``y`` for a place in a picture.

    :raises ValidationError: If a name or a place is not valid.
    """
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


def broken_by_tags(tags: Iterable[UserTag], kind: PostKind, option: str = "user_tags") -> Iterator[BrokenLimit]:
    """Yield each documented limit that tags of users break.

    :param tags: The tags.
    :param kind: What is tagged.
    :param option: The option that holds them.
    """
    tags = tuple(tags)
    if len(tags) > MOST_USER_TAGS:
        yield BrokenLimit(option, f"There are {len(tags)} user_tags.", _at_most(MOST_USER_TAGS))
    for tag in tags:
        if isinstance(tag, str) and kind is PostKind.PICTURE:
            place = f"{{username: {tag}, x: 0.5, y: 0.4}}"
            yield BrokenLimit(option, f"The tag of {tag} in a picture has no place.", f"Write where: {place}.")
        elif not isinstance(tag, str) and kind is PostKind.REEL:
            name = tag["username"]
            yield BrokenLimit(option, f"The tag of {name} in a reel has a place.", f"Write the name alone: {name}.")


def _option(default: Any, read: Callable[[str, Any], Any], remedy: str, sent_as: str | None = None) -> Any:
    """Return the field of an option, whose metadata says how the option is handled.

    :param default: Its default.
    :param read: Reads the value that a template, a run parameter or a calendar delivers.
    :param remedy: What to write instead of an invalid value, for the author of a calendar.
    :param sent_as: The argument of ``calls.create_container``, if it is not the option's own name.
    """
    return field(default=default, metadata={"read": read, "remedy": remedy, "sent_as": sent_as})


@dataclass(frozen=True)
class ContainerOptions:
    """The options of a post's container: everything but its media.

    Operators, calendars and the call to Instagram derive their options from these fields.
    """

    #: The text of the post.
    caption: str = _option("", _caption, "Write a text.")
    #: ``reels``, ``feed`` or ``story``. For Meta, a feed video is a reel that is shared to the feed. Pictures and
    #: carousels are in the feed in either case, unless they are stories.
    placement: str = _option("reels", _placement, "Write reels, feed or story.")
    #: The cover frame, in ms from the start of the video.
    video_cover_timestamp_ms: int | None = _option(
        None,
        arguments.whole_number,
        "Write the milliseconds from the start of the video: 1500.",
        sent_as="thumb_offset",
    )
    #: Address of a JPEG to use as the cover. Overrides ``video_cover_timestamp_ms``.
    cover_url: str | None = _option(
        None, arguments.text, "Write the public https address of a JPEG, with characters outside ASCII percent-encoded."
    )
    #: Id of a Facebook Page with a location.
    location_id: str | None = _option(
        None, arguments.text, "Write the numeric id of a Facebook Page with a location (only digits), or leave it out."
    )
    #: Up to three user names.
    collaborators: tuple[str, ...] = _option((), _user_names, "Write user names: [studio_two, jane.doe].")
    #: Users to tag: in a reel by their names, in a picture with a place.
    user_tags: tuple[UserTag, ...] = _option(
        (), user_tags, "Write user names: [studio_two, jane.doe]; in a picture, [{username: jane.doe, x: 0.5, y: 0.4}]."
    )
    #: Whether a reel also appears in the feed. If None, Instagram decides.
    share_to_feed: bool | None = _option(None, arguments.boolean, "Write true or false.")
    #: A name for the reel's original sound.
    audio_name: str | None = _option(None, arguments.text, "Write a short text.")
    #: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    trial_graduation: Graduation | None = _option(  # noqa: RUF009 -- a field
        None, arguments.text, "Write MANUAL or SS_PERFORMANCE, or leave it out."
    )
    #: Whether to label the post as made with AI.
    is_ai_generated: bool | None = _option(None, arguments.boolean, "Write true or false.")
    #: A description of the picture for people who do not see it.
    alt_text: str | None = _option(None, arguments.text, "Write a text.")

    @classmethod
    def parse(cls, **values: Any) -> ContainerOptions:
        """Read the options without checking their limits.

        :param values: The values by the names of the options. An option that is missing has its default.
        :raises ValidationError: If a value cannot be read.
        """
        readers = {one.name: one.metadata["read"] for one in fields(cls)}
        return cls(**{name: readers[name](name, value) for name, value in values.items()})

    def kind(self, shows: ItemKind | None) -> PostKind:
        """Return what the post is.

        :param shows: What it shows. None for the items of a carousel.
        """
        if self.placement == "story":
            return PostKind.STORY
        return {ItemKind.VIDEO: PostKind.REEL, ItemKind.PICTURE: PostKind.PICTURE, None: PostKind.CAROUSEL}[shows]

    def call_arguments(self, shows: ItemKind | None = ItemKind.VIDEO) -> dict[str, Any]:
        """Return the arguments of ``calls.create_container``. The placement becomes ``share_to_feed``.

        :param shows: What the post shows. None for the items of a carousel.
        """
        sent = {one.metadata["sent_as"] or one.name: getattr(self, one.name) for one in fields(self)}
        kind = self.kind(shows)
        if sent.pop("placement") == "feed" and kind is PostKind.REEL:
            sent["share_to_feed"] = True
        return sent | {"caption": self.caption or None, "media_type": _MEDIA_TYPES[kind]}

    def as_text(self) -> str:
        """Return the options as text, for a digest.

        A later option is left out unless it is set, so that digests which are stored stay the same.
        """
        values = asdict(self)
        if self.alt_text is None:
            del values["alt_text"]
        return json.dumps(values, sort_keys=True)

    def broken_limits(self, shows: ItemKind | None = ItemKind.VIDEO) -> list[BrokenLimit]:
        """Return each documented limit that the options of a post break.

        :param shows: What the post shows. None for the items of a carousel.
        """
        return [*self.broken_in_any_post(), *self._broken_by_kind(shows)]

    def broken_in_any_post(self) -> list[BrokenLimit]:
        """Return each documented limit that the options break, whatever the post shows."""
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

    def _broken_by_kind(self, shows: ItemKind | None) -> Iterator[BrokenLimit]:
        kind = self.kind(shows)
        if shows is None and kind is PostKind.STORY:
            yield BrokenLimit("placement", "A carousel cannot be a story.", "Publish each item as a story of its own.")
            return
        for option, kinds in TAKEN_BY.items():
            if getattr(self, option) not in (None, "", ()) and kind not in kinds:
                remedy = _INSTEAD.get((option, kind), f"Remove {option}.")
                yield BrokenLimit(option, f"A {kind} does not take {option}.", remedy)
        yield from broken_by_tags(self.user_tags, kind)

    @staticmethod
    def _invalid(option: str, shown: str) -> BrokenLimit:
        return BrokenLimit(option, f"{option} is {shown!r}.", REMEDIES[option])


def caption_warning(caption: str) -> str | None:
    """Return a warning about a caption that the API accepts, or None.

    :param caption: The text of the post.
    """
    if (hashtags := len(HASHTAG.findall(caption))) <= ANNOUNCED_HASHTAGS:
        return None
    return f"The caption has {hashtags} hashtags. Instagram has announced that it allows {ANNOUNCED_HASHTAGS} only."


def raise_if_broken(limits: Iterable[BrokenLimit]) -> None:
    """Check that no documented limit is broken.

    :raises ValidationError: If one is. The message lists all of them.
    """
    if broken := [str(limit) for limit in limits]:
        raise ValidationError("This post cannot be created: " + " ".join(broken))


def _at_most(number: int) -> str:
    return f"At most {number} are allowed."


#: The names of all options.
OPTIONS: Final = tuple(one.name for one in fields(ContainerOptions))
#: What to write instead of an invalid value, by the name of the option.
REMEDIES: Final[dict[str, str]] = {one.name: one.metadata["remedy"] for one in fields(ContainerOptions)}
