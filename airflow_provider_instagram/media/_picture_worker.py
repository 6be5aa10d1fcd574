"""Decode or convert pictures, each in a process of its own: it may be made to crash a decoder or to fill the memory.

:mod:`~airflow_provider_instagram.media.picture` runs this script with limits. Its argument is the
    path of Python.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any


def main() -> None:
    """Load Pillow once, and do what is asked for each picture in a copy of this process."""
    from airflow_provider_instagram.media import _pillow
    from airflow_provider_instagram.media.fork_server import serve
    from airflow_provider_instagram.media.kind import HEAD_BYTES

    warnings.simplefilter("ignore")  # Pillow's, about what is checked here anyway
    gc.freeze()  # the copies share what is not touched
    serve(lambda files: _pillow.load_format(os.pread(files[0], HEAD_BYTES, 0)), answer)


def answer(request: dict[str, Any], files: list[int]) -> None:
    """Print the properties of a picture, or of its JPEG, or why it cannot be used. SIGPROF ends what takes too long."""
    from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
    from airflow_provider_instagram.media._launch import limit

    path = request["source"]
    limit(resource.RLIMIT_FSIZE, request["spec"]["max_size_bytes"])
    signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
    try:
        answer = carry_out(request, files)
    except ValidationError as error:
        answer = {"error": error.message, "hint": error.hint}
    except TranscodeError as error:
        print(error.message.removesuffix("."), file=sys.stderr)  # noqa: T201  read as the complaint of a program
        sys.exit(1)
    except MemoryError:
        answer = {"error": f"{path} needs too much memory.", "hint": "Make it smaller."}
    except Exception as error:  # noqa: BLE001  a damaged file can raise anything in a decoder
        answer = {
            "error": f"{path} is damaged: {str(error).rstrip('.') or type(error).__name__}.",
            "hint": "Copy or export it again, and check that it opens.",
        }
    print(json.dumps(answer, default=str))  # noqa: T201  the answer


def carry_out(request: dict[str, Any], files: list[int]) -> dict[str, Any]:
    """Return the properties of the picture or of its JPEG, as plain data."""
    from airflow_provider_instagram.media import _pillow
    from airflow_provider_instagram.media.spec import PictureSpec

    spec, fit, source = PictureSpec(**request["spec"]), request["fit"], Path(request["source"])
    with os.fdopen(files[0], "rb") as file:
        if request["output"] is None:
            return asdict(
                _pillow.read(source, file, spec if request["only_if_it_complies"] else None)
            )
        with os.fdopen(files[1], "w+b") as made:
            output = Path(request["output"])
            return asdict(
                _pillow.convert(source, file, output, made, spec, fit, request["background"])
            )


if __name__ == "__main__":
    sys.path[:0] = json.loads(sys.argv[1])
    main()
