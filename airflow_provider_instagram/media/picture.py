"""The properties of a picture file, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airflow_provider_instagram.utils.local_files import raise_if_changed

#: The rotations and reflections of EXIF that exchange columns and rows. Source: CIPA DC-008, tag Orientation.
SIDEWAYS: Final = frozenset({5, 6, 7, 8})
UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """The properties of a picture file.

    :param path: The path of the file.
    :param size_bytes: The size of the file.
    :param modified_ns: The modification time of the file, in nanoseconds.
    :param format: The format, as Pillow names it. ``MPO`` is a JPEG with several pictures.
    :param mode: The pixel format, as Pillow names it.
    :param columns: The columns as shown.
    :param rows: The rows as shown.
    :param orientation: EXIF's orientation, which viewers apply. 1 is upright.
    :param colour_profile: The name of the ICC profile. Empty without one.
    :param is_srgb: Whether the colours are sRGB, which is also the meaning of a missing profile.
    :param has_alpha: Whether parts may be transparent.
    :param frames: The number of frames or pages.
    :param location_tags: Metadata that may reveal where the picture was taken.
    :param has_extra_data: Whether other data follows the picture, such as the video of a motion photo.
    """

    path: Path
    size_bytes: int
    modified_ns: int
    format: str
    mode: str
    columns: int
    rows: int
    orientation: int
    colour_profile: str
    is_srgb: bool
    has_alpha: bool
    frames: int
    location_tags: tuple[str, ...]
    has_extra_data: bool

    @property
    def aspect_ratio(self) -> float:
        """The aspect ratio as shown: width over height."""
        return self.columns / self.rows

    def raise_if_changed(self) -> None:
        """Raise an error if the file was changed after it was read.

        :raises TransientError: If the file was modified or removed.
        """
        raise_if_changed(self.path, self.size_bytes, self.modified_ns)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> PictureInfo:
        """Return the properties that :func:`dataclasses.asdict` and JSON made into plain data."""
        return cls(**{**data, "path": Path(data["path"]), "location_tags": tuple(data["location_tags"])})
