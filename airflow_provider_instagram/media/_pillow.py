"""Read and convert pictures with Pillow. Runs in the processes of :mod:`_picture_worker` only."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageCms, ImageFilter, ImageOps

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.geometry import Layout, picture_layout
from airflow_provider_instagram.media.info import SIDEWAYS, UPRIGHT, PictureInfo
from airflow_provider_instagram.media.kind import HEAD_BYTES, PictureFormat, format_of
from airflow_provider_instagram.media.plan import plan_picture
from airflow_provider_instagram.media.spec import rgb
from airflow_provider_instagram.utils.local_files import FileInfo, ends_with

if TYPE_CHECKING:
    from airflow_provider_instagram.media.spec import Fit, PictureSpec, Rgb

#: A picture is read only once this is set, so that a JPEG that lacks its end is an error.
SMALLEST: Final = (1, 1)
MAX_PIXELS: Final = 120_000_000
MAX_FILE_BYTES: Final = 512 * 1024**2
#: Formats that Pillow does not know from the start, and the modules that add them.
PLUGINS: Final = {
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pillow_heif.HeifImagePlugin",
}
ORIENTATION: Final = 0x0112
GPS: Final = 0x8825
#: Words of XMP that may reveal a location, and its continuation, which may as well. Source: XMP,
#: parts 2 and 3.
XMP_WORDS: Final = (
    b"GPS",
    b"photoshop:City",
    b"photoshop:Country",
    b"photoshop:State",
    b":Location",
    b"xmp/extension",
)
#: Datasets of IPTC that reveal a location: city, sublocation, state, country. Source: IPTC-IIM,
#: record 2.
IPTC_DATASETS: Final = tuple(b"\x1c\x02" + bytes([number]) for number in (90, 92, 95, 100, 101))
JPEG_END: Final = b"\xff\xd9"
#: Names of ICC profiles that are sRGB. "c2" is the short one of facebook/tinysrgb.
SRGB_NAMES: Final = ("srgb", "c2")
#: Above this, a JPEG grows and does not look better. Source: Pillow, JPEG, "quality".
BEST_QUALITY: Final = 95
#: A JPEG decoder can reduce by 2, 4 or 8. The rest, by this factor at least, is left to a better
#: filter.
DRAFT_GAP: Final = 1.3
#: A large picture is first reduced by a simple filter to this multiple of its new size.
REDUCING_GAP: Final = 3.0
#: The transposition that shows a picture upright, for each orientation of EXIF.
UPRIGHT_BY: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: How to get from a mode of Pillow to one that can be scaled and converted to sRGB.
SIMPLER_MODES: Final = {
    "1": "L",
    "La": "RGBA",
    "LA": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
}
SIXTEEN_BITS: Final = ("I", "I;16", "I;16B", "I;16L", "I;16N")
#: The colour space of a profile, as ICC names it, and the mode of a picture in it.
PROFILE_MODES: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


def read(source: Path, spec: PictureSpec | None = None) -> PictureInfo:
    """Return the properties of a picture that can be decoded to its end.

    :param spec: If given, a picture that does not comply with it is not decoded, because its
        conversion does so.
    """
    with opened(source) as image:
        info = read_info(image, source)
        if spec is None or not plan_picture(info, spec).reasons:
            _decode(image)
    return info


def convert(
    source: Path, output: Path, spec: PictureSpec, fit: Fit, background: str
) -> PictureInfo:
    """Write a compliant JPEG, and check it by the same rules."""
    with opened(source) as image:
        info = read_info(image, source)
        layout = picture_layout(info, spec, fit)
        jpeg = encoded(converted(image, info, layout, fit, background), spec.max_size_bytes)
    try:
        output.write_bytes(jpeg)
    except OSError as error:
        raise TranscodeError(f"{output} cannot be written: {error.strerror}.") from error
    after = read(output)
    if reasons := plan_picture(after, spec).reasons:
        raise TranscodeError(
            f"The result for {source} does not comply: {'; '.join(map(str, reasons))}."
        )
    return after


def _decode(image: Image.Image) -> None:
    """Decode a whole picture at the lowest cost, to find out whether it is complete."""
    image.draft("L" if image.mode == "L" else image.mode, SMALLEST)
    image.load()


def load_format_of(path: Path) -> PictureFormat | None:
    """Load what decodes a picture, and return its format, or None if it is unknown."""
    with path.open("rb") as file:
        name = format_of(file.read(HEAD_BYTES))
    Image.preinit()
    if name in PLUGINS:
        import_module(PLUGINS[name])
    if name == "HEIF":
        import_module("pillow_heif").register_heif_opener(thumbnails=False)
    return name


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture that Pillow can convert. Its pixels are not decoded yet."""
    if (size_bytes := path.stat().st_size) > MAX_FILE_BYTES:
        raise ValidationError(
            f"{path} has {size_bytes:,} bytes; the limit for a picture is {MAX_FILE_BYTES:,}.",
            hint="Make it smaller.",
        )
    name = load_format_of(path)
    if name is None:
        raise ValidationError(
            f"{path} is not a picture that can be opened.",
            hint="Use a JPEG, PNG, WebP, HEIC, AVIF or TIFF.",
        )
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow itself refuses twice as many
    try:
        image = Image.open(path, formats=[name])
    except Image.DecompressionBombError:
        raise _too_many_pixels(path, "far too many") from None
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_many_pixels(path, f"{image.width}x{image.height}")
        if image.mode == "F":
            raise ValidationError(
                f"{path} has floating-point samples.",
                hint="Export it with 8 or 16 bits per sample.",
            )
        yield image


def _too_many_pixels(path: Path, number: str) -> ValidationError:
    return ValidationError(
        f"{path} has {number} pixels; the limit is {MAX_PIXELS / 1e6:.0f} million.",
        hint="Make it smaller.",
    )


def read_info(image: Image.Image, path: Path) -> PictureInfo:
    """Return the properties of an open picture, before its pixels are decoded."""
    exif = image.getexif()
    orientation = exif.get(ORIENTATION, UPRIGHT)
    # Pillow applies the orientation of a TIFF itself, and pillow-heif that of a HEIC.
    if image.format in ("TIFF", "HEIF") or orientation not in range(1, 9):
        orientation = UPRIGHT
    columns, rows = image.size[::-1] if orientation in SIDEWAYS else image.size
    profile = profile_of(image)
    name = ImageCms.getProfileDescription(profile).strip() if profile else ""
    is_srgb = name.lower().startswith(SRGB_NAMES) if profile else "icc_profile" not in image.info
    file = FileInfo.of(path)
    return PictureInfo(
        path=path,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
        format=image.format or "",
        mode=image.mode,
        columns=columns,
        rows=rows,
        orientation=orientation,
        colour_profile=name,
        is_srgb=is_srgb,
        has_alpha=image.has_transparency_data,
        frames=getattr(image, "n_frames", 1),
        location_tags=tuple(sorted(set(_location_tags(image, exif)))),
        has_extra_data=image.format == "JPEG" and not ends_with(path, JPEG_END),
    )


def profile_of(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return the ICC profile of a picture, or None if it has none, or one that cannot be read."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (ImageCms.PyCMSError, OSError):
        return None


def _location_tags(image: Image.Image, exif: Image.Exif) -> Iterator[str]:
    if exif.get_ifd(GPS):
        yield "EXIF GPS"
    segments: list[tuple[str, Any]] = getattr(image, "applist", [])
    for marker, content in segments:
        if (
            marker == "APP1"
            and not content.startswith(b"Exif")
            and any(word in content for word in XMP_WORDS)
        ):
            yield "XMP"
        if marker == "APP13" and any(dataset in content for dataset in IPTC_DATASETS):
            yield "IPTC"


def converted(
    image: Image.Image, info: PictureInfo, layout: Layout, fit: Fit, background: str
) -> Image.Image:
    """Return a picture, not yet decoded, in its frame: upright, in sRGB, and opaque."""
    colour = rgb(background)
    profile = profile_of(image)
    size = layout.picture[::-1] if info.orientation in SIDEWAYS else layout.picture
    image.draft(image.mode, (round(size[0] * DRAFT_GAP), round(size[1] * DRAFT_GAP)))
    image.load()
    picture = _scalable(image, info).resize(
        size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP
    )
    picture = _opaque(_in_srgb(picture, profile), colour)
    if info.orientation in UPRIGHT_BY:
        picture = picture.transpose(UPRIGHT_BY[info.orientation])
    return _framed(picture, layout, fit, colour)


def _scalable(image: Image.Image, info: PictureInfo) -> Image.Image:
    """Return a picture with 8 bits per sample, without a palette."""
    if image.mode in SIXTEEN_BITS:
        return image.point(lambda value: value / 256).convert("L")
    if image.mode == "P" or info.has_alpha:
        return image.convert("RGBA" if info.has_alpha else "RGB")
    return image.convert(SIMPLER_MODES.get(image.mode, image.mode))


def _in_srgb(picture: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    """Return a picture in sRGB. Its alpha channel is kept. A profile for another colour space is ignored."""
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    colours = picture.convert("RGB") if alpha else picture
    if colours.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    if profile is not None:
        mode = PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        if mode == "L" and alpha:
            colours = colours.convert("L")
        if mode == colours.mode:
            colours = _transformed(colours, profile)
    colours = colours.convert("RGB")
    if alpha:
        colours.putalpha(alpha)
    return colours


def _transformed(colours: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    try:
        return (
            ImageCms.profileToProfile(
                colours,
                profile,
                srgb,
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            or colours
        )
    except ImageCms.PyCMSError:
        return colours


def _opaque(picture: Image.Image, colour: Rgb) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    behind = Image.new("RGB", picture.size, colour)
    return Image.composite(picture.convert("RGB"), behind, picture.getchannel("A"))


def _framed(picture: Image.Image, layout: Layout, fit: Fit, colour: Rgb) -> Image.Image:
    if layout.picture == layout.frame:
        return picture
    left, top = (
        (frame - inside) // 2 for frame, inside in zip(layout.frame, layout.picture, strict=True)
    )
    if fit == "crop":
        return picture.crop((-left, -top, layout.frame[0] - left, layout.frame[1] - top))
    frame = (
        _blurred(picture, layout.frame) if fit == "blur" else Image.new("RGB", layout.frame, colour)
    )
    frame.paste(picture, (left, top))
    return frame


def _blurred(picture: Image.Image, frame: tuple[int, int]) -> Image.Image:
    """Return a blurred copy that covers the frame. Blurring at a quarter of the size looks the same."""
    small = (max(1, frame[0] // 4), max(1, frame[1] // 4))
    return ImageOps.fit(picture, small).filter(ImageFilter.GaussianBlur(8)).resize(frame)


def encoded(picture: Image.Image, max_size_bytes: int) -> bytes:
    """Return a picture as a JPEG of the highest quality that fits, without any metadata."""
    picture.info.clear()  # Pillow would write its comment
    best = _jpeg(picture, BEST_QUALITY)
    if len(best) <= max_size_bytes:
        return best
    qualities = range(1, BEST_QUALITY)
    fitting = bisect_right(
        qualities, max_size_bytes, key=lambda quality: len(_jpeg(picture, quality))
    )
    if not fitting:
        raise ValidationError(
            f"The picture does not fit into {max_size_bytes:,} bytes.", hint="Use another picture."
        )
    return _jpeg(picture, qualities[fitting - 1])


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    """Encode a picture. Its colours have the full resolution, so that red letters stay sharp."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()
