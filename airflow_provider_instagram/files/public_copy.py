"""Links to copies of local pictures in object storage, because Instagram takes pictures by link only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils import locations
from airflow_provider_instagram.utils.local_files import file_digest


def public_prefix(picture: Path) -> str:
    """Read ``[instagram] public_prefix``, without a slash at its end.

    :raises ValidationError: If it is not set, or is not in object storage.
    """
    prefix = str(conf.get("instagram", "public_prefix", fallback="")).strip()
    if prefix and not locations.is_local(prefix) and not locations.is_web(prefix):
        return prefix.rstrip("/")
    why = (
        f"[instagram] public_prefix is {locations.shown(prefix)}" if prefix else "[instagram] public_prefix is not set"
    )
    raise ValidationError(
        f"Instagram fetches pictures by link, and {picture} is a local file; {why}.",
        hint="Set [instagram] public_prefix to a prefix in object storage, such as s3://my_aws@bucket/instagram/. Or "
        "use the picture's https address, or its URI in object storage.",
    )


def public_link(picture: Path, life: timedelta) -> str:
    """Copy a local picture below ``[instagram] public_prefix``, unless it is there, and return a link to the copy.

    The name of the copy is the digest of its content. A copy with another content is replaced: whoever could change a
    picture while it was copied would otherwise decide what later posts with the first content show. The link is
    presigned, or below ``[instagram] public_url`` if that is set.

    :raises ValidationError: If the configuration does not fit, or the storage has no presigned links.
    """
    digest = file_digest(picture)
    name = f"{digest}.jpg"
    copy = f"{public_prefix(picture)}/{name}"
    if not _has_content(copy, digest):
        storage.put(picture, copy)
    if public_url := str(conf.get("instagram", "public_url", fallback="")).strip():
        return f"{public_url.rstrip('/')}/{name}"
    return storage.presigned(copy, life)


def _has_content(location: str, digest: str) -> bool:
    try:
        with storage.as_local_file(location) as stored:
            return file_digest(stored) == digest
    except ValidationError:  # it does not exist
        return False
