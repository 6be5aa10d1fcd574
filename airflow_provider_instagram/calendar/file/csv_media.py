"""The media and the format of a spreadsheet's row, in the fields of a calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_instagram.calendar.file.media_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import MEDIA

if TYPE_CHECKING:
    from collections.abc import Mapping

Word = TypeVar("Word", bound=str)
#: A column such as "File" may hold a video, a picture or several of them.
ANY_MEDIA: Final = "media"
#: The words of sheets for placements, by the word of a calendar.
PLACEMENTS: Final = {
    "reels": ("reel", "reels"),
    "feed": ("feed", "post", "feed post"),
    "story": ("story", "stories"),
}
#: The words of sheets for what a post shows. They are no placements.
KINDS: Final = {
    ItemKind.VIDEO: ("video",),
    ItemKind.PICTURE: ("image", "photo", "picture", "static"),
    PostKind.CAROUSEL: ("carousel", "album", "gallery", "slideshow"),
}


def with_media(cells: dict[str, str]) -> dict[str, str]:
    """Return a row in which a calendar's fields contain the media and the placement.

    :param cells: The cells of the row, by field. The field ``media`` may hold any kind.
    :raises InvalidValue: If the row names media in two ways.
    """
    kind = _meaning(cells.get("placement", ""), KINDS)
    placement = _meaning(cells.get("placement", ""), PLACEMENTS)
    row = {name: cell for name, cell in cells.items() if name != ANY_MEDIA}
    if kind is not None:
        del row["placement"]
    elif placement is not None:
        row["placement"] = placement
    if (written := cells.get(ANY_MEDIA)) is not None:
        if given := [name for name in MEDIA if name in row]:
            raise InvalidValue(
                f"the row names {written!r}, and also {row[given[0]]!r} in a column for {given[0]}.",
                "Leave one of the two cells empty.",
            )
        row[str(kind or _kind_of(written))] = written
    return row


def _meaning(word: str, meanings: Mapping[Word, tuple[str, ...]]) -> Word | None:
    folded = " ".join(word.lower().split())
    return next((meaning for meaning, words in meanings.items() if folded in words), None)


def _kind_of(written: str) -> str:
    """Return the field for a cell by the names in it. A name may contain a comma, as many links do."""
    try:
        kinds = [kind_by_name(str(item)) for item in items_in(written)]
    except InvalidValue:
        return ItemKind.VIDEO
    if len(kinds) > 1 and all(kinds):
        return PostKind.CAROUSEL
    return kind_by_name(written) or ItemKind.VIDEO
