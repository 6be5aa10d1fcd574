"""Which files are opened at all."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    import os
    from pathlib import Path


def regular_file(path: Path) -> os.stat_result:
    """Return the status of a file that can be read to its end: a pipe or a device would be waited for.

    :param path: A local file, or a link to one.
    :raises ValidationError: When it is missing, not a regular file, or out of reach.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        raise ValidationError(f"The name of {path!r} is not UTF-8.", hint="Rename the file.")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ValidationError(
            f"There is no file {path} on this worker.",
            hint="Check the path. When another worker made the file, let it write to storage that both reach: set "
            "output= of TranscodeOperator, or work_prefix in the section [instagram] of Airflow's configuration.",
        ) from None
    except OSError as error:
        raise ValidationError(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ValidationError(
            f"{path} is not a regular file.", hint="Name a video file, not a directory, pipe or device."
        )
    return status
