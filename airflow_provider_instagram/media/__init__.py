"""Video as ffmpeg sees it: what a file is, what it lacks for Instagram, and the cheapest way to make it comply."""

from __future__ import annotations
