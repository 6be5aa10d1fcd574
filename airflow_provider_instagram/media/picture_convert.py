"""Make a compliant JPEG of a picture, with Pillow. Runs in the process of :mod:`_picture_worker` only."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageCms, ImageColor, ImageFilter, ImageOps

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.picture import SIDEWAYS
from airflow_provider_instagram.media.picture_file import profile_of

if TYPE_CHECKING:
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.picture_geometry import PictureLayout
    from airflow_provider_instagram.media.spec import Fit

#: Above this, a JPEG grows and does not look better. Source: Pillow, JPEG, "quality".
BEST_QUALITY: Final = 95
#: A JPEG decoder can reduce by 2, 4 or 8. The rest, by this factor at least, is left to a better filter.
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


def colour_of(name: str) -> tuple[int, int, int]:
    """Return a colour of Pillow.

    :param name: A name or ``#rrggbb``, also with the spellings ``0xrrggbb`` and ``red@0.5`` of ffmpeg.
    :raises ValidationError: If the colour does not exist.
    """
    plain = name.partition("@")[0].replace("0x", "#")
    try:
        return ImageColor.getrgb(plain)[:3]
    except ValueError:
        raise ValidationError(
            f"background={name!r} is not a colour that Pillow knows.", hint="Use a name such as white, or #rrggbb."
        ) from None


def converted(image: Image.Image, info: PictureInfo, layout: PictureLayout, fit: Fit, background: str) -> Image.Image:
    """Return a picture in its frame: upright, in sRGB, and opaque.

    :param image: The source, before its pixels are decoded.
    :param info: Its properties.
    :param layout: The layout in the frame.
    :param fit: How to fit the picture into the frame.
    :param background: The colour around the picture and behind it.
    """
    colour = colour_of(background)
    profile = profile_of(image)
    size = layout.picture[::-1] if info.orientation in SIDEWAYS else layout.picture
    image.draft(image.mode, (round(size[0] * DRAFT_GAP), round(size[1] * DRAFT_GAP)))
    image.load()
    picture = _scalable(image, info).resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
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


def _opaque(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    behind = Image.new("RGB", picture.size, colour)
    return Image.composite(picture.convert("RGB"), behind, picture.getchannel("A"))


def _framed(picture: Image.Image, layout: PictureLayout, fit: Fit, colour: tuple[int, int, int]) -> Image.Image:
    if layout.picture == layout.frame:
        return picture
    left, top = ((frame - inside) // 2 for frame, inside in zip(layout.frame, layout.picture, strict=True))
    if fit == "crop":
        return picture.crop((-left, -top, layout.frame[0] - left, layout.frame[1] - top))
    frame = _blurred(picture, layout.frame) if fit == "blur" else Image.new("RGB", layout.frame, colour)
    frame.paste(picture, (left, top))
    return frame


def _blurred(picture: Image.Image, frame: tuple[int, int]) -> Image.Image:
    """Return a blurred copy that covers the frame. Blurring at a quarter of the size looks the same."""
    small = (max(1, frame[0] // 4), max(1, frame[1] // 4))
    return ImageOps.fit(picture, small).filter(ImageFilter.GaussianBlur(8)).resize(frame)


def encoded(picture: Image.Image, max_size_bytes: int) -> bytes:
    """Return a picture as a JPEG of the highest quality that fits, without any metadata.

    :param picture: The picture, in RGB.
    :param max_size_bytes: The largest size of the file.
    :raises ValidationError: If even the lowest quality does not fit.
    """
    picture.info.clear()  # Pillow would write its comment
    best = _jpeg(picture, BEST_QUALITY)
    if len(best) <= max_size_bytes:
        return best
    fits, low, high = b"", 1, BEST_QUALITY - 1
    while low <= high:
        middle = (low + high) // 2
        attempt = _jpeg(picture, middle)
        if len(attempt) <= max_size_bytes:
            fits, low = attempt, middle + 1
        else:
            high = middle - 1
    if not fits:
        raise ValidationError(f"The picture does not fit into {max_size_bytes:,} bytes.", hint="Use another picture.")
    return fits


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    """Encode a picture. Its colours have the full resolution, so that red letters stay sharp."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()
