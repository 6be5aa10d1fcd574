"""One source of a transcode, a video or a picture, with the same operations for both."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.report import Report
from airflow_provider_instagram.utils.local_files import FileInfo, file_digest
from airflow_provider_instagram.utils.owned_folder import (
    lack_of_space,
    owned_folder,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_provider_instagram.media.geometry import Layout
    from airflow_provider_instagram.media.info import Info
    from airflow_provider_instagram.media.plan import Plan
    from airflow_provider_instagram.media.spec import Options, Spec
    from airflow_provider_instagram.utils.time_limit import Cancel

PREFIX: Final = ".instagram-work-"


@dataclass(frozen=True)
class Item(ABC):
    """A video or a picture that was read, the rules for it, and the plan that makes it comply."""

    #: How the name of a result ends.
    suffix: ClassVar[str]
    #: The options that change a result.
    keyed_options: ClassVar[tuple[str, ...]]

    info: Info
    spec: Spec
    options: Options
    plan: Plan

    @classmethod
    @abstractmethod
    def read(cls, path: Path, spec: Any, options: Options) -> Item:
        """Read a file, and plan its work."""

    @property
    def complies(self) -> bool:
        """Whether the source complies, so that it is its own result."""
        return self.plan.tier == "pass"

    @property
    def aspect_ratio(self) -> float:
        """The width of the result over its height."""
        if self.plan.tier != "full":
            return float(self.info.aspect_ratio)
        return self.layout.frame.columns / self.layout.frame.rows

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """How the source is laid out in the frame of the result."""

    @abstractmethod
    def write_still(self, jpeg: Path, at_ms: int = 0) -> None:
        """Write a JPEG of what the result will show, with its bars or its crop, without making the result.

        :param jpeg: The file to write, in a folder for unfinished work.
        :param at_ms: The time in a video, in milliseconds from its start.
        """

    @abstractmethod
    def _tool(self) -> str:
        """Return the recipe and the version of the tool, on which the key depends."""

    @abstractmethod
    def _make(self, result: Path) -> tuple[Plan, Info]:
        """Write a result that complies.

        :return: The plan that was carried out, and the properties of the result.
        """

    def cancelled_by(self, cancel: Cancel) -> Self:
        """Return the same item for another thread, where it is cancelled by something else."""
        return replace(self, options=replace(self.options, cancel=cancel))

    def key(self) -> str:
        """Return the key of the work, for the name of its output.

        No work is repeated, and a changed source is never mistaken for the old one. Of the profile
        and the options, only what differs from its default counts, so that a new field changes no
        key.

        :return: 24 hexadecimal digits that depend on the content, the profile, the options and the
            version of the tool.
        """
        parts = {
            "content": file_digest(self.info.path),
            "tool": self._tool(),
            "spec": _set_fields(self.spec),
            **{
                name: value
                for name, value in _set_fields(self.options).items()
                if name in self.keyed_options
            },
        }
        text = json.dumps(parts, default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def write(self, output: Path) -> Report:
        """Write the result, which appears complete or not at all.

        If the source complies, this is a copy, or nothing if the output is the source itself.

        :param output: The file to write, on a local disk. An existing file is replaced.
        :raises ValidationError: If the output cannot be used, or the source cannot be converted.
        :raises TranscodeError: If the tool failed, its result does not comply, or the work was
            cancelled.
        :raises TransientError: If the source was changed after it was read.
        """
        started_s = time.monotonic()
        source = self.info
        if self.complies:
            if output.absolute() != source.path:
                copy_whole(source, output)
            return Report(self.plan, source, source, time.monotonic() - started_s)
        if output.exists() and output.samefile(source.path):
            raise ValidationError(
                f"The result would replace its source {source.path}.",
                hint="Set output= to another file.",
            )
        with workspace(output, self.spec.max_size_bytes) as folder:
            result = folder / f"result{self.suffix}"
            try:
                plan, after = self._make(result)
            except TranscodeError:
                source.raise_if_changed()
                raise
            self.options.cancel.raise_if_requested()
            source.raise_if_changed()
            result.replace(output)
        return Report(plan, source, after, time.monotonic() - started_s)

    def done_before(self, output: Path) -> Report:
        """Return the report of an earlier result, which must still comply with the rules."""
        started_s = time.monotonic()
        return Report(self.plan, self.info, self._checked(output), time.monotonic() - started_s)

    def _checked(self, result: Path) -> Info:
        """Check a result against the same rules as the source, and return its properties."""
        try:
            item = self.read(result, self.spec, self.options)
            broken = "; ".join(map(str, item.plan.reasons))
        except ValidationError as error:
            broken = error.message.removesuffix(".")
        if broken:
            raise TranscodeError(
                f"The result {result} does not comply: {broken}.",
                hint="If the file is from an earlier run, delete it. Then run the task again.",
            )
        return item.info


def _set_fields(values: Spec | Options) -> dict[str, Any]:
    named = {field.name: (getattr(values, field.name), field.default) for field in fields(values)}
    return {name: value for name, (value, default) in named.items() if value != default}


def copy_whole(source: FileInfo, output: Path) -> None:
    """Copy a compliant file, unless it has changed, to the output, where it appears complete or not at all."""
    with workspace(output, source.size_bytes) as folder:
        shutil.copyfile(source.path, copy := folder / "copy")
        source.raise_if_changed()
        copy.replace(output)


@contextmanager
def workspace(output: Path, needed_bytes: int) -> Iterator[Path]:
    """Create a directory on the disk of the result, and remove it afterwards.

    A killed process cannot clean up, so the next process that works in the same folder removes its
    directory. A lock on the directory, which ends with its owner, shows whether the directory is in
    use.

    :param needed_bytes: How much the work may write.
    :raises ValidationError: If the folder of the result cannot be used.
    :raises TranscodeError: If the disk has too little space.
    """
    folder = output.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValidationError(
            f"{folder} is not a writable directory.",
            hint="Create it, or set output= to another directory.",
        )
    if output.is_dir():
        raise ValidationError(
            f"{output} is a directory.",
            hint="Use the name of a file, or end output= with / for a file inside it.",
        )
    with owned_folder(folder, PREFIX) as work:
        if lack := lack_of_space(folder, needed_bytes):
            raise TranscodeError(lack, hint="Free some space, or set output= to another disk.")
        yield work
