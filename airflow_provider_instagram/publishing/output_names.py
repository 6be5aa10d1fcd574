"""How the name of a transcode's result may end."""

from __future__ import annotations

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils import locations

#: How the names of files may end, by the ending of a result. A name without an ending says nothing wrong.
ENDINGS = {".mp4": (".mp4", ".m4v", ".mov", ""), ".jpg": (".jpg", ".jpeg", "")}


def check_ending(name: str, location: str | None, *suffixes: str) -> None:
    """Check that the name of a result does not promise another format.

    :param name: The name of the argument.
    :param location: Its value: a file, or a folder, which may have any name.
    :param suffixes: The formats that the result may have, as keys of ``ENDINGS``.
    :raises ValidationError: If the name ends otherwise.
    """
    if not location or location.endswith("/"):
        return
    if (found := locations.ending(location)) not in [one for suffix in suffixes for one in ENDINGS[suffix]]:
        made = " or ".join({".mp4": "an MP4", ".jpg": "a JPEG"}[suffix] for suffix in suffixes)
        raise ValidationError(
            f"{name}={locations.shown(location)!r} ends in {found}, but the result is {made}.",
            hint=f"End it in {' or '.join(suffixes)}.",
        )
