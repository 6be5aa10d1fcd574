"""Keys for transcodes, so that no work is repeated and a changed source is never mistaken for the old one."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media.options import DEFAULTS
from airflow_provider_instagram.media.workspace import workspace
from airflow_provider_instagram.utils.local_files import file_digest
from airflow_provider_instagram.utils.process import ProcessLimits, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_instagram.media.options import Options
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.probe import VideoInfo
    from airflow_provider_instagram.media.spec import VideoSpec

#: Increment this when the same source, profile and ffmpeg give a different result.
RECIPE: Final = 1
VERSION_LIMITS: Final = ProcessLimits(wall_s=10, cpu_s=10)


def work_key(source: Path, spec: VideoSpec, options: Options = DEFAULTS) -> str:
    """Return the key of a transcode, for the name of its output.

    :param source: A local file, which is read completely.
    :param spec: The profile.
    :param options: The options.
    :return: 24 hexadecimal digits that depend on the content, the profile, the options and the version of ffmpeg.
    :raises TranscodeError: If ffmpeg is not installed.
    """
    chosen = (options.fit, options.background, options.trim)
    return key_of(source, [RECIPE, asdict(spec), *chosen, _version(options.ffmpeg)])


def key_of(source: Path, parts: Sequence[Any]) -> str:
    """Return 24 hexadecimal digits that depend on the content of a file and on other parts.

    :param source: A local file, which is read completely.
    :param parts: Values that JSON or ``str`` can write.
    """
    recipe, *others = parts
    text = json.dumps([recipe, file_digest(source), *others], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _version(ffmpeg: str) -> str:
    finished = run([ffmpeg, "-version"], VERSION_LIMITS)
    if not finished.ok:
        raise TranscodeError(f"{ffmpeg} does not run: {finished.complaint}.", hint="Install ffmpeg 5.1 or newer.")
    return finished.stdout.partition("\n")[0]


def copy_whole(source: VideoInfo | PictureInfo, output: Path) -> None:
    """Copy a compliant file to the output, where it appears complete or not at all.

    :param source: The video or picture.
    :param output: The file to write. An existing file is replaced.
    :raises TransientError: If the source was changed after it was probed.
    """
    with workspace(output, source.size_bytes) as folder:
        shutil.copyfile(source.path, copy := folder / "copy")
        source.raise_if_changed()
        copy.replace(output)
