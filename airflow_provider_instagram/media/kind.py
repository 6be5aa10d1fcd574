"""The kind of a file by its first bytes: a picture or a video. Its name proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, PICTURE_ENDINGS, ItemKind
from airflow_provider_instagram.utils.local_files import regular_file

#: The formats of pictures that can be opened, by Pillow's names.
PictureFormat = Literal["JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"]

#: How files of these formats start. Sources: ITU-T T.81, PNG, TIFF 6.0, BigTIFF.
MAGIC: Final[tuple[tuple[bytes, PictureFormat], ...]] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
#: The brands of HEIF and AVIF. Sources: ISO/IEC 23008-12, AV1 Image File Format.
HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)
AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
#: How videos start, beside the boxes of MP4. Sources: Matroska, ISO/IEC 13818-1 (a program, a
#: sequence), ASF, GIF89a.
VIDEO_MAGIC: Final = (
    b"GIF8",
    b"\x1a\x45\xdf\xa3",
    b"\0\0\x01\xba",
    b"\0\0\x01\xb3",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
)
#: The first boxes of MP4 and QuickTime. Source: QuickTime File Format.
FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
#: Where the first two packets of a transport stream start: as broadcast, and as a camera writes it.
PACKETS: Final = ((0, 188), (4, 196))
HEAD_BYTES: Final = 256
FORMATS: Final = "a JPEG, PNG, WebP, HEIC, AVIF or TIFF."
#: The names of other pictures. A camera's raw file starts like a TIFF, and its first picture is a
#: thumbnail.
OTHER_PICTURES: Final = (
    *(".bmp", ".ico", ".jp2", ".jxl", ".psd", ".svg"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
)


def kind_of(path: Path) -> ItemKind:
    """Return the kind of a file. A GIF is a video.

    :raises ValidationError: If the file cannot be read, or if its name is that of a picture and its
        content is not one that can be opened, or if its name is that of neither a picture nor a
        video.
    """
    regular_file(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    picture_format = format_of(head)
    suffix = path.suffix.lower()
    if suffix in OTHER_PICTURES and picture_format in (None, "TIFF"):
        raise ValidationError(
            f"{path} is a picture in a format that cannot be opened ({suffix}).",
            hint=f"Export it as {FORMATS}",
        )
    if picture_format is not None:
        return ItemKind.PICTURE
    if kind_by_head(head) is None:
        if suffix in PICTURE_ENDINGS:
            raise ValidationError(
                f"{path} is not a picture, although its name says so.", hint=f"Use {FORMATS}"
            )
        if suffix in OTHER_ENDINGS:
            raise ValidationError(
                f"{path} is neither a picture nor a video.", hint=f"Use a video, or {FORMATS}"
            )
    return ItemKind.VIDEO


def format_of(head: bytes) -> PictureFormat | None:
    """Return the format of a picture, or None if it is not a picture."""
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), head[3]), 4))}
        if head[8:12] in AVIF_BRANDS or (head[8:12] in HEIF_BRANDS and brands & AVIF_BRANDS):
            return "AVIF"
        return "HEIF" if head[8:12] in HEIF_BRANDS else None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in MAGIC if head.startswith(magic)), None)


def kind_by_head(head: bytes) -> ItemKind | None:
    """Return the kind of a file by its first :data:`HEAD_BYTES`, or None if it is neither. A GIF is a video."""
    if format_of(head) is not None:
        return ItemKind.PICTURE
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    is_stream = any(
        head[first : first + 1] == head[second : second + 1] == b"\x47" for first, second in PACKETS
    )
    if is_avi or is_stream or head[4:8] in FIRST_BOXES or head.startswith(VIDEO_MAGIC):
        return ItemKind.VIDEO
    return None
