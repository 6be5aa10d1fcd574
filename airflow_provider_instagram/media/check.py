"""The check of one file, for ``airflow instagram check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.plan import Plan, Tier, plan
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.report import Measures, facts

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.spec import VideoSpec

COMPLIES: Final = 0
NEEDS_WORK: Final = 1
UNUSABLE: Final = 2

WORK: Final[dict[Tier, str]] = {
    "remux": "a copy into a clean MP4, which takes seconds",
    "audio": "new audio; the video is copied",
    "full": "a full encoding",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    :param exit_code: 0: the file complies · 1: it needs work, which TranscodeOperator does · 2: it cannot be used.
    :param lines: The result in words, to be printed.
    """

    exit_code: int
    lines: tuple[str, ...]


def check(path: Path, spec: VideoSpec, *, ffprobe: str = "ffprobe") -> Verdict:
    """Check a file against the rules of a placement, as a transcode does.

    :param path: A local file.
    :param spec: The rules.
    :param ffprobe: The program, by name or path.
    :return: The result.
    :raises TranscodeError: If ffprobe is not installed.
    """
    try:
        info = probe(path, ffprobe=ffprobe)
        todo = plan(info, spec)
    except ValidationError as error:
        return Verdict(UNUSABLE, (f"cannot be used for {spec.name}: {error}",))
    lines = [f"{name:<10} {fact}" for name, fact in facts(Measures.of(info))]
    code = COMPLIES if todo.tier == "pass" else NEEDS_WORK
    return Verdict(code, (str(path), *lines, *_findings(todo, spec)))


def _findings(todo: Plan, spec: VideoSpec) -> list[str]:
    if todo.tier == "pass":
        verdict = f"complies with {spec.name}: it is published unchanged"
    else:
        verdict = f"needs work for {spec.name}: {WORK[todo.tier]} (TranscodeOperator does it)"
    reasons = [f"  because of {reason}" for reason in todo.reasons]
    return [verdict, *reasons, *(f"  warning: {warning}" for warning in todo.warnings)]
