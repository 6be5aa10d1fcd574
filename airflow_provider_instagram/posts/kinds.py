"""What a post and its items are, and the words for it: those of Meta, of authors and of file names."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, get_args

from airflow_provider_instagram.utils.urls import ending


class PostKind(str, Enum):
    """What a post is, with its placement, its ``media_type`` at Meta, and the other words for it in sheets."""

    _value_: str
    placement: str
    media_type: str | None
    other_words: tuple[str, ...]

    def __new__(
        cls, value: str, placement: str = "", media_type: str | None = None, *other_words: str
    ) -> PostKind:
        """Return the kind whose value is its word in files of posts."""
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.placement = placement
        kind.media_type = media_type
        kind.other_words = other_words
        return kind

    REEL = "reel", "reels", "REELS", "reels"
    PICTURE = "picture", "feed", None, "image", "photo", "static", "bild", "foto", "grafik"
    CAROUSEL = (
        "carousel",
        "feed",
        "CAROUSEL",
        "album",
        "gallery",
        "slideshow",
        "karussell",
        "galerie",
    )
    STORY = "story", "story", "STORIES", "stories", "storys"

    __str__ = str.__str__


class ItemKind(str, Enum):
    """What an item of a post is, in the word of authors and of Meta's parameters."""

    VIDEO = "video"
    PICTURE = "image"

    __str__ = str.__str__

    @property
    def in_words(self) -> str:
        """The kind in a sentence."""
        return "a video" if self is ItemKind.VIDEO else "a picture"


#: What an author may write. For Meta, a video in the feed is a reel that is shared to the feed.
#: Pictures and carousels are in the feed in either case, unless they are stories.
Placement = Literal["reels", "feed", "story"]
PLACEMENTS: Final = get_args(Placement)

#: What to do if Instagram's copyright check finds another's work in a video.
OnCopyrightMatch = Literal["publish", "hold", "fail"]

VIDEO_ENDINGS: Final = (
    ".mp4",
    ".mov",
    ".m4v",
    ".avi",
    ".mkv",
    ".webm",
    ".mpg",
    ".mpeg",
    ".mts",
    ".wmv",
)
PICTURE_ENDINGS: Final = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".heic",
    ".heif",
    ".avif",
    ".tif",
    ".tiff",
)
#: The names of texts, documents, sounds and archives, which lie beside videos and pictures.
OTHER_ENDINGS: Final = (
    *(".txt", ".md", ".rtf", ".srt", ".vtt", ".html"),
    *(".json", ".yaml", ".yml", ".xml", ".csv", ".tsv"),
    *(".pdf", ".doc", ".docx", ".odt", ".pages", ".xls", ".xlsx", ".ppt", ".pptx", ".key"),
    *(".mp3", ".wav", ".aac", ".m4a", ".flac", ".zip", ".rar", ".7z", ".prproj", ".aep"),
)


def kind_by_name(location: str) -> ItemKind | None:
    """Return the kind of a file by the end of its name, or None if the name does not show it."""
    suffix = ending(location)
    if suffix in VIDEO_ENDINGS:
        return ItemKind.VIDEO
    return ItemKind.PICTURE if suffix in PICTURE_ENDINGS else None
