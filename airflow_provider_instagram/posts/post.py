"""A post: each of its fields is declared once, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import Self  # noqa: TC002 -- pydantic resolves it

from airflow_provider_instagram.posts.fields import (
    CAROUSEL,
    EVERY_KIND,
    NO_STORY,
    PICTURE,
    REEL,
    STORY,
    About,
    as_objects,
    declared,
    read_alt_text,
    read_caption,
    read_user_names,
    read_user_tags,
    read_word,
    read_words,
)
from airflow_provider_instagram.posts.item import Item, Parameters, Tags, read_items, sent
from airflow_provider_instagram.posts.kinds import PLACEMENTS, ItemKind, OnCopyrightMatch, PostKind
from airflow_provider_instagram.utils import arguments, urls

Upload = Literal["auto", "file", "url"]
TrialGraduation = Literal["MANUAL", "SS_PERFORMANCE"]
#: Meta's names of the answers of a poll. Source: Meta, Caption Add-ons, 2026-09-28.
POLL_ANSWERS: Final = ("option_a", "option_b", "option_c", "option_d")
#: Source: Meta, Instagram Audio API, 2026-06-16.
LOUDEST: Final = 100
#: The longest video that Instagram takes. Source: Meta, IG User media reference.
LONGEST_VIDEO_MS: Final = 900_000
A_FILE: Final = "a path, a URI of object storage, or an https address"


def _public(address: str) -> str:
    if not urls.is_public_url(address):
        raise ValueError("not public")
    return address


def _placement(word: str) -> str:
    if word not in PLACEMENTS:
        raise ValueError("no placement")
    return word


def _poll(answers: tuple[str, ...]) -> tuple[str, ...]:
    if len(answers) == 1 or len({*answers}) < len(answers):
        raise ValueError("not 2 to 4 different answers")
    return answers


def _yes_or_no(
    name: str, says: str, kinds: frozenset[PostKind] = EVERY_KIND, label: str = ""
) -> About:
    return About(says, arguments.boolean, "Write true or false.", kinds, sent_as=name, label=label)


def _volume(name: str, says: str) -> About:
    remedy = "Write a number from 0 to 100."
    sent_as = "audio_configuration"
    return About(
        says,
        arguments.whole_number,
        remedy,
        REEL,
        sent_as=sent_as,
        sent=lambda volume: {name: volume},
    )


class Post(BaseModel):
    """What a post shows, its text and its options. Exactly one of ``video``, ``image`` and ``carousel`` is set."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    video: Annotated[
        str | None,
        About(
            f"A video: {A_FILE}.",
            arguments.text,
            kinds=REEL | STORY,
            titles=("video", "video file", "video url", "videodatei"),
            is_location=True,
        ),
    ] = None
    image: Annotated[
        str | None,
        About(
            f"A picture: {A_FILE}.",
            arguments.text,
            kinds=PICTURE | STORY,
            titles=(
                "image",
                "image file",
                "photo",
                "picture",
                "image url",
                "photo url",
                "bild",
                "bilddatei",
                "foto",
            ),
            is_location=True,
        ),
    ] = None
    carousel: Annotated[
        tuple[Item, ...],
        About(
            "2 to 10 items: files, or {image: …, alt_text: …, user_tags: …} and {video: …}.",
            read_items,
            kinds=CAROUSEL,
            titles=(
                "carousel",
                "images",
                "photos",
                "pictures",
                "slides",
                "gallery",
                "image urls",
                "karussell",
                "bilder",
            ),
        ),
    ] = ()
    caption: Annotated[
        str,
        About(
            "The text of the post. A story has none.",
            read_caption,
            "Write a text.",
            kinds=NO_STORY,
            instead={PostKind.STORY: "Remove it, or put the text into the picture or the video."},
            sent_as="caption",
            titles=("caption", "text", "copy", "post text"),
            lines=6,
        ),
    ] = ""
    placement: Annotated[
        Annotated[
            str, AfterValidator(_placement), Field(json_schema_extra={"enum": [*PLACEMENTS]})
        ],
        About(
            "reels or feed for a video, story for a video or a picture. Other pictures and carousels are in the feed.",
            read_word("reels"),
            "Write reels, feed or story.",
            titles=("placement", "format", "type"),
        ),
    ] = "reels"
    video_cover_timestamp_ms: Annotated[
        Annotated[int, Field(ge=0, le=LONGEST_VIDEO_MS)] | None,
        About(
            "The cover frame, in milliseconds from the start of the video.",
            arguments.whole_number,
            f"Use 0 (the first frame) to {LONGEST_VIDEO_MS} milliseconds from the start of the video: 1500.",
            kinds=REEL,
            sent_as="thumb_offset",
            label="Cover frame, in milliseconds",
        ),
    ] = None
    cover_url: Annotated[
        Annotated[str, AfterValidator(_public)] | None,
        About(
            "The https address of a JPEG of up to 8 MB to use as the cover. Overrides video_cover_timestamp_ms.",
            arguments.text,
            "Write the public https address of a JPEG, with characters outside ASCII percent-encoded.",
            kinds=REEL,
            sent_as="cover_url",
            is_location=True,
        ),
    ] = None
    location_id: Annotated[
        Annotated[str, Field(pattern="^[0-9]+$")] | None,
        About(
            "The id of a Facebook Page with a location: airflow instagram places finds it.",
            arguments.text,
            "Write the numeric id of a Facebook Page with a location (only digits), or leave it out.",
            kinds=NO_STORY,
            sent_as="location_id",
        ),
    ] = None
    collaborators: Annotated[
        Annotated[tuple[str, ...], Field(max_length=3)],
        About(
            "Up to three user names to invite.",
            read_user_names,
            "Write user names, separated by commas: studio_two, jane.doe.",
            kinds=NO_STORY,
            sent_as="collaborators",
        ),
    ] = ()
    user_tags: Annotated[
        Tags,
        About(
            "Users to tag: in a reel by their names, in a picture with a place.",
            read_user_tags,
            "Write user names, separated by commas: studio_two, jane.doe.",
            kinds=EVERY_KIND - CAROUSEL,
            label="Tagged users",
            instead={
                PostKind.CAROUSEL: "Write them with the item: "
                "{image: a.jpg, user_tags: [{username: ann, x: 0.5, y: 0.4}]}."
            },
            sent_as="user_tags",
            sent=as_objects,
        ),
    ] = ()
    share_to_feed: Annotated[
        bool | None,
        _yes_or_no(
            "share_to_feed",
            "Whether a reel also appears in the feed. If not set, Instagram decides.",
            REEL,
        ),
    ] = None
    audio_name: Annotated[
        str | None,
        About(
            "A name for the reel's original sound.",
            arguments.text,
            "Write a short text.",
            REEL,
            sent_as="audio_name",
        ),
    ] = None
    trial_graduation: Annotated[
        TrialGraduation | None,
        About(
            "Publish a trial reel: MANUAL or SS_PERFORMANCE.",
            arguments.text,
            "Write MANUAL or SS_PERFORMANCE, or leave it out.",
            kinds=REEL,
            sent_as="trial_params",
            sent=lambda graduation: {"graduation_strategy": graduation},
        ),
    ] = None
    audio_id: Annotated[
        Annotated[str, Field(pattern="^[0-9]+$")] | None,
        About(
            "Music or another reel's sound, by its id: airflow instagram audio finds it. Not with Instagram Login.",
            arguments.text,
            "Write the numeric id of an audio asset (only digits).",
            kinds=REEL,
            sent_as="audio_configuration",
            label="Music, by its id",
            sent=lambda audio_id: {"audio_id": audio_id},
        ),
    ] = None
    audio_volume: Annotated[
        Annotated[int, Field(ge=0, le=LOUDEST)] | None,
        _volume("audio_volume", "How loud the audio of audio_id is, 0 to 100."),
    ] = None
    video_volume: Annotated[
        Annotated[int, Field(ge=0, le=LOUDEST)] | None,
        _volume(
            "video_volume",
            "How loud the video's own sound is beside the audio of audio_id, 0 to 100. 0 for a video without sound.",
        ),
    ] = None
    poll_attachment: Annotated[
        Annotated[tuple[str, ...], Field(max_length=len(POLL_ANSWERS)), AfterValidator(_poll)],
        About(
            "A poll whose question is the caption: 2 to 4 answers. Not with Instagram Login.",
            read_words,
            "Write 2 to 4 different answers, separated by commas: Yes, No.",
            kinds=NO_STORY,
            sent_as="poll_attachment",
            sent=lambda answers: dict(zip(POLL_ANSWERS, answers, strict=False)),
        ),
    ] = ()
    is_poll_duration_extended: Annotated[
        bool | None,
        _yes_or_no(
            "is_poll_duration_extended",
            "Whether the poll has no end. If not, it ends after three days.",
            NO_STORY,
        ),
    ] = None
    is_comment_prompt_used: Annotated[
        bool | None,
        _yes_or_no(
            "is_comment_prompt_used",
            "Whether the caption is a question that asks for comments. Not with Instagram Login.",
            NO_STORY,
        ),
    ] = None
    is_paid_partnership: Annotated[
        bool | None,
        _yes_or_no(
            "is_paid_partnership",
            "Whether to label the post as a paid partnership. Not with Instagram Login.",
        ),
    ] = None
    branded_content_sponsor_ids: Annotated[
        Annotated[tuple[str, ...], Field(max_length=2)],
        About(
            "Up to two sponsors of a paid partnership: the user names or ids of professional accounts.",
            read_user_names,
            "Write user names, separated by commas: brand_one, brand.two.",
            sent_as="branded_content_sponsor_ids",
            titles=("sponsors",),
        ),
    ] = ()
    is_ai_generated: Annotated[
        bool | None,
        _yes_or_no(
            "is_ai_generated", "Whether to label the post as made with AI.", label="Made with AI"
        ),
    ] = None
    alt_text: Annotated[
        str | None,
        About(
            "A description of the picture for people who do not see it.",
            read_alt_text,
            "Write a text.",
            kinds=PICTURE,
            instead={
                PostKind.CAROUSEL: "Write it with the item: {image: a.jpg, alt_text: A tree}."
            },
            sent_as="alt_text",
            titles=("alt text", "alt", "image description"),
            lines=2,
        ),
    ] = None
    upload: Annotated[
        Upload,
        About(
            "How videos are sent: file sends the bytes, url a link, auto chooses by the location.",
            read_word("auto"),
            "Use one of auto, file, url.",
        ),
    ] = "auto"
    on_copyright_match: Annotated[
        OnCopyrightMatch,
        About(
            "What to do if Instagram's copyright check finds another's work in the video: publish, hold (ask a person) "
            "or fail.",
            read_word("publish"),
            "Use one of publish, hold, fail.",
            kinds=REEL | STORY,
        ),
    ] = "publish"

    @property
    def kind(self) -> PostKind:
        """What the post is."""
        return kind_in(self.__dict__)

    @property
    def appears_in(self) -> str:
        """Where the post appears. A picture or a carousel that is not a story is in the feed, whatever it says."""
        return (
            self.placement if self.kind in (PostKind.REEL, PostKind.STORY) else self.kind.placement
        )

    @property
    def items(self) -> tuple[Item, ...]:
        """The video, the picture, or the items of the carousel."""
        single = {kind: getattr(self, kind) for kind in ItemKind}
        return self.carousel or tuple(
            Item(location=at, kind=kind) for kind, at in single.items() if at is not None
        )

    @property
    def media(self) -> tuple[str, ...]:
        """The locations of its items."""
        return tuple(item.location for item in self.items)

    @property
    def options(self) -> dict[str, Any]:
        """The options of its container that are set, by their names."""
        values = {name: getattr(self, name) for name in OPTIONS}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != Post.model_fields[name].default
        }

    def parameters(self) -> Parameters:
        """Return Meta's parameters of its container, without those of its media."""
        kind = self.kind
        media_type = {"media_type": kind.media_type} if kind.media_type else {}
        shared = (
            {"share_to_feed": True} if self.placement == "feed" and kind is PostKind.REEL else {}
        )
        return {**media_type, **sent(self), **shared}

    def without_signatures(self) -> Self:
        """Return the post as it may be stored and shown. The query of a link may be a signature, which is a secret."""
        links = {
            name: urls.shown(link)
            for name in LOCATIONS
            if (link := getattr(self, name)) is not None
        }
        items = (
            item.model_copy(update={"location": urls.shown(item.location)})
            for item in self.carousel
        )
        changes = {**links, "carousel": tuple(items)}
        same = all(getattr(self, name) == value for name, value in changes.items())
        return self if same else self.model_copy(update=changes)


#: The fields, in the order of their declaration.
FIELDS: Final = declared(Post)
#: The fields that contain the media. A post has exactly one of them.
MEDIA: Final = (*map(str, ItemKind), str(PostKind.CAROUSEL))
#: The fields of a post's container, beside its media.
OPTIONS: Final = tuple(
    name for name, about in FIELDS.items() if about.sent_as or name == "placement"
)
LOCATIONS: Final = tuple(name for name, about in FIELDS.items() if about.is_location)


def kind_in(values: Mapping[str, Any]) -> PostKind:
    """Return what a post with these values is."""
    if values.get("placement") == "story":
        return PostKind.STORY
    if values.get("carousel"):
        return PostKind.CAROUSEL
    return PostKind.REEL if values.get("image") is None else PostKind.PICTURE
