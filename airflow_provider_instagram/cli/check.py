"""``airflow instagram check``: whether a video or a picture meets Instagram's requirements."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf

from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.files.storage import as_local_file
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.report import facts_of
from airflow_provider_instagram.media.spec import Options, Profile, Spec, profile_for
from airflow_provider_instagram.media.video import read_item
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.utils.urls import shown

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


def check_video(args: argparse.Namespace) -> None:
    """Print the verdict on a video or a picture, and exit with its exit code."""
    try:
        with as_local_file(args.file) as path:
            verdict = check(
                path,
                profile_for(args.placement, conf.get("instagram", "picture_shapes")),
                ffprobe=conf.get("instagram", "ffprobe"),
            )
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        unopened = f"{shown(args.file)} cannot be opened: {why}. Check the path, its rights and its connection."
        print(error if isinstance(error, InstagramError) else unopened, file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    for line in verdict.lines:
        print(line.replace(str(path), shown(args.file)))  # not the path of a copy that has gone
    raise SystemExit(verdict.exit_code)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    :param exit_code: 0: the file complies · 1: it needs work, which TranscodeOperator does · 2: it
        cannot be used.
    """

    exit_code: int
    lines: tuple[str, ...]


def check(path: Path, profile: Profile, *, ffprobe: str = "ffprobe") -> Verdict:
    """Check a video or a picture against the rules of a placement, as a transcode does."""
    spec: Spec = profile.video
    try:
        if kind_of(path) is ItemKind.PICTURE:
            spec = profile.picture
        item = read_item(path, profile, Options(ffprobe=ffprobe))
    except ValidationError as error:
        return Verdict(UNUSABLE, (f"cannot be used for {spec.name}: {error}",))
    facts = [f"{name:<10} {fact}" for name, fact in facts_of(item.info).items()]
    return Verdict(COMPLIES if item.complies else NEEDS_WORK, (str(path), *facts, *_findings(item)))


def _findings(item: Item) -> list[str]:
    if item.complies:
        verdict = f"complies with {item.spec.name}: it is published unchanged"
    else:
        work = "a new JPEG" if isinstance(item, PictureItem) else WORK[item.plan.tier]
        verdict = f"needs work for {item.spec.name}: {work} (TranscodeOperator does it)"
    reasons = [f"  because of {reason}" for reason in item.plan.reasons]
    return [verdict, *reasons, *(f"  warning: {warning}" for warning in item.plan.warnings)]
