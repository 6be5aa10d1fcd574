"""The profiles, which are the rules that a video or a picture must comply with; the options of a transcode."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Literal, TypeAlias, get_args

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.fork_server import ForkServers
from airflow_provider_instagram.utils import urls
from airflow_provider_instagram.utils.time_limit import Cancel

#: Red, green and blue, each from 0 to 255.
Rgb: TypeAlias = tuple[int, int, int]
Fit = Literal["pad", "blur", "crop"]
Trim = Literal["error", "end"]
ProfileName = Literal["reels", "feed", "story", "carousel"]
#: A video's aspect ratio is rounded to a fraction with this denominator at most, so that small
#: frames can have it too.
MAX_DENOMINATOR: Final = 40
#: How a colour is written: a name in CSS, or numbers.
COLOUR: Final = "^([A-Za-z]+|#[0-9A-Fa-f]{6})$"
#: How the names of files may end, by the ending of a result. A name without an ending says nothing
#: wrong.
ENDINGS: Final = {".mp4": (".mp4", ".m4v", ""), ".jpg": (".jpg", ".jpeg", "")}


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """The rules (``min_…``, ``max_…``) and targets of one placement. To change some, use :func:`dataclasses.replace`.

    :param name: The name of the placement in messages and file names.
    :param frames: The frame sizes of an encoding, as columns and rows. Their aspect ratios are a
        rule.
    :param min_columns: A smaller video is enlarged.
    :param aspect_tolerance: The allowed relative difference from a frame's aspect ratio.
    :param target_fps: Used if the source does not suggest another one.
    :param recommended_max_duration_s: The longest duration that is shown everywhere.
    """

    name: str
    frames: tuple[tuple[int, int], ...]
    min_duration_s: float = 3.0
    max_duration_s: float = 90.0
    max_size_bytes: int = 100_000_000
    min_fps: Fraction = Fraction(23)
    max_fps: Fraction = Fraction(60)
    min_columns: int = 540
    max_columns: int = 1920
    max_video_bps: int = 5_000_000
    aspect_tolerance: float = 0.01
    target_fps: Fraction = Fraction(30)
    target_video_bps: int = 4_200_000
    target_audio_bps: int = 128_000
    recommended_max_duration_s: float = 60.0

    def aspect_ratios(self) -> str:
        """Return the aspect ratios of the frames in words, such as ``1:1, 4:5 or 16:9``."""
        ratios = [Fraction(columns, rows) for columns, rows in self.frames]
        words = [f"{ratio.numerator}:{ratio.denominator}" for ratio in ratios]
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True, slots=True)
class PictureSpec:
    """The rules of one placement for pictures. Source: Meta, IG User media reference, "Image Specifications".

    :param min_aspect_ratio: The narrowest, as width over height.
    :param aspect_tolerance: The allowed relative difference from these two.
    :param min_columns: A smaller picture is enlarged.
    :param max_columns: A larger picture is reduced.
    """

    name: str
    min_aspect_ratio: float = 4 / 5
    max_aspect_ratio: float = 1.91
    aspect_tolerance: float = 0.0
    min_columns: int = 320
    max_columns: int = 1440
    max_size_bytes: int = 8_000_000

    def is_allowed(self, aspect_ratio: float) -> bool:
        """Return whether a picture may have this aspect ratio."""
        narrowest = self.min_aspect_ratio * (1 - self.aspect_tolerance)
        return narrowest <= aspect_ratio <= self.max_aspect_ratio * (1 + self.aspect_tolerance)

    def aspect_ratios(self) -> str:
        """Return the allowed aspect ratios in words, such as ``between 0.80:1 and 1.91:1``."""
        if self.min_aspect_ratio == self.max_aspect_ratio:
            ratio = Fraction(self.min_aspect_ratio).limit_denominator(MAX_DENOMINATOR)
            return f"{ratio.numerator}:{ratio.denominator}"
        return f"between {self.min_aspect_ratio:.2f}:1 and {self.max_aspect_ratio:.2f}:1"


#: The rules of one placement for either kind.
Spec = VideoSpec | PictureSpec


@dataclass(frozen=True, slots=True)
class Profile:
    """What a placement requires of each kind of media."""

    video: VideoSpec
    picture: PictureSpec

    def with_aspect_ratio(self, aspect_ratio: float) -> Profile:
        """Return the profile with a single aspect ratio, for the items of a carousel after the first."""
        ratio = Fraction(aspect_ratio).limit_denominator(MAX_DENOMINATOR)
        columns = self.video.frames[0][0]
        frame = (columns, round(columns / ratio / 2) * 2)
        return Profile(
            replace(self.video, frames=(frame,)),
            replace(
                self.picture,
                min_aspect_ratio=aspect_ratio,
                max_aspect_ratio=aspect_ratio,
                aspect_tolerance=self.video.aspect_tolerance,
            ),
        )


def rgb(colour: str) -> Rgb:
    """Return the red, the green and the blue of a colour, each from 0 to 255.

    :raises ValidationError: If it is neither the name of a colour in CSS nor ``#rrggbb``.
    """
    from PIL import ImageColor

    try:
        if not re.fullmatch(COLOUR, colour):
            raise ValueError(colour)
        red, green, blue = ImageColor.getrgb(colour)[:3]
    except ValueError:
        raise ValidationError(
            f"background={colour!r} is not a colour.",
            hint="Use the name of a colour in CSS, such as white, or #rrggbb.",
        ) from None
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a transcode, for videos and for pictures.

    :param fit: How to fit into a frame of another aspect ratio: ``pad`` with bars, ``blur`` with a
        blurred copy behind it, or ``crop`` the excess.
    :param background: The colour of the bars, and behind transparent parts: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut off its end.
    :param pictures: The processes that decode pictures. Whoever has several pictures keeps them
        meanwhile.
    :raises ValidationError: If an option, which may come from a user or a template, is not valid.
    """

    fit: Fit = "pad"
    background: str = "black"
    trim: Trim = "error"
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    cancel: Cancel = field(default_factory=Cancel, compare=False)
    pictures: ForkServers = field(default_factory=ForkServers, compare=False)

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("fit", self.fit, get_args(Fit)),
            ("trim", self.trim, get_args(Trim)),
        ):
            if value not in choices:
                raise ValidationError(
                    f"{name}={value!r} is not valid.", hint=f"Use one of: {', '.join(choices)}."
                )
        # the default loads no Pillow into the process that reads a DAG file
        if self.background != "black":
            rgb(self.background)


DEFAULTS: Final = Options()


#: Reels. Source: the specification's table "Video Specifications"; columns from Meta, IG User media
#: reference.
REELS: Final = VideoSpec(name="reels", frames=((1080, 1920),))

#: A single video in the feed. Source: the same table.
FEED: Final = VideoSpec(
    name="feed", frames=((1080, 1080), (1080, 1350), (1920, 1080)), max_duration_s=60.0
)

#: The widest limits that Meta accepts for a reel, beyond the table. Source: Meta, IG User media
#: reference.
REELS_MAX: Final = VideoSpec(
    name="reels_max",
    frames=((1080, 1920),),
    max_duration_s=900.0,
    max_size_bytes=300_000_000,
    max_video_bps=25_000_000,
    target_video_bps=8_000_000,
)

#: A story. Source: Meta, IG User media reference, "Story Specifications".
STORY: Final = VideoSpec(name="story", frames=((1080, 1920),), max_duration_s=60.0)

#: A video in a carousel. Source: the table of the feed, which shows the carousel.
CAROUSEL: Final = replace(FEED, name="carousel")

FEED_PICTURE: Final = PictureSpec(name="feed")
STORY_PICTURE: Final = PictureSpec(
    name="story", min_aspect_ratio=9 / 16, max_aspect_ratio=9 / 16, aspect_tolerance=0.01
)
CAROUSEL_PICTURE: Final = PictureSpec(name="carousel")

#: A reel is a video. A picture with this placement, which is the default, is one for the feed.
PROFILES: Final = {
    profile.video.name: profile
    for profile in (
        Profile(REELS, FEED_PICTURE),
        Profile(FEED, FEED_PICTURE),
        Profile(STORY, STORY_PICTURE),
        Profile(CAROUSEL, CAROUSEL_PICTURE),
    )
}


#: The narrowest shapes of a picture in the feed. Source of 4:5: Meta, IG User Media. 3:4 is
#: reported by two clients.
PICTURE_SHAPES: Final = {"4:5": 4 / 5, "3:4": 3 / 4}


def profile_for(placement: str, picture_shapes: str = "4:5") -> Profile:
    """Return the profile of a placement.

    :param picture_shapes: The narrowest shape of a picture in the feed, as ``[instagram]
        picture_shapes`` says it.
    """
    if placement not in PROFILES:
        raise ValidationError(
            f"{placement!r} is not a valid placement.", hint=f"Use one of: {', '.join(PROFILES)}."
        )
    if (narrowest := PICTURE_SHAPES.get(picture_shapes.strip())) is None:
        raise ValidationError(
            f"[instagram] picture_shapes is {picture_shapes!r}.",
            hint=f"Use one of: {', '.join(PICTURE_SHAPES)}.",
        )
    profile = PROFILES[placement]
    if profile.picture is STORY_PICTURE or narrowest == profile.picture.min_aspect_ratio:
        return profile
    return replace(profile, picture=replace(profile.picture, min_aspect_ratio=narrowest))


def check_ending(name: str, location: str | None, *suffixes: str) -> None:
    """Check that the name of a result promises one of these formats, the keys of ``ENDINGS``, and no other."""
    if not location or location.endswith("/"):
        return
    if urls.is_web(location):
        raise ValidationError(
            f"{name}={urls.shown(location)!r} is a web address, which nothing can be written to.",
            hint="Use a path, or a URI of object storage.",
        )
    found = urls.ending(location)
    if not any(found in ENDINGS[suffix] for suffix in suffixes):
        made = " or ".join({".mp4": "an MP4", ".jpg": "a JPEG"}[suffix] for suffix in suffixes)
        raise ValidationError(
            f"{name}={urls.shown(location)!r} ends in {found}, but the result is {made}.",
            hint=f"End it in {' or '.join(suffixes)}.",
        )
