"""The video of all scenarios."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_reel(path: Path) -> Path:
    """Make 3 s of a reel that complies as it is."""
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=540x960:rate=30:duration=3"),
            *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3", "-c:v", "libx264"),
            *("-preset", "ultrafast", "-b:v", "2M", "-maxrate", "3M", "-bufsize", "3M", "-bf", "0", "-flags", "+cgop"),
            *("-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
            *("-color_range", "tv", "-c:a", "aac", "-ac", "2", "-movflags", "+faststart", "-use_editlist", "0"),
            str(path),
        ],
        check=True,
    )
    return path
