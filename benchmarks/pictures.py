"""Compare the pictures of a carousel with plain Pillow, as a ratio within one run.

    python -m benchmarks.pictures [--pictures 10] [--pairs 3]

Ours is TranscodeOperator as Airflow executes it: one task with all pictures, in a process that
Airflow has started already. The processes that it starts for the pictures count. The script to
compare with is written here by hand. Exit code 1: a bound was exceeded. Run it on a machine that
does nothing else.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.media import Cost, cost, script
from benchmarks.program import as_program

#: How many times as many pictures as the script. See benchmarks/README.md before you lower it.
LEAST_CLOCK = 2.0
LEAST_PROCESSOR = 1.2

#: Photos of twelve megapixels, as phones take them.
MAKE_PICTURES = """
import random, sys
from pathlib import Path
from PIL import Image
folder, count = Path(sys.argv[1]), int(sys.argv[2])
base = Image.effect_mandelbrot((1000, 750), (-2, -1.5, 1, 1.5), 100).resize((4032, 3024))
grain = Image.effect_noise((4032, 3024), 40)
photo = Image.merge("RGB", [Image.blend(base, grain, share) for share in (0.2, 0.3, 0.4)])
photo.save(folder / "0.jpg", quality=92)
for number in range(1, count):
    (folder / f"{number}.jpg").write_bytes((folder / "0.jpg").read_bytes())
"""

#: What a person who knows Pillow would write.
PICTURES_BY_HAND = """
import sys
from pathlib import Path
from PIL import Image, ImageOps
for path in sorted(Path(sys.argv[1]).glob("*.jpg")):
    with Image.open(path) as picture:
        picture = ImageOps.exif_transpose(picture).convert("RGB")
        picture = picture.resize((1440, 1080), Image.Resampling.LANCZOS)
        picture.save(Path(sys.argv[2]) / path.name, quality=95, subsampling=0)
"""


def main() -> int:
    """Convert the same pictures in turn, and print the ratios with their bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10, help="how many pictures")
    parser.add_argument("--pairs", type=int, default=3, help="how often both run in turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["AIRFLOW_HOME"] = name
        photos, by_hand = Path(name, "photos"), Path(name, "by-hand")
        photos.mkdir()
        by_hand.mkdir()
        cost(script(MAKE_PICTURES, photos, options.pictures))
        both = [
            (
                cost(script(PICTURES_BY_HAND, photos, by_hand)),
                of_the_task(photos, Path(name, f"ours-{number}")),
            )
            for number in range(options.pairs)
        ]
    for number, (plain, ours) in enumerate(both, 1):
        sides = (("ours", ours), ("by hand", plain))
        spent = "; ".join(
            f"{name} {one.seconds:.2f} s, processor {one.cpu_seconds:.2f} s" for name, one in sides
        )
        print(f"pair {number}, {options.pictures} pictures: {spent}")
    print(f"processors: {len(os.sched_getaffinity(0))}")
    rows = (
        (
            "pictures per second, to Pillow by hand",
            [plain.seconds / ours.seconds for plain, ours in both],
            LEAST_CLOCK,
        ),
        (
            "the same by processor time",
            [plain.cpu_seconds / ours.cpu_seconds for plain, ours in both],
            LEAST_PROCESSOR,
        ),
    )
    for label, ratios, least in rows:
        value = statistics.median(ratios)
        print(f"{label:<62}  {value:8.2f}  >= {least:g}  {'ok' if value >= least else 'MISSED'}")
    return int(any(statistics.median(ratios) < least for _, ratios, least in rows))


def of_the_task(photos: Path, output: Path) -> Cost:
    """Execute the task as Airflow does, which has imported the operator before, and return what that cost."""
    from airflow_provider_instagram.operators import TranscodeOperator
    from airflow_provider_instagram.publishing import transcode  # noqa: F401  what a task imports once

    logging.disable()
    sources = [str(path) for path in sorted(photos.glob("*.jpg"))]
    task = TranscodeOperator(
        task_id="transcode", source=sources, output=f"{output}/", placement="carousel"
    )
    pushed: dict[str, Any] = {}
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))}
    started, used = time.monotonic(), cpu_s()
    task.execute(context)
    seconds, cpu_seconds = time.monotonic() - started, cpu_s() - used
    assert {(one["after"]["columns"], one["after"]["rows"]) for one in pushed["report"]} == {
        (1440, 1080)
    }
    return Cost(seconds, cpu_seconds, 0.0)


def cpu_s() -> float:
    """Return the processor time of this process and of those that it has started and that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


if __name__ == "__main__":
    as_program(main)
