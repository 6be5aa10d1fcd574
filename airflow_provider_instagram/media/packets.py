"""The timestamps of a file's packets: its real frame rate, duration and bit rate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.process import ProcessLimits, run

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Cancel

#: The most packets of priming that an AAC encoder puts before the audio, plus one.
FIRST_PACKETS: Final = 4
HALF_A_TICK_S: Final = 0.0005
ENTRIES: Final = "packet=stream_index,pts_time,dts_time,duration_time,size,flags"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The packets of one stream that a player shows.

    :param start_s: The timestamp of the first shown packet, in seconds.
    :param end_s: The end of the last shown packet, in seconds.
    :param longest_s: The longest time from one packet to the next, in seconds.
    :param open_gop: Whether a frame that follows a keyframe in the file is shown before it, or no
        keyframe comes first.
    :param largest_step_s: The largest step from one timestamp to the next in the file, forward or
        back, in seconds.
    :param first_timestamps_s: The timestamps of the first few packets of the file, including hidden
        ones, in seconds.
    """

    count: int = 0
    hidden: int = 0
    size_bytes: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    longest_s: float = 0.0
    shortest_s: float = 0.0
    open_gop: bool = False
    largest_step_s: float = 0.0
    first_timestamps_s: tuple[float, ...] = ()

    @property
    def duration_s(self) -> float:
        """The duration of the shown packets, in seconds."""
        return self.end_s - self.start_s

    def packets_before(self, moment_s: float) -> int:
        """Return how many of the first packets to drop, so that the next one is shown closest to a given time."""
        return min(
            enumerate(self.first_timestamps_s), key=lambda numbered: abs(numbered[1] - moment_s)
        )[0]

    @property
    def rate(self) -> float:
        """Packets per second. For a video, the mean frame rate."""
        return self.count / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def bits_per_s(self) -> float:
        """Mean bit rate, in bits per second."""
        return self.size_bytes * 8 / self.duration_s if self.duration_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Packet:
    timestamp_s: float
    duration_s: float
    size_bytes: int
    is_keyframe: bool
    is_hidden: bool


def read_timelines(
    path: Path,
    indexes: Sequence[int],
    ffprobe: Sequence[str],
    limits: ProcessLimits,
    cancel: Cancel | None,
    *,
    starts_at_zero: bool = False,
) -> tuple[dict[int, Timeline], str]:
    """Read the packets of a file.

    :param ffprobe: The program and its arguments that open the file.
    :param starts_at_zero: Whether packets that end at 0 or before are hidden, although ffprobe does
        not mark them.
    :return: The timeline of each stream, and ffprobe's error output.
    :raises ValidationError: If the file cannot be read to its end.
    """
    packets: dict[int, list[_Packet]] = {index: [] for index in indexes}

    def read_line(line: str) -> None:
        index, packet = _parse_packet(line, starts_at_zero=starts_at_zero)
        if packet is not None and index in packets:
            packets[index].append(packet)

    finished = run(
        [*ffprobe, "-show_entries", ENTRIES, "-of", "csv=p=0"],
        limits,
        cancel=cancel,
        on_line=read_line,
    )
    if finished.timed_out:
        raise ValidationError(
            f"{path} could not be read within {limits.wall_s:.0f} s.",
            hint="The file is damaged or malicious, or this machine is overloaded.",
        )
    if not finished.ok:
        raise ValidationError(
            f"{path} could not be read to its end ({finished.complaint}).",
            hint="Copy or export it again.",
        )
    return {index: _timeline(stream) for index, stream in packets.items()}, finished.stderr


def _parse_packet(line: str, *, starts_at_zero: bool) -> tuple[int, _Packet | None]:
    """Return the stream and the packet of a line from ffprobe. A line without a timestamp has no packet."""
    index, pts, dts, duration, size, flags, *_ = f"{line},,,,,".split(",")
    timestamp_s = _number(pts, _number(dts, None))
    if not index.isdigit() or timestamp_s is None:
        return -1, None
    duration_s = _number(duration, 0.0) or 0.0
    return int(index), _Packet(
        timestamp_s,
        duration_s,
        int(size or 0),
        is_keyframe="K" in flags,
        is_hidden="D" in flags or (starts_at_zero and timestamp_s + duration_s < HALF_A_TICK_S),
    )


def _number(text: str, default: float | None) -> float | None:
    try:
        return float(text)
    except ValueError:
        return default


def _timeline(packets: list[_Packet]) -> Timeline:
    shown = sorted(
        (packet for packet in packets if not packet.is_hidden),
        key=lambda packet: packet.timestamp_s,
    )
    if not shown:
        return Timeline(hidden=len(packets))
    steps = [after.timestamp_s - before.timestamp_s for before, after in itertools.pairwise(shown)]
    usual_s = sorted(steps)[len(steps) // 2] if steps else 0.0
    last = shown[-1]
    return Timeline(
        count=len(shown),
        hidden=len(packets) - len(shown),
        size_bytes=sum(packet.size_bytes for packet in packets),
        start_s=shown[0].timestamp_s,
        end_s=last.timestamp_s + (last.duration_s or usual_s),
        longest_s=max(steps, default=0.0),
        shortest_s=min(steps, default=0.0),
        open_gop=_has_leading_frames(packets),
        largest_step_s=max(
            (
                after.timestamp_s - before.timestamp_s
                for before, after in itertools.pairwise(packets)
            ),
            key=abs,
            default=0.0,
        ),
        first_timestamps_s=tuple(packet.timestamp_s for packet in packets[:FIRST_PACKETS]),
    )


def _has_leading_frames(packets: list[_Packet]) -> bool:
    keyframe_s = float("inf")
    for packet in packets:
        if packet.is_keyframe:
            keyframe_s = packet.timestamp_s
        elif packet.timestamp_s < keyframe_s:
            return True
    return False
