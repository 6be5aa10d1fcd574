"""Convert pictures into compliant JPEGs: read, plan, convert, verify, and only then give the result its name."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.picture import PictureInfo
from airflow_provider_instagram.media.picture_plan import PicturePlan, plan_picture
from airflow_provider_instagram.media.picture_report import PictureReport
from airflow_provider_instagram.media.workspace import workspace
from airflow_provider_instagram.utils.process import Cancel, Finished, ProcessLimits, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_instagram.media.spec import Fit, PictureSpec

WORKER: Final = str(Path(__file__).with_name("_picture_worker.py"))
#: CPU time for each picture, in seconds. A file that is made to hang a decoder fails within ten seconds in all, and a
#: large picture does not fail because its worker is busy.
PICTURE_CPU_S: Final = 4.0
#: Elapsed time: to start, and for each picture, in seconds.
START_S: Final = 30.0
PICTURE_S: Final = 30.0
MEMORY_BYTES: Final = 2 * 1024**3
#: The jobs are an argument of a process, whose length is limited.
JOBS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class PictureJob:
    """One picture to convert.

    :param source: A local file.
    :param output: The file to write, on a local disk. It is replaced atomically, at the end. None only checks.
    :param spec: The rules.
    :param fit: How to fit a picture of another aspect ratio into the frame: ``pad``, ``blur`` or ``crop``.
    :param background: The colour around a padded picture, and behind a transparent one: a name or ``#rrggbb``.
    """

    source: Path
    output: Path | None
    spec: PictureSpec
    fit: Fit = "pad"
    background: str = "black"

    def plan(self, info: PictureInfo) -> PicturePlan:
        """Return the plan for the source."""
        return plan_picture(info, self.spec, fit=self.fit, background=self.background)


def read_picture(job: PictureJob, *, cancel: Cancel | None = None) -> PictureInfo:
    """Decode a picture, and return its properties.

    :param job: The picture. Its output is not written.
    :param cancel: Ends the work early.
    :raises ValidationError: If the picture cannot be used.
    """
    return _run_worker([replace(job, output=None)], cancel)[0][0]


def transcode_pictures(jobs: Sequence[PictureJob], *, cancel: Cancel | None = None) -> list[PictureReport]:
    """Make compliant pictures. A picture that complies has the tier ``pass``, and no output is written for it.

    :param jobs: The pictures.
    :param cancel: Ends the work early.
    :return: A report for each.
    :raises ValidationError: If a picture cannot be used. The message contains the reason. No output is written.
    :raises TranscodeError: If a result does not comply, or the work was cancelled.
    :raises TransientError: If a source was changed in the meantime.
    """
    started_s = time.monotonic()
    cancel = cancel or Cancel()
    for job in jobs:
        if job.output and job.output.exists() and job.output.samefile(job.source):
            raise ValidationError(
                f"The result would replace its source {job.source}.", hint="Set output= to another file."
            )
    with ExitStack() as stack:
        made = [replace(job, output=_unfinished(job, stack)) for job in jobs]
        results = [
            result
            for first in range(0, len(made), JOBS_AT_ONCE)
            for result in _run_worker(made[first : first + JOBS_AT_ONCE], cancel)
        ]
        for before, _ in results:
            before.raise_if_changed()
        for job, unfinished, (_, after) in zip(jobs, made, results, strict=True):
            if after and job.output and unfinished.output:
                unfinished.output.replace(job.output)
    elapsed_s = (time.monotonic() - started_s) / max(1, len(jobs))
    return [
        PictureReport.of(job.plan(before), before, after or before, elapsed_s)
        for job, (before, after) in zip(jobs, results, strict=True)
    ]


def _unfinished(job: PictureJob, stack: ExitStack) -> Path | None:
    if job.output is None:
        return None
    return stack.enter_context(workspace(job.output, job.spec.max_size_bytes)) / "picture.jpg"


def _run_worker(jobs: list[PictureJob], cancel: Cancel | None) -> list[tuple[PictureInfo, PictureInfo | None]]:
    """Run the jobs in a process with limits.

    :return: For each job, the properties of the source, and of the result if one was written.
    """
    request = {
        "path": [entry for entry in sys.path if entry],
        "picture_cpu_s": PICTURE_CPU_S,
        "jobs": [{**asdict(job), "source": job.source.absolute()} for job in jobs],
    }
    wall_s = START_S + PICTURE_S * len(jobs)
    limits = ProcessLimits(
        wall_s, int(wall_s), MEMORY_BYTES, output_bytes=max((job.spec.max_size_bytes for job in jobs), default=0)
    )
    command = [sys.executable, "-I", WORKER, json.dumps(request, default=str)]
    finished = run(command, limits, cancel=cancel)
    answers = [json.loads(line) for line in finished.stdout.splitlines()]
    if answers and "error" in answers[-1]:
        raise ValidationError(answers[-1]["error"], hint=answers[-1]["hint"])
    if len(answers) < len(jobs):
        raise _failure(jobs[len(answers)].source, finished)
    return [(_info(answer["before"]), _info(answer["after"])) for answer in answers]  # type: ignore[misc]


def _info(data: dict[str, Any] | None) -> PictureInfo | None:
    return PictureInfo.from_data(data) if data else None


def _failure(source: Path, finished: Finished) -> Exception:
    """Return the error for a process that ended without an answer about a picture."""
    if finished.timed_out or finished.returncode == -signal.SIGPROF:
        return ValidationError(
            f"{source} could not be decoded within {PICTURE_CPU_S:g} s.", hint="Make it smaller, or export it again."
        )
    if finished.crashed:
        return ValidationError(
            f"{source} is damaged: the decoder ended with signal {-finished.returncode}.", hint="Export it again."
        )
    return TranscodeError(f"Pillow could not convert {source}: {finished.complaint}.")
