"""Many scenarios at a time in one running Airflow: as many as there are accounts."""

from __future__ import annotations

import shutil
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from demo.scene import airflow_settings
from demo.stack import airflow_stack
from instagram_sandbox.testing.handle import sandbox_process
from tests.reliability import live, main_job
from tests.reliability.live import QUICK, Account
from tests.reliability.machine import StallWatch
from tests.reliability.postgres import postgres
from tests.reliability.verdict import again_after_machine_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Scenario
    from tests.reliability.verdict import Outcome

#: At most so many scenarios are under way at the same time; most of them wait.
MOST_ACCOUNTS = 16


@contextmanager
def playing_live(scenarios: Sequence[Scenario], video: Path, folder: Path) -> Iterator[dict[str, Future[Outcome]]]:
    """Start an Airflow, and begin to play scenarios in it, in their order.

    :param video: A video that complies.
    :param folder: An empty folder.
    :return: The outcome of each, by its description.
    """
    number = min(MOST_ACCOUNTS, len(scenarios))
    with (
        _airflow(folder / "airflow", number) as airflow,
        _open_accounts(airflow, video, folder, number) as accounts,
        _playing(accounts, scenarios) as outcomes,
    ):
        yield outcomes


@contextmanager
def _airflow(home: Path, accounts: int) -> Iterator[AirflowStack]:
    """Run a whole Airflow that has the DAGs of so many accounts, and no others."""
    dags = home / "dags"
    dags.mkdir(parents=True)
    shutil.copy(Path(main_job.__file__), dags)
    with postgres() as database:
        folder = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
        settings = airflow_settings(home) | folder | database | live.settings(accounts)
        with airflow_stack(settings, starts=2) as airflow:
            yield airflow


@contextmanager
def _open_accounts(airflow: AirflowStack, video: Path, notes: Path, number: int) -> Iterator[list[Account]]:
    """Open so many accounts, each with its sandbox and its connection."""
    with ExitStack() as open_until_the_end:
        stalls = open_until_the_end.enter_context(StallWatch().running())
        with ThreadPoolExecutor() as pool:
            sandboxes = list(pool.map(_start_sandbox, [open_until_the_end] * number))
        accounts = [Account(n, airflow, sandbox, video, notes, stalls) for n, sandbox in enumerate(sandboxes)]
        for account in accounts:
            account.connect()
            for way in ("once", "retried"):
                airflow.wait_for_dag(f"{way}_{account.number}")
        yield accounts


def _start_sandbox(until: ExitStack) -> SandboxHandle:
    """Start a sandbox, and once more when its start takes too long."""
    try:
        return until.enter_context(sandbox_process(*QUICK))
    except TimeoutError as error:
        warnings.warn(f"MACHINE: {error} It is started again.", stacklevel=1)
        return until.enter_context(sandbox_process(*QUICK))


@contextmanager
def _playing(accounts: list[Account], scenarios: Sequence[Scenario]) -> Iterator[dict[str, Future[Outcome]]]:
    free: SimpleQueue[Account] = SimpleQueue()
    for account in accounts:
        free.put(account)

    def play(scenario: Scenario) -> Outcome:
        account = free.get()
        try:
            return account.play(scenario)
        finally:
            free.put(account)

    pool = ThreadPoolExecutor(len(accounts))
    try:
        yield {str(one): pool.submit(again_after_machine_fault, one, play) for one in scenarios}
    finally:
        for account in accounts:
            account.closed.set()
        pool.shutdown(cancel_futures=True)
