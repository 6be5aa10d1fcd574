"""The operator that converts videos and pictures into what Instagram accepts."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.files import old_files, scratch, storage
from airflow_provider_instagram.media.spec import Options, PictureSpec, VideoSpec, profile_for
from airflow_provider_instagram.operators.literal_templates import LiteralTemplateMixin
from airflow_provider_instagram.operators.priority import TRANSCODE
from airflow_provider_instagram.utils import arguments, locations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow.sdk import Context, XComArg

    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.media.encode import Progress
    from airflow_provider_instagram.media.item import Item
    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.media.spec import Profile
    from airflow_provider_instagram.utils.process import Cancel

#: The limit of file systems, less the space for what is added to a name while the file is copied.
LONGEST_NAME_BYTES = 200
#: Executors whose tasks all run on the scheduler's machine.
ONE_MACHINE = {"LocalExecutor", "SequentialExecutor"}
#: How the names of files may end, by the ending of a result. A name without an ending says nothing wrong.
ENDINGS = {".mp4": (".mp4", ".m4v", ".mov", ""), ".jpg": (".jpg", ".jpeg", "")}


@dataclass(frozen=True)
class Work:
    """One source, and where its result goes.

    :param source: Its location, as it was given.
    :param local: The same as a local file.
    :param item: What was read of it.
    :param output: The location of the result: a file, a folder that ends in ``/``, or None.
    """

    source: str
    local: Path
    item: Item
    output: str | None


class TranscodeOperator(LiteralTemplateMixin):
    """Make a video or a picture comply with Instagram's rules, at the lowest cost.

    A file that complies is returned unchanged. If its link has a query, which may be a signature and must not be stored
    in an XCom, a copy of the file is returned instead. Any other video, also an animated GIF, is converted to an MP4
    with ffmpeg, and any other picture to a JPEG with Pillow. The result is checked by the same rules before it gets
    its name. The name of the output contains a digest of the source's content, the profile and the version of the tool,
    so that finished work is found and not repeated.

    Returns the path or URI of the compliant file. For a list of sources, returns a list, in which all items have the
    aspect ratio of the first, as a carousel shows them. The XCom ``report`` contains the tier, the reasons, the
    warnings, and the measures before and after; for a list of sources, it is a list of these.

    :param source: The video or picture: a local path, ``file://``, ``https://``, or a URI that ObjectStoragePath opens.
        Or a list of these.
    :param output: The path or URI of the result. If it ends in ``/``, it is a folder or prefix, as a list of sources
        requires. A name with an ending must end like the result: ``.mp4`` for a video, ``.jpg`` for a picture.
        Default: next to a local source, or else under ``[instagram] work_prefix``.
    :param placement: The profile whose rules apply: ``reels``, ``feed``, ``story`` or ``carousel``.
    :param fit: How to fit a source of another aspect ratio into the frame: ``pad``, ``blur`` or ``crop``.
    :param background: The colour around a padded source and behind a transparent one: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut off its end.
    :param preview: Local path for a JPEG of the first frame. Used only for a single source.
    :param spec: A :class:`~airflow_provider_instagram.media.spec.VideoSpec` or
        :class:`~airflow_provider_instagram.media.spec.PictureSpec` that replaces the one of the placement.
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
        source: str | Sequence[str] | XComArg,
        output: str | XComArg | None = None,
        placement: str | XComArg = "reels",
        fit: str | XComArg = "pad",
        background: str | XComArg = "black",
        trim: str | XComArg = "error",
        preview: str | XComArg | None = None,
        spec: VideoSpec | PictureSpec | None = None,
        priority_weight: int = TRANSCODE,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.source = source
        self.output_location = output
        self.placement = placement
        self.fit = fit
        self.background = background
        self.trim = trim
        self.preview = preview
        self.spec = spec
        self._cancel: Cancel | None = None

    @classmethod
    def check_arguments(cls, known: Mapping[str, Any]) -> None:
        """Check the options and the names of files, as far as they are known."""
        _options(**{name: known[name] for name in ("fit", "background", "trim") if name in known})
        _profile(known.get("placement"), known.get("spec"))
        if "source" in known and not _sources(known["source"], known.get("output"), known.get("preview")):
            arguments.required_text("source", known["source"])
        _check_ending("output", known.get("output"), *ENDINGS)
        _check_ending("preview", known.get("preview"), ".jpg")

    def execute(self, context: Context) -> str | list[str]:
        """Transcode each source, and push a report."""
        from airflow_provider_instagram.utils.process import Cancel

        self._cancel = Cancel()
        sources = _sources(self.source, self.output_location, self.preview)
        profile = _profile(self.placement, self.spec)
        programs: dict[str, Any] = {name: conf.get("instagram", name) for name in ("ffmpeg", "ffprobe")}
        options = replace(
            _options(self.fit, self.background, self.trim),
            **programs,
            on_progress=self._log_progress,
            cancel=self._cancel,
        )
        _check_ending("preview", self.preview, ".jpg")
        done: list[tuple[str, Report]] = []
        with ExitStack() as files:
            for source in sources or [arguments.required_text("source", self.source)]:
                self.log.info("::group::Transcode %s", locations.shown(source))
                try:
                    local = files.enter_context(storage.as_local_file(source, check=self.file_check(source)))
                    work = self._work(source, local, profile, options)
                    done.append(self._compliant(work))
                finally:  # Airflow folds the error as well if the group stays open
                    self.log.info("::endgroup::")
                for line in done[-1][1].table():
                    self.log.info("%s", line)
                if len(done) == 1 and sources:
                    profile = profile.with_aspect_ratio(work.item.aspect_ratio)
        reports = [
            {**report.as_data(), **self.about_result(place, location, report)}
            for place, (location, report) in enumerate(done)
        ]
        context["ti"].xcom_push(key="report", value=reports if sources else reports[0])
        return [location for location, _ in done] if sources else done[0][0]

    def on_kill(self) -> None:
        """Stop ffmpeg and remove the copy of a remote video when the task is killed."""
        if self._cancel is not None:
            self._cancel.cancel()
        storage.abandon_copies()

    def file_check(self, location: str) -> FileCheck | None:
        """Return what must be true of a file, or None if the author of the DAG named it."""
        return None

    def about_result(self, place: int, location: str, report: Report) -> dict[str, Any]:
        """Return what a subclass adds to the report of a result.

        :param place: The place of its source in the list, from 0.
        :param location: The result.
        :param report: The report.
        """
        return {}

    def _work(self, source: str, local: Path, profile: Profile, options: Options) -> Work:
        from airflow_provider_instagram.media.read import read_item

        output, item = arguments.text("output", self.output_location), read_item(local, profile, options)
        _check_ending("output", output, item.suffix)
        return Work(source, local, item, output)

    def _compliant(self, work: Work) -> tuple[str, Report]:
        """Return the compliant file and its report: the source itself, an earlier result, or a new file."""
        is_kept = work.output is None and not locations.secrets_in(work.source)
        if is_kept and work.item.complies:
            return work.source, self._write(work, work.local)
        location = work.output if work.output and not work.output.endswith("/") else self._keyed_location(work)
        if location != work.output and _is_own(location) and (report := self._earlier_result(work, location)):
            return location, report
        if locations.is_local(location):
            self._warn_if_other_workers_lack(location, work.source)
            path = locations.local_path(location)
            storage.make_folder(path.parent)
            return location, self._write(work, path)
        with scratch.scratch_folder() as folder:
            made = folder / f"result{work.item.suffix}"
            report = self._write(work, made)
            storage.put(made, location, keep=location != work.output)
        return location, report

    def _warn_if_other_workers_lack(self, location: str, source: str) -> None:
        """Log a warning if the next task may run on a machine that does not have the output."""
        executors = set(re.findall(r"\w*Executor", conf.get("core", "executor")))
        if executors <= ONE_MACHINE or locations.is_local(source):
            return  # a local source shows that the workers share its folder, or run on one machine
        self.log.warning(
            "%s is a local file of this worker. With %s, the next task may run on another machine. Set output= or "
            "[instagram] work_prefix to object storage or to a folder that all workers share.",
            location,
            ", ".join(sorted(executors - ONE_MACHINE)),
        )

    def _earlier_result(self, work: Work, location: str) -> Report | None:
        """Return the report of an earlier result, or None if the result no longer complies and is to be made again."""
        with storage.as_local_file(location, check=self.file_check(location)) as made:
            try:
                report = work.item.done_before(made)
            except TranscodeError as error:
                self.log.warning("Transcoding again, because the earlier result cannot be used: %s", error.message)
                return None
            self.log.info("Found the result of an earlier run: %s", location)
            self._write_preview(work, made)
            return report

    def _keyed_location(self, work: Work) -> str:
        """Return the output's name, which depends on the content, the profile, the options and the tool's version."""
        folder = work.output
        if folder is None and locations.is_local(work.source):
            folder = f"{locations.local_path(work.source).parent}/"
        folder = folder or conf.get("instagram", "work_prefix")
        if not folder:
            why = "; its link may be signed, so it cannot be used itself" if locations.secrets_in(work.source) else ""
            raise ValidationError(
                f"No location is set for the compliant copy of {locations.shown(work.source)}{why}.",
                hint="Set output= on the task, or [instagram] work_prefix for all tasks.",
            )
        ending = f".{work.item.spec.name}.{work.item.key()}{work.item.suffix}"
        stem = os.fsencode(work.local.stem)[: LONGEST_NAME_BYTES - len(ending)].decode(errors="ignore")
        return f"{folder.rstrip('/')}/{stem}{ending}"

    def _write(self, work: Work, made: Path) -> Report:
        report = work.item.write(made)
        self._write_preview(work, made)
        return report

    def _write_preview(self, work: Work, made: Path) -> None:
        if preview := arguments.text("preview", self.preview):
            jpeg = locations.local_path(preview)
            storage.make_folder(jpeg.parent)
            work.item.write_preview(made, jpeg)

    def _log_progress(self, progress: Progress) -> None:
        self.log.info("%s", progress)


def _is_own(location: str) -> bool:
    """Return whether this operator may have written the file at a location. It never writes symbolic links.

    A file that is removed soon does not count: it is written again.
    """
    is_link = locations.is_local(location) and locations.local_path(location).is_symlink()
    return not is_link and old_files.is_reusable(location)


def _sources(given: Any, output: Any, preview: Any) -> list[str]:
    """Return the sources if a list is given, or else an empty list."""
    if isinstance(given, str) and not given.lstrip().startswith("["):
        return []
    if not isinstance(given, (str, list, tuple)):
        return []
    sources = [arguments.required_text("source", source) for source in arguments.sequence("source", given)]
    if not sources:
        raise ValidationError("source is an empty list.", hint="Give at least one video or picture.")
    output = arguments.text("output", output)
    if output and not output.endswith("/"):
        raise ValidationError(
            f"output={output!r} is one file, but source is a list.", hint="End output= with / for a folder."
        )
    if arguments.text("preview", preview):
        raise ValidationError("preview is for one source, but source is a list.", hint="Remove preview=.")
    return sources


def _profile(placement: Any, spec: Any) -> Profile:
    profile = profile_for((arguments.text("placement", placement) or "reels").lower())
    spec = arguments.given(spec)
    if spec is None:
        return profile
    if isinstance(spec, VideoSpec):
        return replace(profile, video=spec)
    if isinstance(spec, PictureSpec):
        return replace(profile, picture=spec)
    raise ValidationError(f"spec must be a VideoSpec or a PictureSpec, not {spec!r}.")


def _options(fit: Any = None, background: Any = None, trim: Any = None) -> Options:
    given = {"fit": fit, "background": background, "trim": trim}
    texts: dict[str, Any] = {name: arguments.text(name, value) for name, value in given.items()}
    return Options(**{name: text for name, text in texts.items() if text is not None})


def _check_ending(name: str, given: Any, *suffixes: str) -> None:
    """Check that the name of a result does not promise another format.

    :param name: The name of the argument.
    :param given: Its value: a file, or a folder, which may have any name.
    :param suffixes: The formats that the result may have, as keys of ``ENDINGS``.
    :raises ValidationError: If the name ends otherwise.
    """
    location = arguments.text(name, given)
    if not location or location.endswith("/"):
        return
    if (found := locations.ending(location)) not in [one for suffix in suffixes for one in ENDINGS[suffix]]:
        made = " or ".join({".mp4": "an MP4", ".jpg": "a JPEG"}[suffix] for suffix in suffixes)
        raise ValidationError(
            f"{name}={locations.shown(location)!r} ends in {found}, but the result is {made}.",
            hint=f"End it in {' or '.join(suffixes)}.",
        )
