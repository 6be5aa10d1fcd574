"""Pictures per second beside a short Pillow script, as ratios within one run.

    python benchmarks/pictures.py [--pictures 24]

Exits with 1 if a bound is missed. Run it on a machine that does nothing else. :mod:`benchmarks.media` runs it too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Photos of twelve megapixels, as phones take them.
MAKE = """
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
BY_HAND = """
import sys
from pathlib import Path
from PIL import Image, ImageOps
for path in sorted(Path(sys.argv[1]).glob("*.jpg")):
    with Image.open(path) as picture:
        picture = ImageOps.exif_transpose(picture).convert("RGB")
        picture = picture.resize((1440, 1080), Image.Resampling.LANCZOS)
        picture.save(Path(sys.argv[2]) / path.name, quality=95, subsampling=0)
"""

OURS = """
import sys
from pathlib import Path
from airflow_provider_instagram.media.pictures import PictureJob, transcode_pictures
from airflow_provider_instagram.media.spec import FEED_PICTURE
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
for report in transcode_pictures([PictureJob(path, Path(sys.argv[2]) / path.name, FEED_PICTURE) for path in paths]):
    assert (report.after.columns, report.after.rows) == (1440, 1080)
"""


def seconds_of(script: str, *arguments: object) -> float:
    """Return how long a script runs in a process of its own."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", script, *map(str, arguments)], check=True)
    return time.monotonic() - started


def measure(folder: Path, count: int) -> Iterator[tuple[str, float, str, float]]:
    """Convert the same pictures in turn, and yield the ratio with its bound."""
    (photos := folder / "photos").mkdir()
    for name in ("ours", "by-hand"):
        (folder / name).mkdir()
    seconds_of(MAKE, photos, count)
    ours, hand = [], []
    for _ in range(3):
        hand.append(seconds_of(BY_HAND, photos, folder / "by-hand"))
        ours.append(seconds_of(OURS, photos, folder / "ours"))
    print(f"{count} pictures: by hand {count / min(hand):.1f} per second, ours {count / min(ours):.1f} per second")
    yield "pictures per second, to Pillow by hand", min(hand) / min(ours), ">=", 0.9


def main() -> int:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=24, help="how many pictures")
    with tempfile.TemporaryDirectory() as name:
        results = list(measure(Path(name), parser.parse_args().pictures))
    for label, value, sign, bound in results:
        print(f"{label:<62}  {value:8.2f}  {sign} {bound:g}  {'ok' if value >= bound else 'MISSED'}")
    return int(any(value < bound for _, value, _, bound in results))


if __name__ == "__main__":
    sys.exit(main())
