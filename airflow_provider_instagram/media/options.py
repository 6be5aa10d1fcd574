"""The options of a transcode, for videos and for pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.media.process import Cancel

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.media.progress import Progress
    from airflow_provider_instagram.media.spec import Fit, Trim


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a transcode, for videos and for pictures.

    :param fit: How to fit into a frame of another aspect ratio.
    :param background: The colour around it, and behind transparent parts.
    :param trim: What to do with a video that is too long.
    :param ffmpeg: The program, by name or path.
    :param ffprobe: The program, by name or path.
    :param on_progress: Called with the progress of a video's encoding.
    :param cancel: Ends the work early.
    """

    fit: Fit = "pad"
    background: str = "black"
    trim: Trim = "error"
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    on_progress: Callable[[Progress], None] = lambda _: None
    cancel: Cancel = field(default_factory=Cancel)

    def of_plan(self) -> dict[str, Any]:
        """Return the options on which the plan for a video depends."""
        return {"fit": self.fit, "background": self.background, "trim": self.trim}
