"""Videos and ffmpeg: probe a file, find out what it lacks for Instagram, and make it comply at the lowest cost."""

from __future__ import annotations
