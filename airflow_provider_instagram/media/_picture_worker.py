"""Decode and convert pictures, in a process of its own: a picture may be made to crash a decoder or to fill the memory.

:mod:`~airflow_provider_instagram.media.pictures` runs this script with limits. It reads its jobs from its argument, and
writes a line of JSON for each.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.media.picture import PictureInfo

#: A picture is read only once this is set, so that a JPEG that lacks its end is an error.
SMALLEST: Final = (1, 1)


def main(jobs: list[dict[str, Any]], picture_cpu_s: float) -> None:
    """Carry out the jobs, until one of them fails.

    :param jobs: For each, the fields of a job of ``pictures``.
    :param picture_cpu_s: CPU time for each picture, in seconds. If it is exceeded, SIGPROF ends this process.
    """
    from airflow_provider_instagram.exceptions import TranscodeError, ValidationError

    warnings.simplefilter("ignore")  # Pillow's, about what is checked here anyway
    for job in jobs:
        signal.setitimer(signal.ITIMER_PROF, picture_cpu_s)
        path = job["source"]
        try:
            answer = carry_out(job)
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
        if "error" in answer:
            return


def carry_out(job: dict[str, Any]) -> dict[str, Any]:
    """Check one picture, and convert it if it does not comply and an output is given.

    :param job: The fields of a job.
    :return: The properties before and after, as plain data.
    """
    from airflow_provider_instagram.media.picture_file import opened, read_info
    from airflow_provider_instagram.media.picture_plan import plan_picture
    from airflow_provider_instagram.media.spec import PictureSpec

    source, spec = Path(job["source"]), PictureSpec(**job["spec"])
    with opened(source) as image:
        before = read_info(image, source)
        todo = plan_picture(before, spec, fit=job["fit"], background=job["background"])
        if todo.tier == "pass" or job["output"] is None:
            decode(image)
            return {"before": asdict(before), "after": None}
        after = convert(image, before, spec, job)
    return {"before": asdict(before), "after": asdict(after)}


def decode(image: Any) -> None:
    """Decode a whole picture at the lowest cost, to find out whether it is complete."""
    image.draft("L" if image.mode == "L" else image.mode, SMALLEST)
    image.load()


def convert(image: Any, before: PictureInfo, spec: Any, job: dict[str, Any]) -> PictureInfo:
    """Write the compliant JPEG, and check it by the same rules."""
    from airflow_provider_instagram.exceptions import TranscodeError
    from airflow_provider_instagram.media.picture_convert import converted, encoded
    from airflow_provider_instagram.media.picture_file import opened, read_info
    from airflow_provider_instagram.media.picture_geometry import picture_layout
    from airflow_provider_instagram.media.picture_plan import plan_picture

    output = Path(job["output"])
    layout = picture_layout(before, spec, job["fit"])
    jpeg = encoded(converted(image, before, layout, job["fit"], job["background"]), spec.max_size_bytes)
    try:
        output.write_bytes(jpeg)
    except OSError as error:
        raise TranscodeError(f"{output} cannot be written: {error.strerror}.") from error
    with opened(output) as made:
        after = read_info(made, output)
        decode(made)
    if reasons := plan_picture(after, spec).reasons:
        raise TranscodeError(f"The result for {before.path} does not comply: {'; '.join(map(str, reasons))}.")
    return after


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    sys.path[:0] = request["path"]
    main(request["jobs"], request["picture_cpu_s"])
