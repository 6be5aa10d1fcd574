"""See the main job work: ``make demo`` and ``make ui``."""

from __future__ import annotations
