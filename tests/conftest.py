"""A clean Airflow for the tests that run in this process: its home, its database, its settings."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.stack import end_on_sigterm
from tests.time_budget import time_is_up

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_KEPT = 1000
#: The tests that play runs at times that come.
WAITING = "tests/integration/calendar/"

# Airflow reads its environment once, when it is first imported: before any fixture could set it.
_home = tempfile.TemporaryDirectory(prefix="airflow-home-")
DATABASE = Path(_home.name, "airflow.db")
Path(_home.name, "dags").mkdir()
os.environ.update(
    AIRFLOW_HOME=_home.name,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=f"{_home.name}/dags",  # empty: dag.test() reads and stores all DAGs that are in it
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL="0",  # a test's DAG may have the name of the one before
    AIRFLOW__CORE__FERNET_KEY="dGVzdHMtb25seS1rZXktMzItYnl0ZXMtbG9uZyEhISE=",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{DATABASE}",
    AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="0",  # in one process, a deferral may be as short as it likes
)


def pytest_configure() -> None:
    """Have a suite that is ended stop the sandboxes and the Airflow that it has started."""
    end_on_sigterm()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each process begin with its share of the runs of calendars, which wait: other tests run meanwhile."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    waiting = [one for one in items if WAITING in one.nodeid]
    others = [one for one in items if WAITING not in one.nodeid]
    ordered: list[pytest.Item] = []
    for number in range(processes):
        share = waiting[number::processes]
        size = max(0, (len(items) - len(ordered)) // (processes - number) - len(share))
        ordered += share + others[:size]
        del others[:size]
    items[:] = ordered + others


def pytest_runtest_setup() -> None:
    """Begin no test when the time budget of ``make test-all`` is used up."""
    if time_is_up():
        pytest.skip("The time budget is used up.")


def make_airflow_db(made: Path | None = None) -> None:
    """Make Airflow's database. Its commits, hundreds a run, do not wait for the disk: it does not outlive the tests.

    :param made: Where another process may have put one, or this one puts it: making it takes ten seconds.
    """
    from airflow.utils.db import initdb
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", _sync_nothing)
    _inspect_signatures_once()
    if made is None:
        initdb()
        return
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            _copy_database(made, DATABASE)
        else:
            initdb()
            _copy_database(DATABASE, made)


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _sync_nothing(connection: Any, _: Any) -> None:
    if "sqlite" in type(connection).__module__:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.close()


def _inspect_signatures_once() -> None:
    """Keep what FastAPI finds out of a dependency.

    A task of ``dag.test()`` sends Airflow's API some thirty requests, with dependencies that are overridden. FastAPI
    then inspects the signatures of all of them anew for each request, which takes half of its time.
    """
    from fastapi.dependencies import utils

    inspect = utils.get_dependant
    kept: dict[tuple[Any, ...], Any] = {}

    def get_dependant(**asked: Any) -> Any:
        if "use_cache" in asked:  # part of another one
            return inspect(**asked)
        key = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in asked.items())
        if key not in kept:
            if len(kept) == MOST_KEPT:  # an override is a new function for each task
                kept.clear()
            kept[key] = inspect(**asked)
        return kept[key]

    vars(utils)["get_dependant"] = get_dependant


@pytest.fixture(scope="session")
def airflow_db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow's database. Of several test processes, the first makes it, and the others copy it."""
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    made = tmp_path_factory.getbasetemp().parent / "airflow.db" if is_one_of_many else None
    make_airflow_db(made)
    yield
    from airflow.settings import dispose_orm

    dispose_orm()


def forget_stored_tokens() -> None:
    """Delete the tokens that earlier tests have stored."""
    from airflow.models import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Variable).where(Variable.key.startswith("instagram_login__")))


@pytest.fixture
def no_stored_tokens(airflow_db: None) -> Iterator[None]:
    """Delete tokens that other tests have stored, and in the end those of this test."""
    forget_stored_tokens()
    yield
    forget_stored_tokens()
