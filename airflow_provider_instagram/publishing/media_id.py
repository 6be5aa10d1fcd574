"""How an argument names a published post."""

from __future__ import annotations

from typing import Any

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils import arguments


def read_media_id(given: Any) -> str:
    """Read a media id, also from what PublishOperator returns.

    :param given: The value of the argument.
    :raises ValidationError: If the value is not a media id, or contains none.
    """
    media_id = arguments.text("media_id", given.get("media_id") if isinstance(given, dict) else given)
    if media_id is None:
        raise ValidationError(
            "There is no media id.",
            hint="If the publish task succeeded without a media id, its post is live but could not be told apart from "
            "others. Then use the Instagram app.",
        )
    if not (media_id.isascii() and media_id.isdigit()):
        raise ValidationError(
            f"{media_id[:80]!r} is not a media id.",
            hint="Pass the output of the publish task, publish.output, or its media_id: publish.output['media_id'].",
        )
    return media_id
