"""The checks of a machine: its programs, its disk, and the places that it shares with other machines."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from airflow.sdk import conf

from airflow_provider_instagram.doctor.findings import Finding
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.locations import is_local, local_path, shown

_TIMEOUT_S: Final = 10
#: Room for a long source video and its result.
_LITTLE_SPACE_BYTES: Final = 2 * 10**9
# Source: Airflow's configuration reference, [scheduler].
_QUEUED_TIMEOUT_S, _QUEUED_AGAIN = 600.0, 2
#: The ``max_lateness`` of a calendar whose author gives none.
MAX_LATENESS_S: Final = 3600.0


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def versions() -> dict[str, str]:
    """Return the versions that must be the same on every machine."""
    return {
        "Airflow": version("apache-airflow-core"),
        "airflow-provider-instagram": version("airflow-provider-instagram"),
        "Python": platform.python_version(),
        "ffmpeg": _program_version("ffmpeg") or "none",
    }


def machine_findings(test_file: str) -> Iterator[Finding]:
    """Check this machine. ``test_file`` is written below ``[instagram] work_prefix``."""
    said = ", ".join(f"{name} {number}" for name, number in versions().items() if name != "ffmpeg")
    yield Finding("machine", True, f"{host_name()}: {said}")
    yield from (_program(name) for name in ("ffmpeg", "ffprobe"))
    yield _disk()
    yield _work_prefix(test_file)
    yield _snapshots()
    yield _queued_tasks()


def _program(name: str) -> Finding:
    command = conf.get("instagram", name, fallback=name)
    path = shutil.which(command)
    if path is None:
        return Finding(
            name, False, f"{command} was not found. Install ffmpeg on the workers, or set [instagram] {name}"
        )
    number = _program_version(name)
    return Finding(name, number is not None, f"{number} at {path}" if number else f"{path} does not run")


def _program_version(name: str) -> str | None:
    path = shutil.which(conf.get("instagram", name, fallback=name))
    if path is None:
        return None
    said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False).stdout
    match = re.search(r"version (\S+)", said)
    return match.group(1) if match else None


def _disk() -> Finding:
    folder = tempfile.gettempdir()
    free_bytes = shutil.disk_usage(folder).free
    said = f"{folder} has {free_bytes / 1e9:,.1f} GB free for copies"
    if free_bytes >= _LITTLE_SPACE_BYTES:
        return Finding("disk", True, said)
    return Finding("disk", False, f"{said}. Free some space, or set TMPDIR to another disk")


def work_file(name: str) -> str:
    """Return the location of a file below ``[instagram] work_prefix``."""
    return f"{conf.get('instagram', 'work_prefix').rstrip('/')}/doctor/{name}"


def _work_prefix(test_file: str) -> Finding:
    location = work_file(test_file)
    try:
        storage.write(location, test_file.encode())
        if storage.read(location) != test_file.encode():
            return Finding(
                "work_prefix", False, f"{shown(location)} was written, and cannot be read. Check the storage"
            )
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        to_do = "Check [instagram] work_prefix, its rights and its connection"
        return Finding("work_prefix", False, f"{shown(location)} cannot be written ({why}). {to_do}")
    return Finding("work_prefix", True, f"{shown(conf.get('instagram', 'work_prefix'))} can be written and read")


def read_work_file(name: str) -> bool:
    """Return whether this machine can read a file that a check wrote, perhaps on another machine, and remove it."""
    try:
        is_same = storage.read(work_file(name)) == name.encode()
        storage.remove(work_file(name))
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False
    return is_same


def _snapshots() -> Finding:
    location = conf.get("instagram", "calendar_snapshots")
    if not is_local(location):
        if (reason := storage.unwritable_because(location.rstrip("/"))) is None:
            return Finding("snapshots", True, f"{shown(location)} can be written")
        text = f"{shown(location)} cannot be written to ({reason}): edits made within the lead time are not published."
        remedy = "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."
        return Finding("snapshots", False, f"{text} {remedy}")
    folder = local_path(location)
    if not folder.is_dir():
        said = f"{folder} is not on this machine. Calendars with an approval need it on every machine"
        return Finding("snapshots", None, said)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding("snapshots", False, f"{folder} cannot be read. Give read access to the user that runs tasks")
    return Finding("snapshots", True, f"{folder} can be read")


def _queued_tasks() -> Finding:
    """Check how long workers may be away before Airflow fails a queued task for good, whatever its retries."""
    timeout_s = conf.getfloat("scheduler", "task_queued_timeout", fallback=_QUEUED_TIMEOUT_S)
    tries = 1 + conf.getint("scheduler", "num_stuck_in_queued_retries", fallback=_QUEUED_AGAIN)
    said = f"Airflow fails a queued task for good after {tries * timeout_s / 60:,.0f} minutes without a worker"
    if tries * timeout_s > MAX_LATENESS_S:
        return Finding("queued tasks", True, said)
    to_do = "Raise [scheduler] num_stuck_in_queued_retries, so that it is longer than the max_lateness of calendars"
    return Finding("queued tasks", None, f"{said}. {to_do}")
