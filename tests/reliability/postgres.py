"""A PostgreSQL for an Airflow to which many things happen at once: SQLite has one writer, and refuses the others."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from demo.stack import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where Debian keeps the programs that only administrators use.
DEBIAN: Final = "/usr/lib/postgresql"
#: PostgreSQL refuses to run as root: then it runs as the user that its package has made.
USER: Final[dict[str, Any]] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
START_LIMIT_S: Final = 60
MOST_CONNECTIONS: Final = 300
#: Airflow's API server works on 40 requests at a time, but its pool of 15 connections (3.3.2's default) can all be with
#: requests that wait for a thread, while every thread waits for a connection: it answers nothing for 30 s, then 500.
POOL_SIZE: Final = 50


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Run a PostgreSQL on this machine, and return Airflow's settings for its one, empty database.

    Its files are deleted in the end. Nothing is synced to the disk, since the tests do not outlive the machine.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        make_database(Path(folder))
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(server_command(Path(folder), port), stderr=log, **_quiet(folder))
        try:
            wait_for_database(port)
            yield {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": str(POOL_SIZE),
            }
        finally:
            server.terminate()
            server.wait(START_LIMIT_S)


def make_database(folder: Path) -> None:
    """Make the files of a PostgreSQL server in an empty folder, which then belongs to its user."""
    if USER:
        shutil.chown(folder, **USER)
    command = [_program("initdb"), "-D", str(folder / "data"), "-U", "airflow", "--auth=trust", "--encoding=UTF8"]
    subprocess.run([*command, "--no-sync"], check=True, **_quiet(folder))


def server_command(folder: Path, port: int) -> list[str]:
    """Return the command that serves the files of :func:`make_database`, to be run as ``USER``."""
    options = ("fsync=off", f"max_connections={MOST_CONNECTIONS}", f"unix_socket_directories={folder}")
    listen = ["-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port)]
    return [_program("postgres"), *listen, *(word for option in options for word in ("-c", option))]


def wait_for_database(port: int) -> None:
    """Wait until a new server answers, and create its one database."""
    create = [_program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "-d", "postgres"]
    create += ["-c", "create database airflow"]
    made = lambda: subprocess.run(create, stderr=subprocess.DEVNULL, check=False, **_quiet("/")).returncode == 0  # noqa: E731
    wait_until(made, "PostgreSQL answers", START_LIMIT_S)


def _quiet(folder: str | Path) -> dict[str, Any]:
    return {"cwd": folder, "stdout": subprocess.DEVNULL, **USER}


def _program(name: str) -> str:
    """Find a program of PostgreSQL, the newest version first."""
    versions = sorted(Path(DEBIAN).glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, versions)])
    if (found := shutil.which(name, path=path)) is None:
        raise RuntimeError(f"{name} is missing: install PostgreSQL (Debian: apt-get install postgresql).")
    return found
