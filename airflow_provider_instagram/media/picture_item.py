"""A picture as a source of a transcode."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.picture_geometry import picture_layout
from airflow_provider_instagram.media.picture_report import PictureReport
from airflow_provider_instagram.media.pictures import PictureJob, read_picture, transcode_pictures
from airflow_provider_instagram.media.work import copy_whole, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.options import Options
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.spec import PictureSpec

#: Increment this when the same source, profile and version of Pillow give a different result.
RECIPE: Final = 1


@dataclass(frozen=True, slots=True)
class PictureItem:
    """An :class:`~airflow_provider_instagram.media.item.Item` that is a picture.

    :param info: The properties of the source.
    :param job: The conversion, without an output.
    :param options: The options.
    """

    info: PictureInfo
    job: PictureJob
    options: Options

    @classmethod
    def read(cls, path: Path, spec: PictureSpec, options: Options) -> PictureItem:
        """Decode a picture.

        :raises ValidationError: If the picture cannot be used.
        """
        job = PictureJob(path, None, spec, options.fit, options.background)
        return cls(read_picture(job, cancel=options.cancel), job, options)

    @property
    def suffix(self) -> str:
        """How the name of a result ends."""
        return ".jpg"

    @property
    def placement(self) -> str:
        """The name of the rules."""
        return self.job.spec.name

    @property
    def complies(self) -> bool:
        """Whether the source complies."""
        return self.job.plan(self.info).tier == "pass"

    @property
    def aspect_ratio(self) -> float:
        """The width of the result over its height."""
        if self.complies:
            return self.info.aspect_ratio
        columns, rows = picture_layout(self.info, self.job.spec, self.options.fit).frame
        return columns / rows

    def key(self) -> str:
        """Return the key of the work."""
        job = self.job
        versions = [version(name) for name in ("pillow", "pillow-heif")]
        return key_of(job.source, ["picture", RECIPE, asdict(job.spec), job.fit, job.background, versions])

    def write(self, output: Path) -> PictureReport:
        """Write the result."""
        if self.complies:
            if output != self.job.source:
                copy_whole(self.info, output)
            return self._report(self.info)
        return transcode_pictures([replace(self.job, output=output)], cancel=self.options.cancel)[0]

    def done_before(self, output: Path) -> PictureReport:
        """Return the report of an earlier result, after a check against the rules.

        :raises TranscodeError: If the result does not comply, or no longer complies.
        """
        job = PictureJob(output, None, self.job.spec)
        try:
            made = read_picture(job, cancel=self.options.cancel)
            broken = "; ".join(map(str, job.plan(made).reasons))
        except ValidationError as error:
            broken = error.message.removesuffix(".")
        if broken:
            raise TranscodeError(f"The result {output} does not comply: {broken}.", hint="Delete it, and run again.")
        return self._report(made)

    def write_preview(self, made: Path, jpeg: Path) -> None:
        """Copy a result, which is a JPEG already."""
        copy_whole(read_picture(PictureJob(made, None, self.job.spec), cancel=self.options.cancel), jpeg)

    def _report(self, after: PictureInfo) -> PictureReport:
        return PictureReport.of(self.job.plan(self.info), self.info, after, 0.0)
