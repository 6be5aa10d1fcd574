"""Decode or convert pictures, each in a process of its own: it may be made to crash a decoder or to fill the memory.

:mod:`~airflow_provider_instagram.media.picture` runs this script with limits. Its argument is the
    path of Python.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_instagram.media.fork_server import Message
    from airflow_provider_instagram.media.info import PictureInfo


def main() -> None:
    """Load Pillow once, and do what is asked for each picture in a copy of this process."""
    from airflow_provider_instagram.media import _pillow
    from airflow_provider_instagram.media.fork_server import serve

    warnings.simplefilter("ignore")  # Pillow's, about what is checked here anyway
    gc.freeze()  # the copies share what is not touched
    serve(lambda request: _pillow.load_format_of(Path(request["source"])), answer)


def answer(request: Message) -> Message:
    """Return the properties of a picture, or of its JPEG, or why it cannot be used. SIGPROF ends what takes long."""
    from airflow_provider_instagram.exceptions import InstagramError, ValidationError
    from airflow_provider_instagram.media._launch import limit

    path = request["source"]
    limit(resource.RLIMIT_FSIZE, request["spec"]["max_size_bytes"])
    signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
    try:
        return {"info": asdict(carry_out(request))}
    except InstagramError as error:
        refusal = error
    except MemoryError:
        refusal = ValidationError(f"{path} needs too much memory.", hint="Make it smaller.")
    except Exception as error:  # noqa: BLE001  a damaged file can raise anything in a decoder
        why = str(error).rstrip(".") or type(error).__name__
        refusal = ValidationError(
            f"{path} is damaged: {why}.",
            hint="Copy or export it again, and check that it opens.",
        )
    return {"error": refusal.as_data()}


def carry_out(request: Message) -> PictureInfo:
    """Return the properties of the picture or of its JPEG."""
    from airflow_provider_instagram.media import _pillow
    from airflow_provider_instagram.media.spec import PictureSpec

    spec = PictureSpec(**request["spec"])
    source = Path(request["source"])
    if request["output"] is None:
        return _pillow.read(source, spec if request["only_if_it_complies"] else None)
    output = Path(request["output"])
    return _pillow.convert(source, output, spec, request["fit"], request["background"])


if __name__ == "__main__":
    sys.path[:0] = json.loads(sys.argv[1])
    main()
