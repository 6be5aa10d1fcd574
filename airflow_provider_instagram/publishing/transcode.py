"""Make the files of a post comply with Instagram's rules, at the lowest cost."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.files import old_files, scratch, storage
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.process import processors, side_by_side
from airflow_provider_instagram.media.spec import Options, Profile, check_ending
from airflow_provider_instagram.media.video import read_item
from airflow_provider_instagram.utils import urls

if TYPE_CHECKING:
    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.media.item import Item
    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.utils.time_limit import Cancel

    #: Calls a function in a thread, with what cancels it.
    Begin = Callable[[Callable[[Cancel], Report]], Future[Report]]

log = logging.getLogger(__name__)

#: The limit of file systems, less the space for what is added to a name while the file is copied.
LONGEST_NAME_BYTES = 200
#: How the name of a result ends: with the rules and the key of the work.
OWN_NAME = re.compile(r"\.[a-z_]+\.[0-9a-f]{24}\.\w+$")


class Result(NamedTuple):
    """A compliant file, and the report of how it came about."""

    location: str
    report: Report


@dataclass(frozen=True)
class Work:
    """One source: its location, the same as a local file, and what was read of it."""

    source: str
    local: Path
    item: Item


@dataclass(frozen=True)
class Made:
    """A file that is made.

    :param path: The same as a local file. None for an earlier result.
    """

    path: Path | None
    report: Future[Report]


@dataclass(frozen=True)
class Transcode:
    """Makes videos and pictures comply, and finds finished work by its name.

    :param profile: The rules. All files get the aspect ratio of the first, as a carousel shows
        them.
    :param file_check: Returns what must be true of a file. None if the author of the DAG named it.
    """

    profile: Profile
    options: Options
    output: str | None = None
    work_prefix: str = ""
    file_check: Callable[[str], FileCheck | None] = field(default=lambda _: None)

    def run(self, sources: Sequence[str]) -> list[Result]:
        """Return a compliant file for each source: the source itself, an earlier result, or a new file.

        Pictures are converted at once, on as many processors as there are, beside the videos. If
        one cannot be converted, the others are finished nevertheless, so that the next try finds
        them.
        """
        threads = min(len(sources), processors())
        with (
            self.options.pictures.kept(),
            ExitStack() as files,
            side_by_side(self.options.cancel, threads) as begin,
        ):
            works = self._read(sources, files)
            made: dict[str, Made] = {}
            locations_made = [self._begin(work, made, files, begin) for work in works]
            wait([one.report for one in made.values()])
            return [
                self._finished(work, location, made[location])
                for work, location in zip(works, locations_made, strict=True)
            ]

    def _read(self, sources: Sequence[str], files: ExitStack) -> list[Work]:
        works: list[Work] = []
        profile = self.profile
        for source in sources:
            with _folded(f"Read {urls.shown(source)}"):
                local = files.enter_context(
                    storage.as_local_file(source, check=self.file_check(source))
                )
                work = Work(
                    source, local, read_item(local, profile, self.options, is_written_next=True)
                )
                check_ending("output", self.output, work.item.suffix)
            works.append(work)
            profile = self.profile.with_aspect_ratio(works[0].item.aspect_ratio)
        return works

    def _begin(self, work: Work, made: dict[str, Made], files: ExitStack, begin: Begin) -> str:
        """Begin to make a file, unless it is among those that are made, and return its location."""
        may_stay = self.output is None and not urls.secrets_in(work.source)
        if may_stay and work.item.complies:
            made[work.source] = self._writing(work, work.local, begin)
            return work.source
        location = self._location(work)
        if location in made:
            return location
        report = None
        if location != self.output and _is_own(location):
            report = self._earlier_result(work, location)
        if report is not None:
            made[location] = Made(None, _done(report))
        elif urls.is_local(location):
            path = urls.local_path(location)
            storage.make_folder(path.parent)
            made[location] = self._writing(work, path, begin)
        else:
            folder = files.enter_context(scratch.scratch_folder())
            item = work.item
            size_bytes = item.info.size_bytes if item.complies else item.spec.max_size_bytes
            scratch.require_space(folder, size_bytes)
            made[location] = self._writing(work, folder / f"result{work.item.suffix}", begin)
        return location

    @staticmethod
    def _writing(work: Work, path: Path, begin: Begin) -> Made:
        """Write a video, or begin to write a picture."""
        if isinstance(work.item, PictureItem):
            return Made(path, begin(lambda cancel: work.item.cancelled_by(cancel).write(path)))
        with _folded(f"Transcode {urls.shown(work.source)}"):
            return Made(path, _done(work.item.write(path)))

    def _finished(self, work: Work, location: str, made: Made) -> Result:
        report = made.report.result()
        is_put = not urls.is_local(location) and location != work.source
        if made.path is not None and is_put:
            storage.put(made.path, location)
        log.info("%s", urls.shown(work.source))
        for line in report.table():
            log.info("%s", line)
        return Result(location, report)

    def _earlier_result(self, work: Work, location: str) -> Report | None:
        with storage.as_local_file(location, check=self.file_check(location)) as made:
            try:
                report = work.item.done_before(made)
            except TranscodeError as error:
                log.warning(
                    "Transcoding again, because the earlier result cannot be used: %s",
                    error.message,
                )
                return None
        log.info("Found the result of an earlier run: %s", location)
        return report

    def _location(self, work: Work) -> str:
        """Return where the result belongs. Its name has a digest of the content, the rules and the tool."""
        folder = self.output
        if folder and not folder.endswith("/"):
            return folder
        if folder is None and urls.is_local(work.source):
            folder = f"{urls.local_path(work.source).parent}/"
        folder = folder or self.work_prefix
        if not folder:
            why = ""
            if urls.secrets_in(work.source):
                why = "; its link may be signed, so it cannot be used itself"
            raise ValidationError(
                f"No location is set for the compliant copy of {urls.shown(work.source)}{why}.",
                hint="Set output= on the task, or [instagram] work_prefix for all tasks.",
            )
        ending = f".{work.item.spec.name}.{work.item.key()}{work.item.suffix}"
        stem_bytes = os.fsencode(work.local.stem)[: LONGEST_NAME_BYTES - len(ending)]
        stem = stem_bytes.decode(errors="ignore")
        return f"{folder.rstrip('/')}/{stem}{ending}"


def _done(report: Report) -> Future[Report]:
    future: Future[Report] = Future()
    future.set_result(report)
    return future


@contextmanager
def _folded(title: str) -> Iterator[None]:
    """Fold the log of the block on Airflow's page. An error is shown below."""
    log.info("::group::%s", title)
    try:
        yield
    finally:  # Airflow folds the error as well if the group stays open
        log.info("::endgroup::")


def _is_own(location: str) -> bool:
    """Return whether a transcode may have written the file at a location. It never writes symbolic links.

    A file that is removed soon does not count: it is written again.
    """
    is_link = urls.is_local(location) and urls.local_path(location).is_symlink()
    return not is_link and old_files.is_reusable(location)
