"""Compare the transcode of a video with plain ffmpeg, as ratios within one run.

    python -m benchmarks.media [--seconds 60] [--pairs 3]

The commands to compare with are written here by hand, and do not come from the provider.
Exit code 1: a bound was exceeded. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.program import as_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = """
ffmpeg -v error -y -f lavfi -i "mandelbrot=s=1920x1080:r=30,noise=alls=6:allf=t" -f lavfi -i "sine=f=220:r=48000"
    -t {seconds} -c:v libx264 -preset veryfast -crf 16 -pix_fmt yuv420p -c:a aac -b:a 160k {output}
"""

BY_HAND = """
ffmpeg -v error -y -i {source}
    -vf "scale=1080:608:flags=bicubic,pad=1080:1920:-1:-1,setsar=1,format=yuv420p"
    -c:v libx264 -preset medium -profile:v high -b:v {video_bps} -maxrate 4750000 -bufsize 4750000 -g 60
    -c:a aac -b:a 128k -ar 48000 -ac 2
    -movflags +faststart {output}
"""

COMPARE = """
ffmpeg -nostats -i {made} -i {source}
    -lavfi "[0:v]setparams=range=tv:colorspace=bt709,settb=1/30,setpts=N,fps=30[made];
        [1:v]scale=1080:608:flags=bicubic,pad=1080:1920:-1:-1,setsar=1,format=yuv420p,
        setparams=range=tv:colorspace=bt709,settb=1/30,setpts=N,fps=30[wanted];
        [made][wanted]xpsnr"
    -f null -
"""

WHOLE = """
import sys
from pathlib import Path
from airflow_provider_instagram.media.spec import REELS
from airflow_provider_instagram.media.video import VideoItem
item = VideoItem.read(Path(sys.argv[1]), REELS)
print(item.write(Path(sys.argv[1 if item.complies else 2])).plan.tier)
"""


@dataclass(frozen=True)
class Cost:
    """The resource usage of one run.

    :param seconds: By the clock.
    :param cpu_seconds: Of the processor, which other work on the machine does not change much.
    :param peak_mb: Memory of its largest process.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def hand(command: str, **names: object) -> list[str]:
    """Return the arguments of a command that is written above."""
    return shlex.split(command.format(**names))


def script(text: str, *arguments: object) -> list[str]:
    """Return the command that runs a script that is written above."""
    return [sys.executable, "-c", text, *map(str, arguments)]


def cost(*commands: Sequence[str]) -> Cost:
    """Run commands at the same time, and return their total resource usage."""
    started = time.monotonic()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    peaks, cpu_seconds = [], 0.0
    try:
        for process in running:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, commands
            peaks.append(usage.ru_maxrss / 1000)
            cpu_seconds += usage.ru_utime + usage.ru_stime
    finally:
        for process in running:
            process.terminate()
    return Cost(time.monotonic() - started, cpu_seconds, max(peaks))


def xpsnr(made: Path, source: Path) -> float:
    """Return the similarity of a result to its source, as the PSNR of the luma plane in decibels."""
    said = subprocess.run(
        hand(COMPARE, made=made, source=source), check=True, capture_output=True, text=True
    ).stderr
    found = re.search(r"XPSNR\s+y: (\S+)", said)
    assert found, said[-500:]
    return float(found[1])


def video_bps(path: Path) -> int:
    """Return the mean bit rate of the video stream, in bits per second."""
    entry = ("-select_streams", "v", "-show_entries", "stream=bit_rate", "-of", "csv=p=0")
    return int(
        subprocess.run(
            ["ffprobe", "-v", "error", *entry, str(path)], check=True, capture_output=True
        ).stdout
    )


def main() -> int:
    """Measure all of it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the clip")
    parser.add_argument(
        "--pairs", type=int, default=3, help="how often the transcode and the command run in turn"
    )
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as name:
        for label, value, sign, bound in videos(Path(name), options.seconds, options.pairs):
            kept = value <= bound if sign == "<=" else value >= bound
            missed |= not kept
            print(
                f"{label:<62}  {value:8.2f}  {sign} {bound:g}  {'ok' if kept else 'MISSED'}",
                flush=True,
            )
    return int(missed)


def videos(folder: Path, seconds: int, pairs: int) -> Iterator[tuple[str, float, str, float]]:
    """Transcode a video, and yield the ratios with their bounds. What is compared runs in turn."""
    source, ours, by_hand = (folder / f"{name}.mp4" for name in ("source", "ours", "by-hand"))
    subprocess.run(hand(SOURCE, seconds=seconds, output=source), check=True)
    cost(script(WHOLE, source, ours))
    command = hand(BY_HAND, source=source, video_bps=video_bps(ours), output=by_hand)
    both = [(cost(script(WHOLE, source, ours)), cost(command)) for _ in range(pairs)]
    for number, (whole, plain) in enumerate(both, 1):
        print(
            f"pair {number}, {seconds} s clip: ours {whole.seconds:.2f} s, processor {whole.cpu_seconds:.2f} s;"
            f" by hand {plain.seconds:.2f} s, processor {plain.cpu_seconds:.2f} s"
        )
    clock = statistics.median(whole.seconds / plain.seconds for whole, plain in both)
    processor = statistics.median(whole.cpu_seconds / plain.cpu_seconds for whole, plain in both)
    whole_s = statistics.median(whole.seconds for whole, _ in both)
    plain_s = statistics.median(plain.seconds for _, plain in both)
    yield "all of it (probe, loudness, check), to the command by hand", clock, "<=", 1.05
    yield "the same in processor time", processor, "<=", 1.05
    peaks = [max(cost.peak_mb for cost in side) for side in zip(*both, strict=True)]
    yield "peak memory of a process, to ffmpeg's by hand", peaks[0] / peaks[1], "<=", 1.25
    copied = cost(script(WHOLE, by_hand, folder / "copied.mp4"))
    passed = cost(script(WHOLE, ours, folder / "none.mp4"))
    assert (folder / "copied.mp4").exists()
    assert not (folder / "none.mp4").exists()
    yield "the encode, to a copy (remux)", plain_s / copied.seconds, ">=", 50 * seconds / 60
    yield "the encode, to doing nothing (pass)", plain_s / passed.seconds, ">=", 100 * seconds / 60
    twice = cost(script(WHOLE, source, folder / "1.mp4"), script(WHOLE, source, folder / "2.mp4"))
    yield "two at once, to one after the other", twice.seconds / (2 * whole_s), "<=", 1.15
    rival = of_the_same_bit_rate(ours, source, by_hand)
    print(
        "video:",
        ", ".join(f"{path.stem} {video_bps(path) / 1e6:.3f} Mb/s" for path in (ours, rival)),
    )
    yield "XPSNR by hand minus ours, dB", xpsnr(rival, source) - xpsnr(ours, source), "<=", 0.1


def of_the_same_bit_rate(ours: Path, source: Path, by_hand: Path) -> Path:
    """Encode by hand again at our bit rate, because ffmpeg does not meet the requested bit rate exactly."""
    rival = by_hand.with_name("rival.mp4")
    asked = video_bps(ours) ** 2 // video_bps(by_hand)
    subprocess.run(hand(BY_HAND, source=source, video_bps=asked, output=rival), check=True)
    return rival


if __name__ == "__main__":
    as_program(main)
