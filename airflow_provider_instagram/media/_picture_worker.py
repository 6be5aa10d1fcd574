"""Decode or convert a picture, in a process of its own: it may be made to crash a decoder or to fill the memory.

:mod:`~airflow_provider_instagram.media.picture` runs this script with limits. It reads its work from its argument, and
writes its answer as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> None:
    """Print the properties of a picture, or of its JPEG, or why it cannot be used. SIGPROF ends what takes too long."""
    from airflow_provider_instagram.exceptions import TranscodeError, ValidationError

    warnings.simplefilter("ignore")  # Pillow's, about what is checked here anyway
    signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
    path = request["source"]
    try:
        answer = carry_out(request)
    except ValidationError as error:
        answer = {"error": error.message, "hint": error.hint}
    except TranscodeError:
        raise
    except MemoryError:
        answer = {"error": f"{path} needs too much memory.", "hint": "Make it smaller."}
    except Exception as error:  # noqa: BLE001  a damaged file can raise anything in a decoder
        answer = {
            "error": f"{path} is damaged: {str(error).rstrip('.') or type(error).__name__}.",
            "hint": "Copy or export it again, and check that it opens.",
        }
    print(json.dumps(answer, default=str), flush=True)  # noqa: T201  the answer


def carry_out(request: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the picture or of its JPEG, as plain data."""
    from airflow_provider_instagram.media import _pillow
    from airflow_provider_instagram.media.spec import PictureSpec

    source, output = Path(request["source"]), request["output"]
    if output is None:
        return asdict(_pillow.read(source))
    spec = PictureSpec(**request["spec"])
    return asdict(_pillow.convert(source, Path(output), spec, request["fit"], request["background"]))


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    sys.path[:0] = request["path"]
    main(request)
