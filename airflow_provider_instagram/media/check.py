"""The check of one file, for ``airflow instagram check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture_plan import PicturePlan
from airflow_provider_instagram.media.picture_report import PictureMeasures
from airflow_provider_instagram.media.pictures import PictureJob, read_picture
from airflow_provider_instagram.media.plan import Tier, TranscodePlan, plan
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.report import Measures

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.spec import PictureSpec, Profile, VideoSpec

COMPLIES: Final = 0
NEEDS_WORK: Final = 1
UNUSABLE: Final = 2

WORK: Final[dict[Tier, str]] = {
    "remux": "a copy into a clean MP4, which takes seconds",
    "audio": "new audio; the video is copied",
    "full": "a full encoding",
}
PICTURE_WORK: Final = "a new JPEG"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    :param exit_code: 0: the file complies · 1: it needs work, which TranscodeOperator does · 2: it cannot be used.
    :param lines: The result in words, to be printed.
    """

    exit_code: int
    lines: tuple[str, ...]


def check(path: Path, profile: Profile, *, ffprobe: str = "ffprobe") -> Verdict:
    """Check a video or a picture against the rules of a placement, as a transcode does.

    :param path: A local file.
    :param profile: The rules.
    :param ffprobe: The program, by name or path.
    :return: The result.
    :raises TranscodeError: If ffprobe is not installed.
    """
    spec: VideoSpec | PictureSpec = profile.video
    todo: TranscodePlan | PicturePlan
    try:
        if kind_of(path) == "picture":
            spec = profile.picture
            job = PictureJob(path, None, profile.picture)
            picture = read_picture(job)
            todo, lines = job.plan(picture), PictureMeasures.of(picture).facts()
        else:
            info = probe(path, ffprobe=ffprobe)
            todo, lines = plan(info, profile.video), Measures.of(info).facts()
    except ValidationError as error:
        return Verdict(UNUSABLE, (f"cannot be used for {spec.name}: {error}",))
    code = COMPLIES if todo.tier == "pass" else NEEDS_WORK
    work = PICTURE_WORK if isinstance(todo, PicturePlan) else WORK.get(todo.tier, "")
    found = [f"{name:<10} {fact}" for name, fact in lines]
    return Verdict(code, (str(path), *found, *_findings(todo, spec.name, work)))


def _findings(todo: TranscodePlan | PicturePlan, placement: str, work: str) -> list[str]:
    if todo.tier == "pass":
        verdict = f"complies with {placement}: it is published unchanged"
    else:
        verdict = f"needs work for {placement}: {work} (TranscodeOperator does it)"
    reasons = [f"  because of {reason}" for reason in todo.reasons]
    return [verdict, *reasons, *(f"  warning: {warning}" for warning in todo.warnings)]
