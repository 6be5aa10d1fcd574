"""Opens a target by a text, as the author of a DAG writes it."""

from __future__ import annotations

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.file_target import FileTarget
from airflow_provider_instagram.insights.sql_target import SqlTarget


def open_target(target: str | SqlTarget | FileTarget) -> SqlTarget | FileTarget:
    """Return a target."""
    if not isinstance(target, str):
        return target
    text = target.strip()
    if not text:
        raise ValidationError(
            "The target is empty.", hint="Use the id of a database's connection, or a folder or prefix for files."
        )
    return FileTarget(text) if "/" in text else SqlTarget(text)
