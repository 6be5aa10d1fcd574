"""The operators: their arguments, their order of steps, and what all our tasks share.

How a step works does not belong here: publishing, media and files hold that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.operators.comment import (
        CommentOperator,
        HideCommentOperator,
        PrivateReplyOperator,
        SwitchOffCommentsOperator,
    )
    from airflow_provider_instagram.operators.container import CreateContainerOperator
    from airflow_provider_instagram.operators.delete import DeleteOperator
    from airflow_provider_instagram.operators.insights import InsightsOperator
    from airflow_provider_instagram.operators.publish import PublishOperator
    from airflow_provider_instagram.operators.token import RefreshTokenOperator
    from airflow_provider_instagram.operators.transcode import TranscodeOperator

__all__ = [
    "CommentOperator",
    "CreateContainerOperator",
    "DeleteOperator",
    "HideCommentOperator",
    "InsightsOperator",
    "PrivateReplyOperator",
    "PublishOperator",
    "RefreshTokenOperator",
    "SwitchOffCommentsOperator",
    "TranscodeOperator",
]

_MODULES = {
    "CommentOperator": "comment",
    "CreateContainerOperator": "container",
    "DeleteOperator": "delete",
    "HideCommentOperator": "comment",
    "InsightsOperator": "insights",
    "PrivateReplyOperator": "comment",
    "PublishOperator": "publish",
    "RefreshTokenOperator": "token",
    "SwitchOffCommentsOperator": "comment",
    "TranscodeOperator": "transcode",
}


def __getattr__(name: str) -> Any:
    """Import an operator only when a DAG file uses it, to keep DAG parsing fast."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
