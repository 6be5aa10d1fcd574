"""The operator link from a task to its post."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator, BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class InstagramPostLink(BaseOperatorLink):
    """Link to the post on Instagram. Airflow reads the link in the worker when the task ends, and stores it."""

    name = "View on Instagram"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the post's permalink."""
        from airflow_provider_instagram.utils.addresses import safe_link

        return safe_link(getattr(operator, "permalink", None)) or ""
