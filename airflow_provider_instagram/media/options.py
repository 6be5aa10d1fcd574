"""The options of a transcode, for videos and for pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import Fit, Trim

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.media.progress import Progress
    from airflow_provider_instagram.utils.process import Cancel

#: The syntax of a colour. ffmpeg decides whether a name exists.
COLOUR: Final = "([A-Za-z]{3,30}|(#|0x)[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?)(@(0x[0-9A-Fa-f]{2}|[01]|0?[.][0-9]{1,6}))?"


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
    :raises ValidationError: If an option, which may come from a user or a template, is not valid.
    """

    fit: Fit = "pad"
    background: str = "black"
    trim: Trim = "error"
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    on_progress: Callable[[Progress], None] = lambda _: None
    cancel: Cancel | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("fit", self.fit, get_args(Fit)), ("trim", self.trim, get_args(Trim))):
            if value not in known:
                raise ValidationError(f"{name}={value!r} is not valid.", hint=f"Use one of: {', '.join(known)}.")
        if not re.fullmatch(COLOUR, self.background):
            raise ValidationError(
                f"background={self.background!r} is not a colour.",
                hint="Use a name such as white, #rrggbb or 0xrrggbb.",
            )


DEFAULTS: Final = Options()
