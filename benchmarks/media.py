"""Compare the media room with plain ffmpeg, as ratios within one run.

    python benchmarks/media.py [--seconds 60]

The ffmpeg commands to compare with are written here by hand, and do not come from the provider.
Exit code 1: a bound was exceeded. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PICTURES = 24

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
from airflow_provider_instagram.media.transcode import transcode
print(transcode(Path(sys.argv[1]), Path(sys.argv[2]), REELS).tier)
"""

ENCODE_ONLY = """
import sys
from pathlib import Path
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.plan import plan
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.process import ProcessLimits, run
from airflow_provider_instagram.media.spec import REELS
info = probe(Path(sys.argv[1]))
words = command.full(info, REELS, plan(info, REELS), None, Path(sys.argv[2]))
assert run(["ffmpeg", *words], ProcessLimits(3600, 7200, output_bytes=10**8)).ok
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

    @classmethod
    def mean(cls, *costs: Cost) -> Cost:
        """The mean of several runs of one thing."""
        count = len(costs)
        return cls(
            sum(cost.seconds for cost in costs) / count,
            sum(cost.cpu_seconds for cost in costs) / count,
            max(cost.peak_mb for cost in costs),
        )


def hand(command: str, **names: object) -> list[str]:
    """Return the arguments of a command that is written above."""
    return shlex.split(command.format(**names))


def product(script: str, source: Path, output: Path) -> list[str]:
    """Return the arguments that run one of our own steps in its own process."""
    return [sys.executable, "-c", script, str(source), str(output)]


def cost(*commands: Sequence[str]) -> Cost:
    """Run commands at the same time, and return their total resource usage."""
    started = time.monotonic()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    peaks, cpu_seconds = [], 0.0
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, commands
        peaks.append(usage.ru_maxrss / 1000)
        cpu_seconds += usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - started, cpu_seconds, max(peaks))


def xpsnr(made: Path, source: Path) -> float:
    """Return the similarity of a result to its source, as the PSNR of the luma plane in decibels."""
    said = subprocess.run(hand(COMPARE, made=made, source=source), check=True, capture_output=True, text=True).stderr
    found = re.search(r"XPSNR\s+y: (\S+)", said)
    assert found, said[-500:]
    return float(found[1])


def video_bps(path: Path) -> int:
    """Return the mean bit rate of the video stream, in bits per second."""
    entry = ("-select_streams", "v", "-show_entries", "stream=bit_rate", "-of", "csv=p=0")
    return int(subprocess.run(["ffprobe", "-v", "error", *entry, str(path)], check=True, capture_output=True).stdout)


def main() -> int:
    """Measure all of it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the clip")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        missed = False
        for label, value, sign, bound in itertools.chain(
            measure(Path(name), seconds), pictures.measure(Path(name), PICTURES)
        ):
            kept = value <= bound if sign == "<=" else value >= bound
            missed |= not kept
            print(f"{label:<62}  {value:8.2f}  {sign} {bound:g}  {'ok' if kept else 'MISSED'}", flush=True)
    return int(missed)


def measure(folder: Path, seconds: int) -> Iterator[tuple[str, float, str, float]]:
    """Run everything once, and return the ratios with their bounds."""
    source, ours, only, by_hand = (folder / f"{name}.mp4" for name in ("source", "ours", "only", "by-hand"))
    subprocess.run(hand(SOURCE, seconds=seconds, output=source), check=True)
    whole = cost(product(WHOLE, source, ours))
    plain = cost(hand(BY_HAND, source=source, video_bps=video_bps(ours), output=by_hand))
    encode = cost(product(ENCODE_ONLY, source, only))
    copied = cost(product(WHOLE, by_hand, folder / "copied.mp4"))
    passed = cost(product(WHOLE, ours, folder / "none.mp4"))
    assert (folder / "copied.mp4").exists()
    assert not (folder / "none.mp4").exists()
    twice = cost(product(WHOLE, source, folder / "1.mp4"), product(WHOLE, source, folder / "2.mp4"))
    again = cost(product(WHOLE, source, ours))
    all_of_it = Cost.mean(whole, again)
    times = {
        "by hand": plain,
        "encode": encode,
        "whole": all_of_it,
        "two at once": twice,
        "copy": copied,
        "pass": passed,
    }
    print(f"{seconds} s clip:", ", ".join(f"{name} {took.seconds:.2f} s" for name, took in times.items()))
    print("processor time:", ", ".join(f"{name} {took.cpu_seconds:.2f} s" for name, took in times.items()))
    yield "encode alone, to the command by hand", encode.seconds / plain.seconds, "<=", 1.05
    yield "the same in processor time", encode.cpu_seconds / plain.cpu_seconds, "<=", 1.05
    yield "all of it (probe, loudness, check), to the command by hand", all_of_it.seconds / plain.seconds, "<=", 1.05
    yield "the same in processor time", all_of_it.cpu_seconds / plain.cpu_seconds, "<=", 1.10
    yield "the encode, to a copy (remux)", plain.seconds / copied.seconds, ">=", 50 * seconds / 60
    yield "the encode, to doing nothing (pass)", plain.seconds / passed.seconds, ">=", 100 * seconds / 60
    yield "peak memory, to ffmpeg's by hand", whole.peak_mb / plain.peak_mb, "<=", 1.25
    yield "two at once, to one after the other", twice.seconds / (2 * all_of_it.seconds), "<=", 1.15
    rival = of_the_same_bit_rate(ours, source, by_hand)
    print("video:", ", ".join(f"{path.stem} {video_bps(path) / 1e6:.3f} Mb/s" for path in (ours, rival)))
    yield "XPSNR by hand minus ours, dB", xpsnr(rival, source) - xpsnr(ours, source), "<=", 0.1


def of_the_same_bit_rate(ours: Path, source: Path, by_hand: Path) -> Path:
    """Encode by hand again at our bit rate, because ffmpeg does not meet the requested bit rate exactly."""
    rival = by_hand.with_name("rival.mp4")
    asked = video_bps(ours) ** 2 // video_bps(by_hand)
    subprocess.run(hand(BY_HAND, source=source, video_bps=asked, output=rival), check=True)
    return rival


if __name__ == "__main__":
    sys.exit(main())
