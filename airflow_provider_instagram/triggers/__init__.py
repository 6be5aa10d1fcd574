"""What runs in the triggerer: the triggers of containers and of new comments, and the poller of an account.

What a task does when it resumes does not belong here.
"""

from __future__ import annotations

from airflow_provider_instagram.triggers.comment import InstagramCommentTrigger
from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

__all__ = ["ContainerStatusTrigger", "InstagramCommentTrigger"]
