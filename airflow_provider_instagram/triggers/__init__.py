"""What runs in the triggerer: the trigger of a container, and the poller that all triggers of an account share.

What a task does when it resumes does not belong here.
"""

from __future__ import annotations

from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

__all__ = ["ContainerStatusTrigger"]
