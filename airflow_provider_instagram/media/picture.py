"""Convert a picture into a JPEG that complies, with Pillow, in a process of its own.

One program serves all pictures of a task. It has loaded Pillow, and each picture is decoded in a
copy of it that has limits of its own. So no picture meets what another one left, and one that goes
wrong ends alone.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final

from airflow_provider_instagram.exceptions import InstagramError, TranscodeError, ValidationError
from airflow_provider_instagram.media.geometry import Layout, picture_layout
from airflow_provider_instagram.media.info import Info, PictureInfo
from airflow_provider_instagram.media.item import Item, copy_whole
from airflow_provider_instagram.media.plan import Plan, plan_picture
from airflow_provider_instagram.media.process import Finished, ProcessLimits
from airflow_provider_instagram.media.spec import DEFAULTS, Options, PictureSpec
from airflow_provider_instagram.utils.local_files import FileInfo, regular_file

#: Increment this when a default changes, or when the same source, profile and Pillow give a
#: different result.
RECIPE: Final = 1
WORKER: Final = str(Path(__file__).with_name("_picture_worker.py"))
#: CPU time for the picture, in seconds. A file that is made to hang a decoder fails within ten
#: seconds in all, and a large picture does not fail because its worker is busy.
PICTURE_CPU_S: Final = 4.0
#: Elapsed time, with that of the start, in seconds.
WALL_S: Final = 60
MEMORY_BYTES: Final = 2 * 1024**3
#: The program writes nothing. Its copies lower this to the largest size of a result.
LIMITS: Final = ProcessLimits(WALL_S, WALL_S, MEMORY_BYTES, output_bytes=1 << 40)


@dataclass(frozen=True)
class PictureItem(Item):
    """A picture."""

    suffix: ClassVar[str] = ".jpg"
    keyed_options: ClassVar[tuple[str, ...]] = ("fit", "background")

    info: PictureInfo
    spec: PictureSpec

    @classmethod
    def read(
        cls,
        path: Path,
        spec: PictureSpec,
        options: Options = DEFAULTS,
        *,
        is_written_next: bool = False,
    ) -> PictureItem:
        """Decode a picture that can be used, and plan its work.

        :param is_written_next: Whether :meth:`write` or :meth:`write_still` follows. They decode
            what has to be converted, so that a picture is decoded once.
        """
        info = _run_worker(path, None, spec, options, only_if_it_complies=is_written_next)
        return cls(info, spec, options, plan_picture(info, spec, options.fit))

    @property
    def layout(self) -> Layout:
        """How the source is laid out in the frame of the result."""
        return picture_layout(self.info, self.spec, self.options.fit)

    def write_still(self, jpeg: Path, at_ms: int = 0) -> None:
        """Write the result itself, which is made as fast."""
        self.write(jpeg)

    def write_preview(self, result: Path, jpeg: Path) -> None:
        """Copy a result, which is a JPEG already."""
        copy_whole(FileInfo.of(result), jpeg)

    def _tool(self) -> str:
        versions = [f"{name} {version(name)}" for name in ("pillow", "pillow-heif")]
        return f"picture {RECIPE}, {', '.join(versions)}"

    def _make(self, result: Path) -> tuple[Plan, Info]:
        return self.plan, _run_worker(self.info.path, result, self.spec, self.options)


def _run_worker(
    source: Path,
    output: Path | None,
    spec: PictureSpec,
    options: Options,
    *,
    only_if_it_complies: bool = False,
) -> PictureInfo:
    """Read or convert a picture in a process with limits.

    :param output: The file to write. None to decode the source only.
    :param only_if_it_complies: Whether to decode only a source that complies.
    :return: The properties of the output, or of the source if there is no output.
    """
    request = {
        "cpu_s": PICTURE_CPU_S,
        "source": source.absolute(),
        "output": output,
        "spec": asdict(spec),
        "fit": options.fit,
        "background": options.background,
        "only_if_it_complies": only_if_it_complies,
    }
    command = (sys.executable, "-I", WORKER, json.dumps([entry for entry in sys.path if entry]))
    regular_file(source)
    answer = options.pictures.run(command, LIMITS, request, options.cancel)
    if isinstance(answer, Finished):
        raise _failure(source, answer)
    if "error" in answer:
        raise InstagramError.from_data(answer["error"])
    return PictureInfo.from_data(answer["info"])


def _failure(source: Path, finished: Finished) -> InstagramError:
    """Return the error for a process that ended without an answer about a picture."""
    if finished.timed_out or finished.returncode == -signal.SIGPROF:
        return ValidationError(
            f"{source} could not be decoded within {PICTURE_CPU_S:g} s.",
            hint="Make it smaller, or export it again.",
        )
    if finished.crashed:
        return ValidationError(
            f"{source} is damaged: the decoder ended with signal {-finished.returncode}.",
            hint="Export it again.",
        )
    return TranscodeError(f"Pillow could not convert {source}: {finished.complaint}.")
