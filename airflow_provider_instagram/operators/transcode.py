"""The task that makes a video one which Instagram accepts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import conf

from airflow_provider_instagram import arguments, storage
from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.files import locations
from airflow_provider_instagram.literal_data_task import LiteralDataTask
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.sdk import Context, RetryPolicy, XComArg

    from airflow_provider_instagram.media.probe import VideoInfo
    from airflow_provider_instagram.media.process import Cancel
    from airflow_provider_instagram.media.progress import Progress
    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.media.spec import VideoSpec

#: What file systems take, and space for what a name gets while it is copied.
LONGEST_NAME_BYTES = 200
CHOICES = {"fit": ("pad", "blur", "crop"), "trim": ("error", "end")}


@dataclass(frozen=True)
class Work:
    """One transcode, as its arguments ask for it.

    :param source: Where the video is, as it was given.
    :param local: The video as a local file.
    :param info: What it is.
    :param spec: The profile's rules and targets.
    :param choices: ``fit``, ``background`` and ``trim``.
    :param programs: ``ffmpeg`` and ``ffprobe``.
    """

    source: str
    local: Path
    info: VideoInfo
    spec: VideoSpec
    choices: dict[str, Any]
    programs: dict[str, Any]


class TranscodeOperator(LiteralDataTask):
    """Make a video comply with Instagram's rules, at the least cost.

    A video that complies already is handed on as it is; where its link has a query, an unchanged copy is, for the query
    may be a signature, which no XCom may hold. Otherwise ffmpeg makes an MP4 that does; the result is checked by the
    same rules before it gets its name. Work that was done before is found done: the output's name holds the source's
    content, the profile and ffmpeg's version.

    Returns the path or URI of the compliant video. XCom ``report`` holds tier, reasons, warnings, and measures before
    and after.

    :param source: The video: a local path, ``file://``, ``https://``, or a URI that ObjectStoragePath opens.
    :param output: Where the result goes: a path or URI; one that ends in ``/`` is a folder or prefix. Without it, next
        to a local source, else under ``[instagram] work_prefix``.
    :param placement: ``reels`` or ``feed``: which profile's rules apply.
    :param fit: How a picture of another shape is brought into the frame: ``pad``, ``blur`` or ``crop``.
    :param background: The colour around a padded picture: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut its end off.
    :param preview: Where to write a JPEG of the first frame, as a local path.
    :param spec: A :class:`~airflow_provider_instagram.media.spec.VideoSpec` in place of the placement's own.
    :param retries: Tries after the first.
    :param retry_policy: Which failures are tried again, and when.
    """

    template_fields: Sequence[str] = (
        "source",
        "destination",
        "placement",
        "fit",
        "background",
        "trim",
        "preview",
        "spec",
    )
    fields_of_arguments: ClassVar[dict[str, str]] = {"output": "destination"}
    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        source: str | XComArg,
        output: str | XComArg | None = None,
        placement: str | XComArg = "reels",
        fit: str | XComArg = "pad",
        background: str | XComArg = "black",
        trim: str | XComArg = "error",
        preview: str | XComArg | None = None,
        spec: VideoSpec | None = None,
        retries: int = 3,
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy, **kwargs)
        self.source = source
        self.destination = output
        self.placement = placement
        self.fit = fit
        self.background = background
        self.trim = trim
        self.preview = preview
        self.spec = spec
        self._cancel: Cancel | None = None

    def execute(self, context: Context) -> str:
        """Transcode, and say what was done."""
        from airflow_provider_instagram.media.process import Cancel

        self._cancel = Cancel()
        source = arguments.required_text("source", self.source)
        spec, choices = self._spec(), self._choices()
        self.log.info("::group::Transcode %s for %s", locations.shown(source), spec.name)
        with storage.as_local_file(source) as local:
            video, report = self._compliant(self._probed(source, local, spec, choices))
        self.log.info("::endgroup::")
        for line in report.table():
            self.log.info("%s", line)
        context["ti"].xcom_push(key="report", value=report.as_data())
        return video

    def on_kill(self) -> None:
        """End ffmpeg together with the task, and leave no copy of a remote video."""
        if self._cancel is not None:
            self._cancel.cancel()
        storage.abandon_copies()

    def _spec(self) -> VideoSpec:
        from airflow_provider_instagram.media.spec import VideoSpec, spec_for

        spec = arguments.given(self.spec)
        if spec is None:
            return spec_for((arguments.text("placement", self.placement) or "reels").lower())
        if not isinstance(spec, VideoSpec):
            raise ValidationError(f"spec must be a VideoSpec, not {spec!r}.")
        return spec

    def _choices(self) -> dict[str, Any]:
        choices = {
            "fit": arguments.text("fit", self.fit) or "pad",
            "background": arguments.text("background", self.background) or "black",
            "trim": arguments.text("trim", self.trim) or "error",
        }
        for name, allowed in CHOICES.items():
            if choices[name] not in allowed:
                raise ValidationError(f"{name} is {choices[name]!r}: use one of {', '.join(allowed)}.")
        return choices

    def _probed(self, source: str, local: Path, spec: VideoSpec, choices: dict[str, Any]) -> Work:
        from airflow_provider_instagram.media.probe import probe

        programs = {name: conf.get("instagram", name) for name in ("ffmpeg", "ffprobe")}
        info = probe(local, ffprobe=programs["ffprobe"], cancel=self._cancel)
        return Work(source, local, info, spec, choices, programs)

    def _compliant(self, work: Work) -> tuple[str, Report]:
        """Give the compliant video with its report: the source itself, work done before, or a new file."""
        from airflow_provider_instagram.media.plan import plan

        output = arguments.text("output", self.destination)
        is_kept = output is None and not locations.secrets_in(work.source)
        if is_kept and plan(work.info, work.spec, **work.choices).tier == "pass":
            return work.source, self._transcode(work, work.local)
        location = output if output and not output.endswith("/") else self._keyed_location(work, output)
        if location != output and _is_own(location) and (report := self._found_done(work, location)):
            return location, report
        if locations.is_local(location):
            path = locations.local_path(location)
            storage.make_folder(path.parent)
            return location, self._transcode(work, path)
        with storage.scratch_folder() as folder:
            made = folder / "video.mp4"
            report = self._transcode(work, made)
            storage.put(made, location)
        return location, report

    def _found_done(self, work: Work, location: str) -> Report | None:
        """Report work that was done before; None when what is there was damaged since, for then it is done again."""
        from airflow_provider_instagram.media.transcode import done_before

        with storage.as_local_file(location) as made:
            try:
                report = done_before(
                    work.local, made, work.spec, **work.choices, info=work.info, ffprobe=work.programs["ffprobe"]
                )
            except TranscodeError as error:
                self.log.warning("This work was done before and is done again: %s", error.message)
                return None
            self.log.info("This work was done before: %s", location)
            self._write_preview(work, made)
            return report

    def _keyed_location(self, work: Work, folder: str | None) -> str:
        """Name the output by what makes it what it is: content, profile, options and ffmpeg."""
        from airflow_provider_instagram.media.work import work_key

        if folder is None and locations.is_local(work.source):
            folder = f"{work.local.parent}/"
        folder = folder or conf.get("instagram", "work_prefix")
        if not folder:
            why = "; its link may be signed, so it is not handed on" if locations.secrets_in(work.source) else ""
            raise ValidationError(
                f"There is no place for the compliant copy of {locations.shown(work.source)}{why}.",
                hint="Set output= on the task, or [instagram] work_prefix for all of them.",
            )
        key = work_key(work.local, work.spec, **work.choices, ffmpeg=work.programs["ffmpeg"])
        ending = f".{work.spec.name}.{key}.mp4"
        stem = os.fsencode(work.local.stem)[: LONGEST_NAME_BYTES - len(ending)].decode(errors="ignore")
        return f"{folder.rstrip('/')}/{stem}{ending}"

    def _transcode(self, work: Work, made: Path) -> Report:
        from airflow_provider_instagram.media.transcode import transcode
        from airflow_provider_instagram.media.work import copy_whole

        report = transcode(
            work.local,
            made,
            work.spec,
            info=work.info,
            **work.choices,
            **work.programs,
            on_progress=self._say_progress,
            cancel=self._cancel,
        )
        if report.tier == "pass" and made != work.local:
            copy_whole(work.info, made)
        self._write_preview(work, made)
        return report

    def _write_preview(self, work: Work, made: Path) -> None:
        from airflow_provider_instagram.media.preview import write_preview

        if preview := arguments.text("preview", self.preview):
            jpeg = locations.local_path(preview)
            storage.make_folder(jpeg.parent)
            write_preview(made, jpeg, ffmpeg=work.programs["ffmpeg"], cancel=self._cancel)

    def _say_progress(self, progress: Progress) -> None:
        self.log.info("%s", progress)


def _is_own(location: str) -> bool:
    """Return whether a file is there that this operator may have written: it writes files, and no links to others."""
    return storage.exists(location) and not (locations.is_local(location) and locations.local_path(location).is_symlink())
