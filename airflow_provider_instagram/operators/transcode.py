"""The operator that converts a video into one that Instagram accepts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.operators.literal_templates import LiteralTemplateMixin
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.sdk import Context, RetryPolicy, XComArg

    from airflow_provider_instagram.media.probe import VideoInfo
    from airflow_provider_instagram.media.process import Cancel
    from airflow_provider_instagram.media.progress import Progress
    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.media.spec import VideoSpec

#: The limit of file systems, less the space for what is added to a name while the file is copied.
LONGEST_NAME_BYTES = 200
CHOICES = {"fit": ("pad", "blur", "crop"), "trim": ("error", "end")}


@dataclass(frozen=True)
class Work:
    """One transcode, with its arguments.

    :param source: The location of the video, as it was given.
    :param local: The video as a local file.
    :param info: The properties of the video.
    :param spec: The rules and targets of the profile.
    :param choices: ``fit``, ``background`` and ``trim``.
    :param programs: ``ffmpeg`` and ``ffprobe``.
    """

    source: str
    local: Path
    info: VideoInfo
    spec: VideoSpec
    choices: dict[str, Any]
    programs: dict[str, Any]


class TranscodeOperator(LiteralTemplateMixin):
    """Make a video comply with Instagram's rules, at the lowest cost.

    A video that complies is returned unchanged. If its link has a query, which may be a signature and must not be
    stored in an XCom, a copy of the video is returned instead. Any other video is converted to an MP4 with ffmpeg; the
    result is checked against the same rules before it gets its name. The name of the output contains a digest of the
    source's content, the profile and ffmpeg's version, so that finished work is found and not repeated.

    Returns the path or URI of the compliant video. The XCom ``report`` contains the tier, the reasons, the warnings,
    and the measures before and after.

    :param source: The video: a local path, ``file://``, ``https://``, or a URI that ObjectStoragePath opens.
    :param output: The path or URI of the result. If it ends in ``/``, it is a folder or prefix. Default: next to a
        local source, or else under ``[instagram] work_prefix``.
    :param placement: The profile whose rules apply: ``reels`` or ``feed``.
    :param fit: How to fit a video of another aspect ratio into the frame: ``pad``, ``blur`` or ``crop``.
    :param background: The colour around a padded video: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut off its end.
    :param preview: Local path for a JPEG of the first frame.
    :param spec: A :class:`~airflow_provider_instagram.media.spec.VideoSpec` that replaces the one of the placement.
    :param retries: The number of retries.
    :param retry_policy: Decides which failures are retried, and when.
    """

    template_fields: Sequence[str] = (
        "source",
        "output_location",
        "placement",
        "fit",
        "background",
        "trim",
        "preview",
        "spec",
    )
    template_field_aliases: ClassVar[dict[str, str]] = {"output": "output_location"}
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
        self.output_location = output
        self.placement = placement
        self.fit = fit
        self.background = background
        self.trim = trim
        self.preview = preview
        self.spec = spec
        self._cancel: Cancel | None = None

    def execute(self, context: Context) -> str:
        """Transcode the video, and push a report."""
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
        """Stop ffmpeg and remove the copy of a remote video when the task is killed."""
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
        """Return the compliant video and its report: the source itself, an earlier result, or a new file."""
        from airflow_provider_instagram.media.plan import plan

        output = arguments.text("output", self.output_location)
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
        """Return the report of an earlier result, or None if the result no longer complies and is to be made again."""
        from airflow_provider_instagram.media.transcode import done_before

        with storage.as_local_file(location) as made:
            try:
                report = done_before(
                    work.local, made, work.spec, **work.choices, info=work.info, ffprobe=work.programs["ffprobe"]
                )
            except TranscodeError as error:
                self.log.warning("Transcoding again, because the earlier result cannot be used: %s", error.message)
                return None
            self.log.info("Found the result of an earlier run: %s", location)
            self._write_preview(work, made)
            return report

    def _keyed_location(self, work: Work, folder: str | None) -> str:
        """Return the output's name, which depends on the content, the profile, the options and ffmpeg's version."""
        from airflow_provider_instagram.media.work import work_key

        if folder is None and locations.is_local(work.source):
            folder = f"{work.local.parent}/"
        folder = folder or conf.get("instagram", "work_prefix")
        if not folder:
            why = "; its link may be signed, so it cannot be used itself" if locations.secrets_in(work.source) else ""
            raise ValidationError(
                f"No location is set for the compliant copy of {locations.shown(work.source)}{why}.",
                hint="Set output= on the task, or [instagram] work_prefix for all tasks.",
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
            on_progress=self._log_progress,
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

    def _log_progress(self, progress: Progress) -> None:
        self.log.info("%s", progress)


def _is_own(location: str) -> bool:
    """Return whether a file is there that this operator may have written: it writes files, and no links to others."""
    is_link = locations.is_local(location) and locations.local_path(location).is_symlink()
    return not is_link and storage.exists(location)
