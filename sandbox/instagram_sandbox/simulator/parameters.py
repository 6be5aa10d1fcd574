"""The parameters of ``POST /{ig-user-id}/media``, and the kinds of media that take them.

Source: Meta, IG User Media reference; the list of names is the Instagram-Login schema of Meta's generated SDK.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.simulator.addresses import web_address
from instagram_sandbox.simulator.audio import CATALOGUE
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.state import AudioConfiguration, NewMedia

if TYPE_CHECKING:
    from collections.abc import Mapping

GLOBAL: Final = frozenset(
    {"access_token", "appsecret_proof", "appsecret_time", "date_format", "debug", "fields", "format", "include_headers"}
    | {"locale", "method", "pretty", "suppress_http_code"}
    | {"id"}  # Meta's SDK for Node adds the id of the node that is called
)

REELS, STORIES, CAROUSEL, IMAGE = "REELS", "STORIES", "CAROUSEL", "IMAGE"
CHILD_IMAGE, CHILD_VIDEO = "child image", "child video"
_WHOLE_POSTS = frozenset({REELS, CAROUSEL, IMAGE})
_CHILDREN = frozenset({CHILD_IMAGE, CHILD_VIDEO})

PLACES: Final[dict[str, frozenset[str]]] = {
    "alt_text": frozenset({IMAGE, CHILD_IMAGE}),
    "audio_name": frozenset({REELS}),
    "caption": _WHOLE_POSTS,
    "children": frozenset({CAROUSEL}),
    "collaborators": _WHOLE_POSTS,
    "cover_url": frozenset({REELS}),
    "image_url": frozenset({IMAGE, STORIES, CHILD_IMAGE}),
    "is_ai_generated": frozenset({REELS, STORIES, CAROUSEL, IMAGE}),
    "is_carousel_item": _CHILDREN,
    "location_id": _WHOLE_POSTS,
    "media_type": frozenset({REELS, STORIES, CAROUSEL, IMAGE}) | _CHILDREN,
    "share_to_feed": frozenset({REELS}),
    "thumb_offset": frozenset({REELS, CHILD_VIDEO}),
    "trial_params": frozenset({REELS}),
    "upload_type": frozenset({REELS, STORIES, CHILD_VIDEO}),
    "user_tags": frozenset({REELS, STORIES, IMAGE, CHILD_IMAGE}),
    "video_url": frozenset({REELS, STORIES, CHILD_VIDEO}),
}
"""The kinds of media that take each parameter."""

OF_FACEBOOK: Final[dict[str, frozenset[str]]] = {
    "audio_configuration": frozenset({REELS}),
    "branded_content_sponsor_ids": _WHOLE_POSTS | {STORIES},
    "is_paid_partnership": _WHOLE_POSTS | {STORIES},
    "is_comment_prompt_used": _WHOLE_POSTS,
    "is_poll_duration_extended": _WHOLE_POSTS,
    "poll_attachment": _WHOLE_POSTS,
}
"""The same for parameters of Facebook Login alone. Source: Meta, IG User Media."""

REFUSED: Final[dict[str, GraphError]] = {
    "audio_configuration": GraphError(100, None, "(#100) audio_configuration is supported with Facebook Login only"),
    "product_tags": GraphError(10, None, "(#10) product_tags requires instagram_shopping_tag_products permission"),
}
"""Parameters of Meta's schema that are refused on purpose."""

POLL_OPTIONS: Final = ("option_a", "option_b", "option_c", "option_d")
LOUDEST: Final = 100
USERNAME: Final = r"[A-Za-z0-9._]{1,30}"
CAPTION_UNITS, HASHTAGS, MENTIONS, COLLABORATORS, CHILDREN_MIN, CHILDREN_MAX, USER_TAGS = 2200, 30, 20, 3, 2, 10, 20


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
    def places(self) -> Mapping[str, frozenset[str]]:
        """The parameters that the host takes, and the kinds of media that take each."""
        return PLACES | OF_FACEBOOK if self.of_facebook else PLACES


@dataclass(frozen=True, slots=True)
class Checked:
    """A create call that Meta accepts.

    :param media: What it creates.
    :param warnings: What was ignored in it.
    """

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
    return Checked(_media(params, kind, rules), tuple(warnings))


def known_only(params: Mapping[str, Any], known: frozenset[str], *, ignore: bool) -> list[str]:
    """Return a warning for each parameter that a call does not take.

    :param params: The parameters.
    :param known: The names that the call takes, beside those that all calls take.
    :param ignore: Whether to warn; otherwise the first such parameter is refused.
    :raises GraphError: 100: a parameter is unknown.
    """
    unknown = sorted(name for name in params if name not in known and name not in GLOBAL)
    if unknown and not ignore:
        raise _invalid(f"Unexpected parameter {unknown[0]}")
    return [
        f"The parameter {name} is unknown and was ignored. Meta does not document it for this call." for name in unknown
    ]


def _known_here(params: Mapping[str, Any], kind: str, rules: Rules) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that this kind of media takes, and a warning for each of the others."""
    for name in params:
        if name in REFUSED and name not in rules.places:
            raise REFUSED[name]
    places = rules.places
    warnings = known_only(params, frozenset(places), ignore=rules.ignore_unknown)
    taken = {name: value for name, value in params.items() if name in places and kind in places[name]}
    for name in params:
        if name in places and name not in taken:
            if not rules.ignore_unknown:
                raise _invalid(f"{name} is not supported on {kind} media")
            if params[name] != "":
                warnings.append(f"The parameter {name} was ignored. Meta does not support it on {kind} media.")
    return taken, warnings


def _media(params: Mapping[str, Any], kind: str, rules: Rules) -> NewMedia:
    _check_caption(_text(params, "caption"))
    collaborators = _collaborators(params)
    _check_tags(params, kind)
    trial = _check_trial(params)
    location = _text(params, "location_id")
    if location and not location.isdecimal():
        raise _invalid("location_id must be the id of a Page with a location")
    resumable = _check_upload_type(params)
    media = NewMedia(
        media_type=kind if kind not in _CHILDREN else ("VIDEO" if kind == CHILD_VIDEO else "IMAGE"),
        caption=_text(params, "caption"),
        video_url=_url(params, "video_url"),
        image_url=_url(params, "image_url"),
        cover_url=_url(params, "cover_url"),
        thumb_offset_ms=_offset(params),
        share_to_feed=_flag(params, "share_to_feed"),
        is_carousel_item=bool(_flag(params, "is_carousel_item")),
        children=_children(params),
        resumable=resumable,
        trial=trial,
        alt_text=_text(params, "alt_text"),
        is_ai_generated=bool(_flag(params, "is_ai_generated")),
        collaborators=collaborators,
        poll=_poll(params),
        poll_is_endless=bool(_flag(params, "is_poll_duration_extended")),
        has_prompt=bool(_flag(params, "is_comment_prompt_used")),
        audio=_audio(params),
    )
    _check_source(media, kind, rules.carousel_max)
    return media


def _kind(params: Mapping[str, Any]) -> str:
    media_type = _text(params, "media_type") or "IMAGE"
    child = _flag(params, "is_carousel_item")
    if media_type == "VIDEO":
        if not child:
            raise GraphError(100, 2207089)
        return CHILD_VIDEO
    if media_type == IMAGE:
        return CHILD_IMAGE if child else IMAGE
    if media_type not in {REELS, STORIES, CAROUSEL}:
        raise GraphError(100, 2207023, None, type=media_type)
    if child:
        raise _invalid(f"is_carousel_item is not supported on {media_type} media")
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
        raise _invalid(f"The parameter {wanted} is required")
    if len(sources) > 1:
        raise _invalid(f"Only one of {' and '.join(sources)} can be given")


def _check_caption(caption: str) -> None:
    units = len(caption.encode("utf-16-le", "surrogatepass")) // 2
    hashtags = len(re.findall(r"#\w+", caption))
    mentions = len(re.findall(r"(?<!\w)@[\w.]+", caption))
    if units > CAPTION_UNITS or hashtags > HASHTAGS or mentions > MENTIONS:
        raise GraphError(36004, 2207010, None, length=units)


def _collaborators(params: Mapping[str, Any]) -> list[str]:
    names = _json(params, "collaborators", list) or []
    if len(names) > COLLABORATORS or not all(isinstance(name, str) and name for name in names):
        raise _invalid(f"collaborators must be at most {COLLABORATORS} usernames")
    if not all(re.fullmatch(USERNAME, name) for name in names):
        raise GraphError(110, 2207018)
    return names


def _check_tags(params: Mapping[str, Any], kind: str) -> None:
    tags = _json(params, "user_tags", list) or []
    if len(tags) > USER_TAGS:
        raise GraphError(100, 2207040)
    for tag in tags:
        if not isinstance(tag, dict) or not isinstance(tag.get("username"), str) or not tag["username"]:
            raise GraphError(100, 2207037)
        placed = "x" in tag or "y" in tag
        if placed and kind == REELS:  # a story takes tags with and without a position
            raise GraphError(100, 2207035)
        if not placed and kind in {IMAGE, CHILD_IMAGE}:
            raise GraphError(100, 2207036)
        if set(tag) - {"username", "x", "y"}:
            raise GraphError(100, 2207037)


def _poll(params: Mapping[str, Any]) -> list[str]:
    """Return the options of a poll, after a check of all add-ons of the caption. Source: Meta, Caption Add-ons."""
    poll, prompt = _json(params, "poll_attachment", dict), bool(_flag(params, "is_comment_prompt_used"))
    if poll is not None and prompt:
        raise _invalid("A poll and a comment prompt cannot be combined")
    if (poll is not None or prompt) and not _text(params, "caption").strip():
        raise _invalid("A poll or a comment prompt needs a caption, which is its question")
    if poll is None:
        return []
    options = [poll.get(name) for name in POLL_OPTIONS[: len(poll)]]
    if not 2 <= len(poll) <= len(POLL_OPTIONS) or not all(isinstance(one, str) and one for one in options):
        raise _invalid(f"poll_attachment must have two to four options: {', '.join(POLL_OPTIONS)}")
    return list(map(str, options))


def _audio(params: Mapping[str, Any]) -> AudioConfiguration | None:
    """Return the audio of a reel. Source: Meta, Instagram Audio API; ``should_loop_audio`` is in its example alone."""
    given = _json(params, "audio_configuration", dict)
    if given is None:
        return None
    volumes = {name: given[name] for name in ("audio_volume", "video_volume") if name in given}
    if set(given) - {"audio_id", "should_loop_audio", *volumes} or str(given.get("audio_id")) not in CATALOGUE:
        raise _invalid("audio_configuration must have the audio_id of an audio asset, and may have two volumes")
    if not all(re.fullmatch(r"\d{1,3}", str(volume)) and int(volume) <= LOUDEST for volume in volumes.values()):
        raise _invalid(f"audio_volume and video_volume must be integers from 0 to {LOUDEST}")
    return AudioConfiguration(
        audio_id=str(given["audio_id"]), **{name: int(volume) for name, volume in volumes.items()}
    )


def _check_trial(params: Mapping[str, Any]) -> bool:
    trial = _json(params, "trial_params", dict)
    if trial is None:
        return False
    if set(trial) != {"graduation_strategy"} or trial["graduation_strategy"] not in {"MANUAL", "SS_PERFORMANCE"}:
        raise _invalid("trial_params must be {graduation_strategy: MANUAL | SS_PERFORMANCE}")
    return True


def _check_upload_type(params: Mapping[str, Any]) -> bool:
    upload_type = _text(params, "upload_type")
    if upload_type not in {"", "resumable"}:
        raise _invalid("upload_type must be resumable")
    return upload_type == "resumable"


def _invalid(what: str) -> GraphError:
    return GraphError(100, None, f"(#100) {what}")


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _invalid(f"Param {name} must be a string")
    if "\0" in str(value):
        raise _invalid(f"Param {name} must not hold a NUL character")
    return str(value)


def _flag(params: Mapping[str, Any], name: str) -> bool | None:
    value = params.get(name)
    if value is None or value == "":
        return None
    text = str(value).lower()
    if text not in {"true", "false", "1", "0"}:
        raise _invalid(f"Param {name} must be a boolean")
    return text in {"true", "1"}


def _offset(params: Mapping[str, Any]) -> int:
    value = params.get("thumb_offset")
    if isinstance(value, float) and value.is_integer():  # a number in JSON
        return _offset({"thumb_offset": int(value)})
    text = _text(params, "thumb_offset")
    if not text:
        return 0
    if not re.fullmatch(r"\d{1,9}", text):
        raise _invalid("Param thumb_offset must be a number of milliseconds")
    return int(text)


def _json(params: Mapping[str, Any], name: str, form: type) -> Any:
    value = params.get(name)
    if value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _invalid(f"Param {name} must be {'an array' if form is list else 'an object'} in JSON") from None
    if value is not None and not isinstance(value, form):
        raise _invalid(f"Param {name} must be {'an array' if form is list else 'an object'}")
    return value


def _children(params: Mapping[str, Any]) -> list[str]:
    """Read the containers of a carousel: an array or, as Meta's guide writes it, ids between commas."""
    value = params.get("children")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and re.fullmatch(r"\d+(,\s*\d+)*", value):
        return re.split(r",\s*", value)
    return [str(child) for child in _json(params, "children", list) or ()]


def _url(params: Mapping[str, Any], name: str) -> str | None:
    text = _text(params, name)
    if not text:
        return None
    if web_address(text) is None:
        raise _invalid(f"Param {name} must be a valid URL in US-ASCII characters")
    return text
