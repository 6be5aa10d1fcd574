"""See the main job work: ``make demo`` and ``make ui``. Only what a demonstration needs belongs here."""

from __future__ import annotations
