"""Many scenarios at a time in one running Airflow: as many as there are lanes."""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from demo.scene import airflow_settings
from demo.stack import airflow_stack
from instagram_sandbox.testing.handle import sandbox_process
from tests.reliability import live, main_job
from tests.reliability.live import QUICK, Lane
from tests.reliability.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.stack import AirflowStack
    from tests.reliability.terms import Scenario
    from tests.reliability.verdict import Outcome

#: So many scenarios are under way at the same time; most of them wait.
LANES = 16


@contextmanager
def airflow_with_lanes(home: Path, number: int) -> Iterator[AirflowStack]:
    """Run a whole Airflow that has the DAGs of the lanes, and nothing else."""
    dags = home / "dags"
    dags.mkdir(parents=True)
    shutil.copy(Path(main_job.__file__), dags)
    with postgres() as database:
        places = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
        with airflow_stack(airflow_settings(home) | places | database | live.settings(number)) as airflow:
            yield airflow


@contextmanager
def lanes_of(airflow: AirflowStack, video: Path, notes: Path, number: int) -> Iterator[list[Lane]]:
    """Open lanes, each with its sandbox and its connection.

    :param airflow: A running Airflow with the DAGs of :mod:`tests.reliability.main_job`.
    :param video: A video that complies.
    :param notes: A folder for what the tasks note of their processes.
    :param number: How many.
    """
    with ExitStack() as open_sandboxes:
        sandboxes = [open_sandboxes.enter_context(sandbox_process(*QUICK)) for _ in range(number)]
        lanes = [Lane(index, airflow, sandbox, video, notes) for index, sandbox in enumerate(sandboxes)]
        for lane in lanes:
            lane.connect()
            for way in ("once", "retried"):
                airflow.wait_for_dag(f"{way}_{lane.number}")
        yield lanes


@contextmanager
def played(lanes: list[Lane], scenarios: Iterable[Scenario]) -> Iterator[dict[str, Future[Outcome]]]:
    """Begin to play scenarios, in their order.

    :return: The outcome of each, by its description.
    """
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def play(scenario: Scenario) -> Outcome:
        lane = free.get()
        try:
            return lane.play(scenario)
        finally:
            free.put(lane)

    pool = ThreadPoolExecutor(len(lanes))
    try:
        yield {str(scenario): pool.submit(play, scenario) for scenario in scenarios}
    finally:
        for lane in lanes:
            lane.closed.set()
        pool.shutdown(cancel_futures=True)
