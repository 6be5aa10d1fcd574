"""Write edits into a calendar's file, and new files into its folder."""

from __future__ import annotations

import codecs
import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.edits import (
    Edit,
    Edited,
    Fill,
    apply,
    apply_fill,
)
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles, read_or_invalid
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.reader import (
    MAX_BYTES,
    as_text,
)
from airflow_provider_instagram.files import scratch, storage
from airflow_provider_instagram.files.replace import (
    ChangedMeanwhileError,
    MayBeWrittenError,
    NotWritableError,
    ReadFile,
    add,
    read_for_edit,
    replace,
)
from airflow_provider_instagram.posts.kinds import kind_by_name
from airflow_provider_instagram.publishing.transcode import OWN_NAME
from airflow_provider_instagram.utils.urls import is_local, local_path

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.parser import Rules

MOST_FILES: Final = 1_000
#: The names of hidden files, of results, and those with bytes that are no UTF-8, as Python reads
#: them: no calendar can name such a file, and no page show it.
NOT_OF_PEOPLE: Final = re.compile(f"^\\.|{OWN_NAME.pattern}|[\ud800-\udfff]")
#: So often a file is read again that others write at the same moment.
TRIES: Final = 50
FETCHED: Final = InvalidValue(
    "the calendar's file is in a bundle that Airflow fetches, such as a git repository.",
    EDIT_THE_FILE,
)
TOO_LARGE: Final = InvalidValue(
    f"the calendar's file would have more than {MAX_BYTES:,} bytes, and is not read then.",
    "Split the calendar.",
)
BUSY: Final = InvalidValue("others are changing the calendar's file all the time.", "Try again.")


CONTEXT_LINES: Final = 3
#: In more lines than those of some 10,000 posts, a comparison may take half a minute of a
#: processor.
MOST_LINES: Final = 60_000
#: As the readers count lines. A caption may contain other ends of lines, such as U+2028.
END_OF_LINE: Final = re.compile(r"\r\n|\r|\n")
#: The numbers of lines in the head of a part of a diff.
HUNK: Final = re.compile(r"(?<=[-+])\d+")


@dataclass(frozen=True)
class Written:
    """What became of an edit.

    :param unknown: Why nobody knows whether the file was written; empty if that is known.
    """

    edited: Edited
    diff: tuple[str, ...]
    unknown: str = ""


class CalendarWriter:
    """Writes into a calendar's file and its folder.

    :param public: Returns all lines of a text as a diff may show them.
    :raises InstagramError: If the file's folder is another one than Airflow has read.
    """

    def __init__(
        self,
        location: str,
        pin: str | None = None,
        public: Callable[[list[str]], Iterable[str]] = list,
    ) -> None:
        self._location = location
        self._folder = location.rpartition("/")[0]
        self.files = CalendarFiles(location, pin)
        if self.files.moved is not None:
            raise self.files.moved
        self._public = public

    def text(self) -> str:
        """Return the file's text as it is now.

        :raises InvalidValue: If the file is not edited here, or cannot be read.
        """
        return as_text(self._read().content)

    def edited_at(self) -> datetime | None:
        """Return when the file was last written, or None if its storage does not say."""
        return storage.modified(self._location)

    def write(self, edit: Sequence[Edit] | Fill, now: datetime, rules: Rules) -> Written:
        """Write an edit, or changes of several posts. If somebody writes meanwhile, it is made again in their version.

        :param rules: What the DAG requires of its calendar.
        :raises InvalidValue: If the file cannot be written here, or does not take the edit.
        """
        for _ in range(TRIES):
            before = self._read()
            written = self.in_text(as_text(before.content), edit, now, rules)
            bom = codecs.BOM_UTF8 if before.content.startswith(codecs.BOM_UTF8) else b""
            content = bom + written.edited.text.encode()
            if len(content) > MAX_BYTES:
                raise TOO_LARGE
            try:
                replace(self._location, self.files.own, before, content)
            except ChangedMeanwhileError:
                continue
            except NotWritableError as error:
                raise InvalidValue(str(error), EDIT_THE_FILE) from None
            except MayBeWrittenError as error:
                return Written(written.edited, written.diff, str(error))
            return written
        raise BUSY

    def _read(self) -> ReadFile:
        from airflow.dag_processing.bundles.base import get_bundle_storage_root_path

        bundles = get_bundle_storage_root_path().resolve()
        if is_local(self._location) and local_path(self._location).resolve().is_relative_to(
            bundles
        ):
            raise FETCHED
        return read_or_invalid(
            self._location, lambda: read_for_edit(self._location, self.files.own, MAX_BYTES)
        )

    def in_text(
        self, text: str, edit: Sequence[Edit] | Fill, now: datetime, rules: Rules
    ) -> Written:
        """Return an edit in a text of the file. Nothing is written."""
        if isinstance(edit, Fill):
            edited = apply_fill(text, self._location, edit, self.files, rules)
        else:
            edited = apply(text, self._location, edit, self.files, now, rules)
        name = self._location.partition("?")[0].rpartition("/")[2]
        before = self._public_lines(text)
        after = self._public_lines(edited.text)
        return Written(edited, tuple(unified_diff(before, after, name)))

    def _public_lines(self, text: str) -> list[str]:
        return [*self._public(END_OF_LINE.split(text.removesuffix("\n")))]

    def media_names(self) -> list[str]:
        """Return the names of the videos and pictures that people have put into the calendar's folder."""
        names = (one for one in self._names() if kind_by_name(one) is not None)
        return sorted(one for one in names if not NOT_OF_PEOPLE.search(one))[:MOST_FILES]

    def _names(self) -> list[str]:
        if is_local(self._folder):
            return os.listdir(local_path(self._folder))  # noqa: PTH208
        return storage.names_below(self._folder)

    def free_name(self, name: str) -> str:
        """Return a name that no file of the folder has: phones give one name to many files."""
        taken, (stem, _, ending) = {one.lower() for one in self._names()}, name.rpartition(".")
        names = (f"{stem} ({number}).{ending}" if number > 1 else name for number in count(1))
        return next(one for one in names if one.lower() not in taken)

    def add_file(self, file: Path) -> str:
        """Write a copy of a new video or picture into the calendar's folder. A large one takes minutes.

        :return: Empty if it is there; otherwise why nobody knows whether it is.
        :raises InvalidValue: If the folder has a file of this name, or cannot be written to.
        """
        try:
            add(file, f"{self._folder}/{file.name}", self.files.own)
        except MayBeWrittenError as error:
            return str(error)
        except ChangedMeanwhileError:
            raise InvalidValue(
                f"The folder has a file {file.name} already.", "Give this one another name."
            ) from None
        except NotWritableError as error:
            raise InvalidValue(str(error), "Ask who maintains Airflow.") from None
        return ""


def unified_diff(before: Sequence[str], after: Sequence[str], name: str) -> Iterator[str]:
    """Return what an edit changes in lines, as ``patch`` reads it. Only the lines around it are compared."""
    first = _count_equal(before, after)
    last = _count_equal(before[first:][::-1], after[first:][::-1])
    begin = max(0, first - CONTEXT_LINES)
    kept = max(0, last - CONTEXT_LINES)
    old = before[begin : len(before) - kept]
    new = after[begin : len(after) - kept]
    if max(len(old), len(new)) > MOST_LINES:
        yield f"The first and the last change are more than {MOST_LINES:,} lines apart, too many to compare."
        return
    for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", "", "", CONTEXT_LINES, ""):
        if line.startswith("@@ "):
            yield HUNK.sub(lambda number: str(int(number[0]) + begin), line)
        else:
            yield line


def _count_equal(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many lines are equal at the beginning of two texts."""
    place = 0
    while place < min(len(before), len(after)) and before[place] == after[place]:
        place += 1
    return place


@contextmanager
def scratch_file(name: str) -> Iterator[Path]:
    """Yield a scratch file for a new video or picture."""
    if kind_by_name(name) is None:
        raise InvalidValue(f"{name} is neither a video nor a picture.", "Choose another file.")
    with scratch.scratch_folder() as folder:
        yield folder / name
