"""The parameters of ``POST /{ig-user-id}/media``, and the kinds of media that take them.

Source: Meta, IG User Media reference; the list of names is the Instagram-Login schema of Meta's
generated SDK.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.simulator.addresses import web_address
from instagram_sandbox.simulator.audio import CATALOGUE
from instagram_sandbox.simulator.errors import GraphError, invalid
from instagram_sandbox.simulator.state import AudioConfiguration, NewMedia
from instagram_sandbox.simulator.values import flag, json_value, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GLOBAL: Final = frozenset(
    {
        "access_token",
        "appsecret_proof",
        "appsecret_time",
        "date_format",
        "debug",
        "fields",
        "format",
        "include_headers",
    }
    | {"locale", "method", "pretty", "suppress_http_code"}
    | {"id"}  # Meta's SDK for Node adds the id of the node that is called
)

REELS = "REELS"
STORIES = "STORIES"
CAROUSEL = "CAROUSEL"
IMAGE = "IMAGE"
CHILD_IMAGE = "child image"
CHILD_VIDEO = "child video"
_WHOLE_POSTS = frozenset({REELS, CAROUSEL, IMAGE})
_CHILDREN = frozenset({CHILD_IMAGE, CHILD_VIDEO})

REFUSED: Final[dict[str, GraphError]] = {
    "audio_configuration": invalid("audio_configuration is supported with Facebook Login only"),
    "product_tags": GraphError(
        10, None, "(#10) product_tags requires instagram_shopping_tag_products permission"
    ),
}
"""Parameters of Meta's schema that are refused on purpose."""

POLL_OPTIONS: Final = ("option_a", "option_b", "option_c", "option_d")
LOUDEST: Final = 100
USERNAME: Final = r"[A-Za-z0-9._]{1,30}"
ANNOUNCED_HASHTAGS: Final = 5
CAPTION_UNITS = 2200
HASHTAGS = 30
MENTIONS = 20
COLLABORATORS = 3
CHILDREN_MIN = 2
CHILDREN_MAX = 10
USER_TAGS = 20
SPONSORS: Final = 2
ALT_TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """How strictly parameters are checked.

    :param ignore_unknown: Whether an unknown or misplaced parameter is ignored, with a warning.
    :param carousel_max: The most children that a carousel may have.
    :param of_facebook: Whether the host of Facebook Login is asked, which takes more parameters.
    """

    ignore_unknown: bool = False
    carousel_max: int = CHILDREN_MAX
    of_facebook: bool = False

    @property
    def places(self) -> Mapping[str, Parameter]:
        """The parameters that the host takes."""
        return PLACES | OF_FACEBOOK if self.of_facebook else PLACES


@dataclass(frozen=True, slots=True)
class Checked:
    """A create call that Meta accepts."""

    media: NewMedia
    warnings: tuple[str, ...] = ()


def check(params: Mapping[str, Any], rules: Rules | None = None) -> Checked:
    """Check the parameters of a create call against Meta's documentation.

    :param params: Form, query or JSON parameters, merged.
    :param rules: How strictly to check; None is as strictly as possible.
    :raises GraphError: The first parameter that is unknown, misplaced, malformed or missing.
    """
    rules = rules or Rules()
    kind = _kind(params)
    params, warnings = _known_here(params, kind, rules)
    media = _media(params, kind, rules)
    if (hashtags := _hashtags(media.caption)) > ANNOUNCED_HASHTAGS:
        warnings.append(
            f"The caption has {hashtags} hashtags. Instagram has announced that a post may have {ANNOUNCED_HASHTAGS}."
        )
    return Checked(media, tuple(warnings))


def known_only(params: Mapping[str, Any], known: frozenset[str], *, ignore: bool) -> list[str]:
    """Return a warning for each parameter that a call does not take.

    :param known: The names that the call takes, beside those that all calls take.
    :param ignore: Whether to warn; otherwise the first such parameter is refused.
    :raises GraphError: 100: a parameter is unknown.
    """
    unknown = sorted(name for name in params if name not in known and name not in GLOBAL)
    if unknown and not ignore:
        raise invalid(f"Unexpected parameter {unknown[0]}")
    return [
        f"The parameter {name} is unknown and was ignored. Meta does not document it for this call."
        for name in unknown
    ]


def _known_here(
    params: Mapping[str, Any], kind: str, rules: Rules
) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that this kind of media takes, and a warning for each of the others."""
    for name in params:
        if name in REFUSED and name not in rules.places:
            raise REFUSED[name]
    places = rules.places
    known = PLACES | OF_FACEBOOK
    warnings = known_only(params, frozenset(known), ignore=rules.ignore_unknown)
    taken = {
        name: value
        for name, value in params.items()
        if name in places and kind in places[name].kinds
    }
    for name in params:
        if name in known and name not in taken:
            where = f"on {kind} media" if name in places else "with Instagram Login"
            if not rules.ignore_unknown:
                raise invalid(f"{name} is not supported {where}")
            if params[name] != "":
                warnings.append(
                    f"The parameter {name} was ignored. Meta does not support it {where}."
                )
    return taken, warnings


def _media(params: Mapping[str, Any], kind: str, rules: Rules) -> NewMedia:
    """Read and check each parameter, in the order of the tables."""
    read: dict[str, Any] = {}
    for name, parameter in rules.places.items():
        value = parameter.read(params, name)
        if parameter.field:
            read[parameter.field] = value
    read["tagged"] = _tagged(params, kind)
    _check_add_ons(params)
    media = NewMedia(
        media_type={CHILD_VIDEO: "VIDEO", CHILD_IMAGE: "IMAGE"}.get(kind, kind), **read
    )
    _check_source(media, kind, rules.carousel_max)
    return media


def _kind(params: Mapping[str, Any]) -> str:
    media_type = text(params, "media_type") or "IMAGE"
    child = flag(params, "is_carousel_item")
    if media_type == "VIDEO":
        if not child:
            raise GraphError(100, 2207089)
        return CHILD_VIDEO
    if media_type == IMAGE:
        return CHILD_IMAGE if child else IMAGE
    if media_type not in {REELS, STORIES, CAROUSEL}:
        raise GraphError(100, 2207023, None, type=media_type)
    if child:
        raise invalid(f"is_carousel_item is not supported on {media_type} media")
    return media_type


def _check_source(media: NewMedia, kind: str, carousel_max: int) -> None:
    sources = [name for name in ("video_url", "image_url") if getattr(media, name)]
    if media.resumable:
        sources.append("upload_type")
    if kind == CAROUSEL:
        if not CHILDREN_MIN <= len(set(media.children)) == len(media.children) <= carousel_max:
            raise GraphError(100, 2207028)
        return
    if not sources:
        wanted = "image_url" if kind in {IMAGE, CHILD_IMAGE} else "video_url"
        raise invalid(f"The parameter {wanted} is required")
    if len(sources) > 1:
        raise invalid(f"Only one of {' and '.join(sources)} can be given")


def _caption(params: Mapping[str, Any], name: str) -> str:
    caption = text(params, name)
    units = len(caption.encode("utf-16-le", "surrogatepass")) // 2
    mentions = len(re.findall(r"(?<!\w)@[\w.]+", caption))
    if units > CAPTION_UNITS or _hashtags(caption) > HASHTAGS or mentions > MENTIONS:
        raise GraphError(36004, 2207010, None, length=units)
    return caption


def _alt_text(params: Mapping[str, Any], name: str) -> str:
    found = text(params, name)
    if len(found) > ALT_TEXT:
        raise invalid(f"Param {name} must be at most {ALT_TEXT} characters long")
    return found


def _hashtags(caption: str) -> int:
    return len(re.findall(r"#\w+", caption))


def _location(params: Mapping[str, Any], name: str) -> None:
    location = text(params, name)
    if location and not location.isdecimal():
        raise invalid("location_id must be the id of a Page with a location")


def _collaborators(params: Mapping[str, Any], name: str) -> list[str]:
    names = json_value(params, name, list) or []
    if len(names) > COLLABORATORS or not all(isinstance(name, str) and name for name in names):
        raise invalid(f"collaborators must be at most {COLLABORATORS} usernames")
    if not all(re.fullmatch(USERNAME, name) for name in names):
        raise GraphError(110, 2207018)
    return names


def _tagged(params: Mapping[str, Any], kind: str) -> list[str]:
    """Check the tags of users, and return their names."""
    tags = json_value(params, "user_tags", list) or []
    are_texts = isinstance(params.get("user_tags"), list)
    if len(tags) > USER_TAGS:
        raise GraphError(100, 2207040)
    for place, tag in enumerate(tags):
        name = tag.get("username") if isinstance(tag, dict) else None
        if not isinstance(name, str) or not re.fullmatch(USERNAME, name):
            raise GraphError(100, 2207037)
        for axis in sorted({"x", "y"} & set(tag)):
            value = tag[axis]
            if (
                are_texts
                and isinstance(value, str)
                and re.fullmatch(r"-?(?:\d+(?:\.\d+)?|\.\d+)", value)
            ):
                value = float(value)  # user_tags[0][x]=0.5, as a form writes it
            _check_place(f"user_tags[{place}]['{axis}']", value)
        placed = "x" in tag or "y" in tag
        if placed and kind == REELS:  # a story takes tags with and without a position
            raise GraphError(100, 2207035)
        if not {"x", "y"} <= set(tag) and (placed or kind in {IMAGE, CHILD_IMAGE}):
            raise GraphError(100, 2207036)
        if set(tag) - {"username", "x", "y"}:
            raise GraphError(100, 2207037)
    return [tag["username"] for tag in tags]


def _check_place(name: str, value: Any) -> None:
    """Check where a tag is in a picture: a share of its width or height. Source: Meta, IG User Media; reported."""
    # NaN differs from itself
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise invalid(f"Param {name} must be a number")
    if not 0 <= value <= 1:
        raise invalid(
            f"Param {name} must be a number {'less' if value > 1 else 'greater'} than or equal to {int(value > 1)}"
        )


def _sponsors(params: Mapping[str, Any], name: str) -> list[str]:
    """Return the ids of the sponsors of a paid partnership. Source: Meta, Content Publishing, 2026-04-22."""
    ids = [str(one) for one in json_value(params, name, list) or []]
    if len(ids) > SPONSORS or not all(re.fullmatch(r"\d{10,20}", one) for one in ids):
        raise invalid(f"{name} must be at most {SPONSORS} ids of professional accounts")
    return ids


def _poll(params: Mapping[str, Any], name: str) -> list[str]:
    """Return the options of a poll. Source: Meta, Caption Add-ons."""
    poll = json_value(params, name, dict)
    if poll is None:
        return []
    options = [poll.get(option) for option in POLL_OPTIONS[: len(poll)]]
    if not 2 <= len(poll) <= len(POLL_OPTIONS) or not all(
        isinstance(one, str) and one for one in options
    ):
        raise invalid(f"poll_attachment must have two to four options: {', '.join(POLL_OPTIONS)}")
    return list(map(str, options))


def _check_add_ons(params: Mapping[str, Any]) -> None:
    has_poll = params.get("poll_attachment")
    has_prompt = _bool(params, "is_comment_prompt_used")
    if has_poll and has_prompt:
        raise invalid("A poll and a comment prompt cannot be combined")
    if (has_poll or has_prompt) and not text(params, "caption").strip():
        raise invalid("A poll or a comment prompt needs a caption, which is its question")


def _audio(params: Mapping[str, Any], name: str) -> AudioConfiguration | None:
    """Return the audio of a reel. Source: Meta, Instagram Audio API; ``should_loop_audio`` is in its example alone."""
    given = json_value(params, name, dict)
    if given is None:
        return None
    volumes = {one: given[one] for one in ("audio_volume", "video_volume") if one in given}
    if (
        set(given) - {"audio_id", "should_loop_audio", *volumes}
        or str(given.get("audio_id")) not in CATALOGUE
    ):
        raise invalid(
            "audio_configuration must have the audio_id of an audio asset, and may have two volumes"
        )
    if not all(
        re.fullmatch(r"\d{1,3}", str(volume)) and int(volume) <= LOUDEST
        for volume in volumes.values()
    ):
        raise invalid(f"audio_volume and video_volume must be integers from 0 to {LOUDEST}")
    return AudioConfiguration(
        audio_id=str(given["audio_id"]), **{one: int(volume) for one, volume in volumes.items()}
    )


def _trial(params: Mapping[str, Any], name: str) -> bool:
    trial = json_value(params, name, dict)
    if trial is None:
        return False
    if set(trial) != {"graduation_strategy"} or trial["graduation_strategy"] not in {
        "MANUAL",
        "SS_PERFORMANCE",
    }:
        raise invalid("trial_params must be {graduation_strategy: MANUAL | SS_PERFORMANCE}")
    return True


def _upload_type(params: Mapping[str, Any], name: str) -> bool:
    upload_type = text(params, name)
    if upload_type not in {"", "resumable"}:
        raise invalid("upload_type must be resumable")
    return upload_type == "resumable"


def _anything(params: Mapping[str, Any], name: str) -> Any:
    return params.get(name)


def _bool(params: Mapping[str, Any], name: str) -> bool:
    return bool(flag(params, name))


def _offset(params: Mapping[str, Any], name: str) -> int:
    value = params.get(name)
    if isinstance(value, float) and value.is_integer():  # a number in JSON
        return int(value)
    found = text(params, name)
    if not found:
        return 0
    if not re.fullmatch(r"\d{1,9}", found):
        raise invalid("Param thumb_offset must be a number of milliseconds")
    return int(found)


def _children(params: Mapping[str, Any], name: str) -> list[str]:
    """Read the containers of a carousel: an array or, as Meta's guide writes it, ids between commas."""
    value = params.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and re.fullmatch(r"\d+(,\s*\d+)*", value):
        return re.split(r",\s*", value)
    return [str(child) for child in json_value(params, name, list) or ()]


def _url(params: Mapping[str, Any], name: str) -> str | None:
    found = text(params, name)
    if not found:
        return None
    if web_address(found) is None:
        raise invalid(f"Param {name} must be a valid URL in US-ASCII characters")
    return found


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter.

    :param kinds: The kinds of media that take it.
    :param read: Returns its value, or the default; raises :class:`GraphError` if it is malformed.
    :param field: The field of :class:`NewMedia`; empty if the value is only checked.
    """

    kinds: frozenset[str]
    read: Callable[[Mapping[str, Any], str], Any]
    field: str = ""


PLACES: Final[dict[str, Parameter]] = {
    "caption": Parameter(_WHOLE_POSTS, _caption, "caption"),
    "collaborators": Parameter(_WHOLE_POSTS, _collaborators, "collaborators"),
    "trial_params": Parameter(frozenset({REELS}), _trial, "trial"),
    "location_id": Parameter(_WHOLE_POSTS, _location),
    "upload_type": Parameter(frozenset({REELS, STORIES, CHILD_VIDEO}), _upload_type, "resumable"),
    "video_url": Parameter(frozenset({REELS, STORIES, CHILD_VIDEO}), _url, "video_url"),
    "image_url": Parameter(frozenset({IMAGE, STORIES, CHILD_IMAGE}), _url, "image_url"),
    "cover_url": Parameter(frozenset({REELS}), _url, "cover_url"),
    "thumb_offset": Parameter(frozenset({REELS, CHILD_VIDEO}), _offset, "thumb_offset_ms"),
    "share_to_feed": Parameter(frozenset({REELS}), flag, "share_to_feed"),
    "is_carousel_item": Parameter(_CHILDREN, _bool, "is_carousel_item"),
    "children": Parameter(frozenset({CAROUSEL}), _children, "children"),
    "alt_text": Parameter(frozenset({IMAGE, CHILD_IMAGE}), _alt_text, "alt_text"),
    "is_ai_generated": Parameter(_WHOLE_POSTS | {STORIES}, _bool, "is_ai_generated"),
    "audio_name": Parameter(frozenset({REELS}), _anything),
    "media_type": Parameter(_WHOLE_POSTS | {STORIES} | _CHILDREN, text),
    "user_tags": Parameter(frozenset({REELS, STORIES, IMAGE, CHILD_IMAGE}), _anything),
}
"""The parameters of both logins."""

OF_FACEBOOK: Final[dict[str, Parameter]] = {
    "poll_attachment": Parameter(_WHOLE_POSTS, _poll, "poll"),
    "is_poll_duration_extended": Parameter(_WHOLE_POSTS, _bool, "poll_is_endless"),
    "is_comment_prompt_used": Parameter(_WHOLE_POSTS, _bool, "has_prompt"),
    "audio_configuration": Parameter(frozenset({REELS}), _audio, "audio"),
    "branded_content_sponsor_ids": Parameter(_WHOLE_POSTS | {STORIES}, _sponsors, "sponsors"),
    "is_paid_partnership": Parameter(_WHOLE_POSTS | {STORIES}, _bool, "is_paid_partnership"),
}
"""The parameters of Facebook Login alone. Source: Meta, IG User Media."""
