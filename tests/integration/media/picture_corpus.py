"""Pictures of every kind, each with the outcome that is expected of it. Nothing here comes from the product."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pillow_heif.register_heif_opener()

Colour = tuple[int, int, int]
RED, GREEN, BLUE, YELLOW = (200, 60, 40), (40, 160, 70), (40, 60, 200), (220, 200, 60)
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)
#: The same numbers in Display P3, as sRGB shows them: by the matrices of SMPTE EG 432-1 and IEC 61966-2-1.
P3_CORNERS = ((217, 42, 23), (0, 163, 56), (34, 61, 208), (224, 199, 0))
QUARTERS = (RED, GREEN, BLUE, YELLOW)


@dataclass(frozen=True)
class Sample:
    """A picture, and what is expected of it.

    :param name: The name of the file.
    :param make: Writes the file.
    :param size: Columns and rows of the result.
    :param rules: The rules that it breaks. None: it complies.
    :param corners: The colours in the middle of the four quarters of the result.
    :param placement: The profile.
    :param fit: How it is fitted.
    :param warns: Words of its warning.
    """

    name: str
    make: Callable[[Path], None]
    size: tuple[int, int]
    rules: set[str] = field(default_factory=set)
    corners: tuple[Colour, ...] | None = QUARTERS
    placement: str = "feed"
    fit: str = "pad"
    warns: str = ""

    def __str__(self) -> str:
        return self.name


def quarters(columns: int = 800, rows: int = 1000, colours: tuple[Colour, ...] = QUARTERS) -> Image.Image:
    """A red, a green, a blue and a yellow quarter: no rotation and no reflection looks like another."""
    picture = Image.new("RGB", (columns, rows))
    half = (columns // 2, rows // 2)
    for number, colour in enumerate(colours):
        left, top = number % 2 * half[0], number // 2 * half[1]
        picture.paste(colour, (left, top, columns, rows))
        if number == 1:
            picture.paste(BLACK, (0, half[1], columns, rows))
    return picture


def saved(picture: Image.Image | None = None, **options: Any) -> Callable[[Path], None]:
    return lambda path: (picture or quarters()).save(path, **{"quality": 92, **options})


def jpeg_bytes(picture: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (picture or quarters()).save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def written(data: Callable[[], bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data())

    return make


def with_segment(marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment after its start."""
    data = jpeg_bytes()
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + data[2:]


def exif(**tags: Any) -> Image.Exif:
    found = Image.Exif()
    for name, value in tags.items():
        if name == "gps":
            found.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 7.0), 3: "E", 4: (13.0, 24.0, 29.0)})
        else:
            found[{"orientation": 0x0112, "camera": 0x0110}[name]] = value
    return found


#: Where a viewer shows the stored corners (top left, top right, bottom left, bottom right), as numbers of corners.
#: Source: CIPA DC-008 (EXIF), tag Orientation.
STORED = {1: "0123", 2: "1032", 3: "3210", 4: "2301", 5: "0213", 6: "1302", 7: "3120", 8: "2031"}


def turned(orientation: int, **options: Any) -> Callable[[Path], None]:
    """A picture that is upright once the orientation is applied."""
    colours = tuple(QUARTERS[int(corner)] for corner in STORED[orientation])
    size = (1000, 800) if orientation > 4 else (800, 1000)
    return saved(quarters(*size, colours), exif=exif(orientation=orientation).tobytes(), **options)


@cache
def display_p3() -> bytes:
    """An ICC profile (version 2) of Display P3. The primaries are those of SMPTE EG 432-1, adapted to D50."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    linear = (n / 1023 for n in range(1024))
    curve = [round(65535 * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)) for v in linear]
    text = b"Display P3\0"
    trc = b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *curve)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.15710, 0.06657, 0.78407),
        b"rTRC": trc,
        b"gTRC": trc,
        b"bTRC": trc,
    }
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def see_through(mode: str = "RGBA") -> Image.Image:
    """The quarters, of which the last is transparent."""
    picture = quarters().convert("RGBA")
    picture.paste((255, 0, 255, 0), (400, 500, 800, 1000))
    return picture.convert(mode)


def by_ffmpeg(pixel_format: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        quarters().save(plain := path.with_name("plain.png"))
        options = ("-vf", "scale=flags=accurate_rnd", "-pix_fmt", pixel_format, "-frames:v", "1")
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(plain), *options, str(path)], check=True)
        plain.unlink()

    return make


def sixteen_bit_grey(path: Path) -> None:
    Image.new("I;16", (800, 1000), 128 * 257).save(path)


def animation(path: Path) -> None:
    quarters().save(path, save_all=True, append_images=[Image.new("RGB", (800, 1000), GREY)], duration=100)


def noise(path: Path) -> None:
    data = jpeg_bytes(Image.effect_noise((1440, 1800), 90).convert("RGB"))
    comment = b"\xff\xfe\xff\xff" + bytes(65_533)
    path.write_bytes(data[:2] + comment * 123 + data[2:])


def huge(path: Path) -> None:
    quarters(10_000, 10_000).save(path, quality=92)


def several_pictures(path: Path) -> None:
    quarters().save(path, "MPO", save_all=True, append_images=[Image.new("RGB", (800, 1000))], quality=92)


XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><exif:GPSLatitude>52,31.1N</exif:GPSLatitude></x:xmpmeta>"
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 12) + b"\x1c\x02\x5a\0\x06Berlin\0"
LAB = ImageCms.createProfile("LAB")
ALPHA_CORNERS = (RED, GREEN, BLUE, BLACK)
GREY_CORNERS = (GREY,) * 4
PORTRAIT = (800, 1000)
NOT_JPEG = {"format"}


def lab(path: Path) -> None:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), LAB, "RGB", "LAB")
    found = ImageCms.applyTransform(quarters(), transform)
    assert found is not None
    found.save(path)


def _compliant() -> Iterator[Sample]:
    yield Sample("plain.jpg", saved(), PORTRAIT)
    yield Sample("progressive.jpg", saved(progressive=True), PORTRAIT)
    yield Sample("srgb.jpg", saved(icc_profile=srgb()), PORTRAIT)
    yield Sample("camera.jpg", saved(exif=exif(camera="Camera 1")), PORTRAIT)
    yield Sample("least.jpg", saved(quarters(320, 320)), (320, 320))
    yield Sample("widest.jpg", saved(quarters(1440, 754)), (1440, 754))
    yield Sample("tallest.jpg", saved(quarters(1440, 1800)), (1440, 1800))
    yield Sample("padded.jpg", written(lambda: jpeg_bytes() + bytes(500)), PORTRAIT)
    yield Sample("orientation-1.jpg", turned(1), PORTRAIT)
    yield Sample("story.jpg", saved(quarters(1080, 1920)), (1080, 1920), placement="story")
    yield Sample("jpeg.png", lambda path: quarters().save(path, "JPEG", quality=92), PORTRAIT)


def _formats() -> Iterator[Sample]:
    for name, picture in (
        ("rgb.png", quarters()),
        ("palette.png", quarters().quantize(16)),
        ("lossy.webp", quarters()),
        ("photo.heic", quarters()),
        ("photo.avif", quarters()),
        ("photo.tif", quarters()),
    ):
        yield Sample(name, saved(picture), PORTRAIT, NOT_JPEG)
    yield Sample("lzw.tiff", lambda path: quarters().save(path, compression="tiff_lzw"), PORTRAIT, NOT_JPEG)
    yield Sample("dressed-up.jpg", lambda path: quarters().save(path, "PNG"), PORTRAIT, NOT_JPEG)
    yield Sample("rgb48.png", by_ffmpeg("rgb48be"), PORTRAIT, NOT_JPEG)
    yield Sample("rgb48.tif", by_ffmpeg("rgb48le"), PORTRAIT, NOT_JPEG)
    yield Sample("grey16.png", sixteen_bit_grey, PORTRAIT, NOT_JPEG, GREY_CORNERS)
    yield Sample("grey16.tif", sixteen_bit_grey, PORTRAIT, NOT_JPEG, GREY_CORNERS)
    yield Sample("grey.png", saved(Image.new("L", PORTRAIT, 128)), PORTRAIT, NOT_JPEG, GREY_CORNERS)
    yield Sample("bilevel.png", saved(Image.new("1", PORTRAIT, 1)), PORTRAIT, NOT_JPEG, (WHITE,) * 4)
    yield Sample("lab.tif", lab, PORTRAIT, {"format", "colour profile"})
    yield Sample("cmyk.tif", saved(quarters().convert("CMYK")), PORTRAIT, NOT_JPEG)
    for name in ("animation.webp", "pages.tif"):
        yield Sample(name, animation, PORTRAIT, NOT_JPEG, warns="2 pictures. The result shows the first")
    yield Sample("animation.png", animation, PORTRAIT, NOT_JPEG, warns="2 pictures. The result shows the first")
    for orientation in range(2, 9):
        yield Sample(f"orientation-{orientation}.jpg", turned(orientation), PORTRAIT, {"orientation"})
    for name in ("turned.tif", "turned.heic", "turned.avif", "turned.webp", "turned.png"):
        rules = NOT_JPEG if name in ("turned.tif", "turned.heic") else NOT_JPEG | {"orientation"}
        yield Sample(name, turned(6), PORTRAIT, rules)


def _colours() -> Iterator[Sample]:
    transparent = NOT_JPEG | {"alpha"}
    for name in ("alpha.png", "alpha.webp", "alpha.heic", "alpha.avif", "alpha.tif"):
        yield Sample(name, saved(see_through()), PORTRAIT, transparent, ALPHA_CORNERS)
    grey_corners = tuple((round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in ALPHA_CORNERS)
    yield Sample("alpha-grey.png", saved(see_through("LA")), PORTRAIT, transparent, grey_corners)
    yield Sample("colour-key.png", saved(transparency=YELLOW), PORTRAIT, transparent, ALPHA_CORNERS)
    profile = {"colour profile"}
    yield Sample("p3.jpg", saved(icc_profile=display_p3()), PORTRAIT, profile, P3_CORNERS)
    for name in ("p3.png", "p3.webp", "p3.heic", "p3.avif", "p3.tif"):
        yield Sample(name, saved(icc_profile=display_p3()), PORTRAIT, NOT_JPEG | profile, P3_CORNERS)
    yield Sample("broken-profile.jpg", saved(icc_profile=b"no profile"), PORTRAIT, profile)
    yield Sample("cmyk.jpg", saved(quarters().convert("CMYK")), PORTRAIT, {"colour space"})
    yield Sample("grey.jpg", saved(Image.new("L", PORTRAIT, 128)), PORTRAIT, {"colour space"}, GREY_CORNERS)


def _metadata() -> Iterator[Sample]:
    yield Sample("gps.jpg", saved(exif=exif(gps=True)), PORTRAIT, {"location"})
    yield Sample("gps.heic", saved(exif=exif(gps=True)), PORTRAIT, {"format", "location"})
    yield Sample("xmp.jpg", written(lambda: with_segment(0xE1, XMP)), PORTRAIT, {"location"})
    yield Sample("iptc.jpg", written(lambda: with_segment(0xED, IPTC)), PORTRAIT, {"location"})
    yield Sample("motion.jpg", written(lambda: jpeg_bytes() + b"\0\0\0\x18ftypmp42"), PORTRAIT, {"extra data"})
    yield Sample("several.jpg", several_pictures, PORTRAIT, NOT_JPEG, warns="2 pictures")


def _sizes() -> Iterator[Sample]:
    both = {"aspect ratio", "columns"}
    panorama = saved(quarters(3000, 500))
    yield Sample("panorama.jpg", panorama, (1440, 754), both, None, warns="68% of the frame")
    yield Sample("panorama-blur.jpg", panorama, (1440, 754), both, None, fit="blur")
    yield Sample("panorama-crop.jpg", panorama, (955, 500), both, fit="crop", warns="68% of the picture is cropped")
    yield Sample("tower.jpg", saved(quarters(500, 2000)), (1440, 1800), {"aspect ratio"}, None, warns="frame")
    yield Sample("nearly.jpg", saved(quarters(1200, 628)), (1200, 629), {"aspect ratio"})
    yield Sample("photo.jpg", saved(quarters(4000, 3000)), (1440, 1080), {"columns"})
    yield Sample("tiny.jpg", saved(quarters(10, 10)), (320, 320), {"columns"}, None, warns="enlarged 32.0 times")
    yield Sample("dot.png", saved(Image.new("RGB", (1, 1), RED)), (320, 320), {"format", "columns"}, (RED,) * 4)
    yield Sample("huge.png", huge, (1440, 1440), {"format", "columns"})
    yield Sample("huge.jpg", huge, (1440, 1440), {"columns"})
    yield Sample("heavy.jpg", noise, (1440, 1800), {"size"}, None)
    for fit in ("pad", "blur", "crop"):
        size = (1000, 1778) if fit != "crop" else (562, 999)
        corners = None if fit != "crop" else QUARTERS
        square = saved(quarters(1000, 1000))
        yield Sample(f"story-{fit}.jpg", square, size, {"aspect ratio"}, corners, "story", fit)


SAMPLES = (*_compliant(), *_formats(), *_colours(), *_metadata(), *_sizes())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(columns: int, rows: int, *chunks: bytes) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG of a few hundred kilobytes, whose text is 300 MB."""
    file = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    quarters().save(file, "PNG", pnginfo=info)
    data = file.getvalue()
    return data[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(300_000_000), 9)) + data[33:]


def profile_bomb() -> bytes:
    """A PNG of a few hundred kilobytes, whose colour profile is 300 MB."""
    return png_of(800, 1000, chunk(b"iCCP", b"p3\0\0" + zlib.compress(bytes(300_000_000), 9)))


def endless_scans() -> bytes:
    """A JPEG whose last scan is repeated: each repetition takes a while, and few bytes."""
    data = jpeg_bytes(quarters(8000, 8000), progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 3000 + data[-2:]


def claims(columns: int, rows: int) -> bytes:
    """A JPEG that claims another size than it has."""
    data = bytearray(jpeg_bytes())
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, rows, columns)
    return bytes(data)


def circular_tiff() -> bytes:
    """A TIFF whose directory refers to itself as the next one, without the tags of a picture."""
    return b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 256, 4, 1, 800) + struct.pack("<I", 8)


#: Files that must be refused, and a word of the reason.
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb.png": (lambda: png_of(30_000, 30_000), "far too many pixels; the limit is 120 million"),
    "wide-bomb.png": (lambda: png_of(2_000_000_000, 2_000_000_000), "pixels|damaged"),
    "bomb.jpg": (lambda: claims(65_000, 65_000), "the limit is 120 million"),
    "large.png": (lambda: png_of(12_000, 12_000), "12000x12000 pixels; the limit is 120 million"),
    "empty-bomb.png": (lambda: png_of(10_000, 10_000), "damaged"),
    "text-bomb.png": (text_bomb, "damaged"),
    "profile-bomb.png": (profile_bomb, "damaged"),
    "endless.jpg": (endless_scans, "within 4 s"),
    "circular.tif": (circular_tiff, "damaged"),
    "text.jpg": (lambda: b"this is not a picture\n" * 100, "is not a picture"),
    "page.png": (lambda: b"<html><script>alert(1)</script></html>", "is not a picture"),
    "script.heic": (lambda: b"#!/bin/sh\necho hello\n", "is not a picture"),
    "postscript.tif": (lambda: b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n", "is not a picture"),
    "empty.jpg": (lambda: b"", "is not a picture"),
    "magic-only.jpg": (lambda: b"\xff\xd8\xff\xe0", "damaged"),
    "magic-and-noise.jpg": (lambda: b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400, "damaged"),
    "magic-and-noise.heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)) * 400, "damaged"),
    "magic-and-noise.avif": (lambda: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(range(256)) * 400, "damaged"),
    "magic-and-noise.webp": (lambda: b"RIFF\xff\xff\0\0WEBPVP8 " + bytes(range(256)) * 400, "damaged"),
}
CUT = ("jpg", "png", "webp", "heic", "avif", "tif")


def cut(suffix: str, share: float) -> bytes:
    """The first part of a picture with enough in it to be missed."""
    formats = {"jpg": "JPEG", "tif": "TIFF", "heic": "HEIF"}
    file = io.BytesIO()
    picture = Image.effect_noise(PORTRAIT, 80).convert("RGB")
    picture.save(file, formats.get(suffix, suffix.upper()), quality=80)
    return file.getvalue()[: int(len(file.getvalue()) * share)]
