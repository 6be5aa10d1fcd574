"""The check of a run parameter that names a file: the name by which DAG files import it, which stays as it is."""

from __future__ import annotations

from airflow_provider_instagram.files.access import inside_media_roots

__all__ = ["inside_media_roots"]
