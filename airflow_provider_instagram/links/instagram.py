"""The button that leads from a task to its post."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class InstagramPostLink(BaseOperatorLink):
    """Leads to the post on Instagram. Airflow asks for it in the worker when the task ends, and keeps the answer."""

    name = "View on Instagram"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Give the post's permalink.

        :param operator: The PublishOperator that has just run.
        :param ti_key: Its task instance.
        :return: The permalink; an empty text while it is unknown, and for what a browser must not open.
        """
        from airflow_provider_instagram.graph.addresses import safe_link

        return safe_link(getattr(operator, "permalink", None)) or ""
