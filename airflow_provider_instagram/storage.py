"""The check of a run parameter that names a file, for DAG files: ``inside_media_roots``."""

from __future__ import annotations

from airflow_provider_instagram.files.access import inside_media_roots

__all__ = ["inside_media_roots"]
