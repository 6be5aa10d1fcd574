"""The options of a transcode, for videos and for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.media.process import Cancel
    from airflow_provider_instagram.media.progress import Progress
    from airflow_provider_instagram.media.spec import Fit, Trim


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a transcode, for videos and for pictures.

    :param fit: How to fit into a frame of another aspect ratio: ``pad`` with bars, ``blur`` with a blurred copy behind
        it, or ``crop`` the excess.
    :param background: The colour of the bars, and behind transparent parts: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut off its end.
    :param ffmpeg: The program, by name or path.
    :param ffprobe: The program, by name or path.
    :param on_progress: Called with the progress of a video, at most once in five seconds, and at the end.
    :param cancel: Ends the work early.
    """

    fit: Fit = "pad"
    background: str = "black"
    trim: Trim = "error"
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    on_progress: Callable[[Progress], None] = lambda _: None
    cancel: Cancel | None = None


DEFAULTS: Final = Options()
