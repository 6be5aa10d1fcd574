"""Meta's documented limits of a post and of a comment, and the ones that values break.

The limits of a single value are in the type of its field in
:mod:`~airflow_provider_instagram.posts.post`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pydantic

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.fields import About, UserTag, declared
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import FIELDS, MEDIA, Post, kind_in
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.urls import is_public_url, is_web, shown

# Source: Meta, IG User Media reference. The unit of the caption's length is undocumented: UTF-16 is
# the strictest.
LONGEST_CAPTION: Final = 2200
MOST_HASHTAGS: Final = 30
#: Since December 2025, Instagram announces this limit, in a slow roll-out. Meta's API page still
#: says 30.
ANNOUNCED_HASHTAGS: Final = 5
MOST_MENTIONS: Final = 20
FEWEST_ITEMS: Final = 2
MOST_ITEMS: Final = 10
# Source: Meta, guidelines for comments that are posted through the API. The unit of the length is
# undocumented: UTF-16 is the strictest.
LONGEST_COMMENT: Final = 300
MOST_HASHTAGS_OF_COMMENT: Final = 4
MOST_LINKS_OF_COMMENT: Final = 1
#: Source: Meta, Instagram Messaging, Send a message, 2026-06-24.
MOST_BYTES_OF_MESSAGE: Final = 1000

#: The values of the fields of a post, by their names.
Values: TypeAlias = Mapping[str, Any]

NO_LINK: Final = "a link must be https, in plain ASCII, and public."
WRITE_LINK: Final = "Write its https:// address, with other characters percent-encoded."

HASHTAG: Final = re.compile(r"(?<![\w#&])#\w+")
MENTION: Final = re.compile(r"(?<![\w@.])@[A-Za-z0-9_.]+")
_HASHTAG_OF_COMMENT: Final = re.compile(r"#\w+")
_LINK: Final = re.compile(r"https?://|\bwww\.", re.IGNORECASE)


@dataclass(frozen=True)
class BrokenLimit:
    """A documented limit that a field breaks: what is wrong, and what to change, as sentences.

    :param item: The position of the item of a carousel that breaks it, from 0.
    """

    option: str
    message: str
    remedy: str
    item: int | None = None

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')}: {self.remedy[:1].lower()}{self.remedy[1:]}"


def read_values(given: Values) -> dict[str, Any]:
    """Read the fields of a post as templates, run parameters and upstream tasks deliver them.

    :raises ValidationError: If a value cannot be read, or not exactly one of the media is set.
    """
    media = [name for name in MEDIA if arguments.given(given.get(name)) is not None]
    if len(media) != 1:
        raise ValidationError(
            f"{' and '.join(media) + ' are set' if media else 'video is empty, and so are image and carousel'}.",
            hint="Set exactly one of video, image and carousel. If a template or an upstream task provides the "
            "value, check that it returns one.",
        )
    return _read(given)


def checked_post(values: Values) -> Post:
    """Return the post with these values. The error of broken limits lists all of them."""
    has_items = values.get("video") is None and values.get("image") is None
    items = broken_by_carousel(values["carousel"]) if has_items else ()
    raise_if_broken([*items, *broken_limits(values, kind_in(values))])
    return Post(**values)


def broken_limits(values: Values, kind: PostKind, model: type[Post] = Post) -> list[BrokenLimit]:
    """Return each documented limit that the values of a post of a kind break. A field that it does not take is one."""
    by_kind = list(broken_by_kind(values, kind, model))
    taken = {name: value for name, value in values.items() if kind in declared(model)[name].kinds}
    return [*broken_by_values(taken, model), *by_kind]


def broken_by_values(values: Values, model: type[Post] = Post) -> list[BrokenLimit]:
    """Return each documented limit that values break whatever the post is."""
    limits = [*_broken_by_caption(values.get("caption", "")), *_broken_by_types(values, model)]
    if values.get("placement") == "feed" and values.get("share_to_feed") is False:
        message = "placement='feed' and share_to_feed=false contradict each other."
        limits.append(BrokenLimit("placement", message, "Remove one of them."))
    return [
        *limits,
        *_broken_by_add_ons(values),
        *_broken_by_audio(values),
        *_broken_by_sponsors(values),
    ]


def _broken_by_add_ons(values: Values) -> Iterator[BrokenLimit]:
    """Yield the limits of polls and comment prompts. Source: Meta, Caption Add-ons, 2026-09-28."""
    poll = values.get("poll_attachment")
    prompt = values.get("is_comment_prompt_used")
    if poll and prompt:
        yield BrokenLimit(
            "poll_attachment", "The post has a poll and a comment prompt.", "Keep one of them."
        )
    if (poll or prompt) and not values.get("caption", "?").strip():
        name = "poll_attachment" if poll else "is_comment_prompt_used"
        yield BrokenLimit(
            name, f"{name} needs a caption, which is its question.", "Write a caption."
        )
    if values.get("is_poll_duration_extended") and "poll_attachment" in values and not poll:
        message = "is_poll_duration_extended is set, but the post has no poll."
        yield BrokenLimit(
            "is_poll_duration_extended", message, "Add poll_attachment, or remove it."
        )


def _broken_by_audio(values: Values) -> Iterator[BrokenLimit]:
    if "audio_id" not in values or values["audio_id"] is not None:
        return
    for name in ("audio_volume", "video_volume"):
        if values.get(name) is not None:
            yield BrokenLimit(
                name,
                f"{name} is set, but the reel has no audio_id.",
                f"Add audio_id, or remove {name}.",
            )


def _broken_by_sponsors(values: Values) -> Iterator[BrokenLimit]:
    if values.get("branded_content_sponsor_ids") and not values.get("is_paid_partnership", True):
        name = "branded_content_sponsor_ids"
        message = f"{name} is set, but the post is not labelled as a paid partnership."
        yield BrokenLimit(name, message, f"Add is_paid_partnership: true, or remove {name}.")


def _broken_by_types(values: Values, model: type[Post]) -> Iterator[BrokenLimit]:
    try:
        model(**values)
    except pydantic.ValidationError as error:
        for one in error.errors(include_url=False):
            name = str(one["loc"][0])
            ctx = one.get("ctx", {})
            if one["type"] == "too_long":
                yield BrokenLimit(
                    name, f"There are {ctx['actual_length']} {name}.", _at_most(ctx["max_length"])
                )
            else:
                value = values[name]
                about = declared(model)[name]
                # its query may contain a signature
                written = shown(value) if about.is_location else value
                yield BrokenLimit(name, f"{name} is {arguments.in_quotes(written)}.", about.remedy)


def _broken_by_caption(caption: str) -> Iterator[BrokenLimit]:
    counted = (("hashtags", HASHTAG, MOST_HASHTAGS), ("@mentions", MENTION, MOST_MENTIONS))
    yield from _broken_by_text("caption", "caption", caption, LONGEST_CAPTION, counted)


def _broken_by_text(
    option: str,
    what: str,
    text: str,
    longest: int,
    counted: Iterable[tuple[str, re.Pattern[str], int]],
) -> Iterator[BrokenLimit]:
    """Yield the limits of a text: its length, and how often it may have what each pattern finds."""
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length > longest:
        message = f"The {what} has {length} characters (emoji count as two)."
        yield BrokenLimit(option, message, f"Shorten it to {longest}.")
    start = text[: 2 * longest]  # a longer text is shortened before anything else
    for found, pattern, most in counted:
        if (number := len(pattern.findall(start))) > most:
            yield BrokenLimit(option, f"The {what} has {number} {found}.", _at_most(most))


def broken_by_carousel(items: tuple[Item, ...]) -> Iterator[BrokenLimit]:
    """Yield each documented limit that the items of a carousel break."""
    if not FEWEST_ITEMS <= len(items) <= MOST_ITEMS:
        message = f"Items in the carousel: {len(items)}."
        yield BrokenLimit("carousel", message, f"Use {FEWEST_ITEMS} to {MOST_ITEMS} items.")
    for index, item in enumerate(items):
        if item.kind is ItemKind.VIDEO:
            for name in ("alt_text", "user_tags"):
                if getattr(item, name):
                    message = f"Item {index + 1} is a video, which takes no {name} in a carousel."
                    yield BrokenLimit("carousel", message, f"Remove {name} from it.", index)
        else:
            for limit in _broken_by_tags(item.user_tags, PostKind.PICTURE):
                yield BrokenLimit(
                    "carousel", f"Item {index + 1}: {limit.message}", limit.remedy, index
                )


def broken_by_kind(
    values: Values, kind: PostKind, model: type[Post] = Post
) -> Iterator[BrokenLimit]:
    """Yield each documented limit that the values of a post of a kind break."""
    if kind is PostKind.STORY and values.get("carousel"):
        yield BrokenLimit(
            "placement", "A carousel cannot be a story.", "Publish each item as a story of its own."
        )
        return
    for name, value in values.items():
        about = declared(model)[name]
        if kind not in about.kinds and value != model.model_fields[name].default:
            yield not_taken(name, about, kind)
    yield from _broken_by_tags(values.get("user_tags", ()), kind)
    if values.get("upload") == "file" and not may_have_video(values):
        yield BrokenLimit(
            "upload",
            "upload is file, but pictures reach Instagram by link.",
            "Remove upload. Instagram fetches a local picture from its copy below [instagram] public_prefix.",
        )


def not_taken(name: str, about: About, kind: PostKind) -> BrokenLimit:
    """Return the limit that a post of a kind breaks with a field that it does not take."""
    return BrokenLimit(
        name, f"A {kind} does not take {name}.", about.instead.get(kind, f"Remove {name}.")
    )


def may_have_video(values: Values) -> bool:
    """Return whether an item of a post is a video, or may be one by its name."""
    items: tuple[Item, ...] = values.get("carousel", ())
    kinds = [item.kind or kind_by_name(item.location) for item in items]
    return values.get("image") is None and (
        not kinds or any(kind is not ItemKind.PICTURE for kind in kinds)
    )


def _broken_by_tags(tags: tuple[UserTag, ...], kind: PostKind) -> Iterator[BrokenLimit]:
    for tag in tags:
        if isinstance(tag, str) and kind is PostKind.PICTURE:
            place = f"{{username: {tag}, x: 0.5, y: 0.4}}"
            yield BrokenLimit(
                "user_tags",
                f"The tag of {tag} in a picture has no place.",
                f"Write where: {place}.",
            )
        elif not isinstance(tag, str) and kind is PostKind.REEL:
            name = tag["username"]
            message = f"The tag of {name} in a reel has a place."
            yield BrokenLimit("user_tags", message, f"Write the name alone: {name}.")


def read_message(value: Any) -> str | None:
    """Read the text of a comment.

    :return: The text, or None if it is empty.
    :raises ValidationError: If the text breaks a limit.
    """
    message = arguments.text("message", value)
    if message is not None and (broken := list(broken_comment_limits(message))):
        raise ValidationError("This comment cannot be written: " + " ".join(map(str, broken)))
    return message


def read_private_message(value: Any) -> str | None:
    """Read the text of a private reply.

    :return: The text, or None if it is empty.
    :raises ValidationError: If it is too long.
    """
    message = arguments.text("message", value)
    if message is not None and (size := len(message.encode())) > MOST_BYTES_OF_MESSAGE:
        raise ValidationError(
            f"The private reply has {size:,} bytes.",
            hint=f"Shorten it to {MOST_BYTES_OF_MESSAGE:,} bytes in UTF-8.",
        )
    return message


def broken_comment_limits(message: str, option: str = "message") -> Iterator[BrokenLimit]:
    """Yield each limit that the text of a comment breaks, in the field ``option``."""
    counted = (
        ("hashtags", _HASHTAG_OF_COMMENT, MOST_HASHTAGS_OF_COMMENT),
        ("links", _LINK, MOST_LINKS_OF_COMMENT),
    )
    yield from _broken_by_text(option, "comment", message, LONGEST_COMMENT, counted)
    if message.isupper():
        yield BrokenLimit(
            option, "The comment is all in capital letters.", "Write some letters in lower case."
        )


def caption_warning(caption: str) -> str | None:
    """Return a warning about a caption that the API accepts, or None."""
    if (hashtags := len(HASHTAG.findall(caption))) <= ANNOUNCED_HASHTAGS:
        return None
    return f"The caption has {hashtags} hashtags. Instagram has announced that it allows {ANNOUNCED_HASHTAGS} only."


def raise_if_broken(limits: Iterable[BrokenLimit]) -> None:
    """Check that no documented limit is broken. The error lists all that are."""
    if broken := [str(limit) for limit in limits]:
        raise ValidationError("This post cannot be created: " + " ".join(broken))


def check_known(known: Values) -> None:
    """Check the fields of a post, and how they go together, as far as their values are final.

    :raises ValidationError: If no value of the others makes the post valid.
    """
    unknown = [name for name in MEDIA if name not in known]
    is_named = any(arguments.given(known.get(name)) is not None for name in MEDIA)
    values = read_values(known) if is_named or not unknown else _read(known)
    raise_if_broken(broken_by_links(values))
    has_items = arguments.given(known.get("carousel")) is not None
    items = broken_by_carousel(values["carousel"]) if has_items else ()
    if "placement" in known and (is_named or len(unknown) == 1):
        if not is_named:
            (unread,) = unknown
            values[unread] = (Item(location="?"),) if unread == PostKind.CAROUSEL else "?"
        limits = broken_limits(values, kind_in(values))
    else:
        limits = broken_by_values(values)
    raise_if_broken([*items, *limits])


def broken_by_links(values: Values) -> Iterator[BrokenLimit]:
    """Yield each link that neither Instagram nor a worker fetches."""
    is_sent = values.get("upload") == "file"
    for name in ItemKind:
        if values.get(name) and _is_broken_link(values[name], is_sent):
            yield BrokenLimit(name, f"{name} is {shown(values[name])}: {NO_LINK}", WRITE_LINK)
    for place, item in enumerate(values.get("carousel", ())):
        if _is_broken_link(item.location, is_sent):
            message = f"item {place + 1} of carousel is {shown(item.location)}: {NO_LINK}"
            yield BrokenLimit("carousel", message, WRITE_LINK, place)


def _is_broken_link(location: str, is_sent: bool) -> bool:
    if is_sent and location.lower().startswith("https:"):
        return False
    return is_web(location) and not is_public_url(location)


def _read(given: Values) -> dict[str, Any]:
    return {name: FIELDS[name].read(name, value) for name, value in given.items()}


def _at_most(number: int) -> str:
    return f"At most {number} {'is' if number == 1 else 'are'} allowed."
