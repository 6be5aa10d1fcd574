"""One source of a transcode, a video or a picture, with the same operations for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture_item import PictureItem
from airflow_provider_instagram.media.video_item import VideoItem

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from airflow_provider_instagram.media.options import Options
    from airflow_provider_instagram.media.spec import Profile


class AnyReport(Protocol):
    """What the reports of videos and pictures have in common."""

    @property
    def tier(self) -> str:
        """The kind of work."""

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data."""

    def table(self) -> list[str]:
        """Return the report as lines for a log."""


class Item(Protocol):
    """A source that was read, and the rules for it."""

    @property
    def suffix(self) -> str:
        """How the name of a result ends."""

    @property
    def placement(self) -> str:
        """The name of the rules."""

    @property
    def complies(self) -> bool:
        """Whether the source complies, so that it is its own result."""

    @property
    def aspect_ratio(self) -> float:
        """The width of the result over its height."""

    def key(self) -> str:
        """Return the key of the work, for the name of its output."""

    def write(self, output: Path) -> AnyReport:
        """Write the result. If the source complies, this is a copy, or nothing if the output is the source itself."""

    def done_before(self, output: Path) -> AnyReport:
        """Return the report of an earlier result, after a check against the rules."""

    def write_preview(self, made: Path, jpeg: Path) -> None:
        """Write a JPEG of the first frame of a result."""


def read_item(path: Path, profile: Profile, options: Options) -> Item:
    """Read a video or a picture.

    :param path: A local file.
    :param profile: The rules for both kinds.
    :param options: The options.
    :raises ValidationError: If the file cannot be used.
    """
    if kind_of(path) == "picture":
        return PictureItem.read(path, profile.picture, options)
    return VideoItem.read(path, profile.video, options)
