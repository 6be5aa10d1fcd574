"""Where a file is, so that a link or a folder that is put on its way later is noticed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError

#: What marks a link that leads to a place beside it, as a checkout and a ConfigMap have them: an update changes it.
BESIDE: Final = "@"
#: File systems whose inodes do not change by themselves.
STEADY: Final = frozenset(("btrfs", "ext2", "ext3", "ext4", "f2fs", "nfs", "nfs4", "overlay", "tmpfs", "xfs", "zfs"))
PROC: Final = Path("/proc")
MOST_LINKS: Final = 40
#: The planner of a calendar has seen a new folder by then.
SEEN_AGAIN_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class Pin:
    """Where a file was found.

    :param path: Its path without links. A link that leads to a place in its own folder is not followed, but marked.
    :param machine: The machine whose numbers follow; empty if the folder may get others without a person's doing.
    """

    path: str
    machine: str = ""
    device: int = 0
    inode: int = 0

    @classmethod
    def of(cls, file: Path) -> tuple[Pin, Path]:
        """Return where a file is now, and the real path of its folder."""
        try:
            path, _ = _followed(file)
            folder_path, folder = _followed(file.parent)
            about = folder.stat()
        except OSError:  # whoever opens the file gets the error
            return cls(str(file)), file.parent
        if BESIDE in folder_path or not _is_steady(about.st_dev):
            return cls(path), folder
        return cls(path, _machine(), about.st_dev, about.st_ino), folder

    def holds(self, now: Pin) -> bool:
        """Return whether the file is where it was, as far as the machine on which it is seen can tell."""
        is_elsewhere = not self.machine or self.machine != now.machine
        return self.path == now.path and (is_elsewhere or (self.device, self.inode) == (now.device, now.inode))

    def broken_by(self, now: Pin, location: str) -> InstagramError | None:
        """Return the error of a file that is not where it was, or None if it is."""
        if self.holds(now):
            return None
        if self.path != now.path:
            return ValidationError(
                f"{location}: a link or a folder on this path was replaced since Airflow first read the calendar. "
                "Nothing is read from where it leads now.",
                hint="Put it back. If the calendar has moved, name its new place in the DAG file.",
            )
        return TransientError(
            f"{location}: its folder was replaced since Airflow last read the calendar.",
            hint="The calendar's planner reads it again within a minute.",
            retry_after=SEEN_AGAIN_AFTER,
        )


def _followed(path: Path, links: int = MOST_LINKS) -> tuple[str, Path]:
    """Return a path without links, except marked ones to what is beside them, and the real path."""
    if not links:
        raise OSError(f"{path} has too many links.")
    marked, real = "", Path(path.anchor)
    for name in path.parts[1:]:
        step = real.parent if name == ".." else real / name
        if not step.is_symlink():
            marked, real = (str(step) if name == ".." else f"{marked}/{name}"), step
            continue
        target, there = _followed(real / step.readlink(), links - 1)
        marked, real = (f"{marked}/{name}{BESIDE}" if there.is_relative_to(real) else target), there
    return marked, real


@cache
def _machine() -> str:
    """Identify this machine and its view of the file systems. Empty if that is unknown."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(PROC / 'self/ns/mnt').readlink()}"
    except OSError:
        return ""


def _is_steady(device: int) -> bool:
    """Return whether inodes of a device are known to stay as they are. Those of a bucket that is mounted do not."""
    try:
        mounts = (PROC / "self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.partition(" - ")[2].split()[0] for line in mounts if line.split()[2] == number}
    return bool(kinds) and kinds <= STEADY
