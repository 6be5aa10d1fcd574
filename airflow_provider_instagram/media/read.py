"""Read a file as what its content is, a video or a picture: for a transcode, or for a check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.report import measures_of
from airflow_provider_instagram.media.spec import Options, Profile, Spec
from airflow_provider_instagram.media.video import VideoItem
from airflow_provider_instagram.posts.kinds import ItemKind

if TYPE_CHECKING:
    from airflow_provider_instagram.media.item import Item

COMPLIES: Final = 0
NEEDS_WORK: Final = 1
UNUSABLE: Final = 2

#: The work of each tier in words, for a video.
WORK: Final = {
    "remux": "a copy into a clean MP4, which takes seconds",
    "audio": "new audio; the video is copied",
    "full": "a full encoding",
}


def read_item(path: Path, profile: Profile, options: Options) -> Item:
    """Read a video or a picture."""
    if kind_of(path) is ItemKind.PICTURE:
        return PictureItem.read(path, profile.picture, options)
    return VideoItem.read(path, profile.video, options)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    :param exit_code: 0: the file complies · 1: it needs work, which TranscodeOperator does · 2: it cannot be used.
    """

    exit_code: int
    lines: tuple[str, ...]


def check(path: Path, profile: Profile, *, ffprobe: str = "ffprobe") -> Verdict:
    """Check a video or a picture against the rules of a placement, as a transcode does.

    :raises TranscodeError: If ffprobe is not installed.
    """
    spec: Spec = profile.video
    try:
        if kind_of(path) is ItemKind.PICTURE:
            spec = profile.picture
        item = read_item(path, profile, Options(ffprobe=ffprobe))
    except ValidationError as error:
        return Verdict(UNUSABLE, (f"cannot be used for {spec.name}: {error}",))
    facts = [f"{name:<10} {fact}" for name, fact in measures_of(item.info).facts()]
    return Verdict(COMPLIES if item.complies else NEEDS_WORK, (str(path), *facts, *_findings(item)))


def _findings(item: Item) -> list[str]:
    if item.complies:
        verdict = f"complies with {item.spec.name}: it is published unchanged"
    else:
        work = "a new JPEG" if isinstance(item, PictureItem) else WORK[item.plan.tier]
        verdict = f"needs work for {item.spec.name}: {work} (TranscodeOperator does it)"
    reasons = [f"  because of {reason}" for reason in item.plan.reasons]
    return [verdict, *reasons, *(f"  warning: {warning}" for warning in item.plan.warnings)]
