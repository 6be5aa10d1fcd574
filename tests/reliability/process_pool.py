"""Scenarios through ``dag.test()``, as many at a time as there are cores: each process has its Airflow and sandbox."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from typing import TYPE_CHECKING

# The import of conftest sets Airflow's environment, before Airflow is imported.
from tests.conftest import forget_stored_tokens, make_airflow_db
from tests.time_budget import time_is_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Scenario
    from tests.reliability.verdict import Outcome


def play_in_process(scenarios: Sequence[Scenario], video: Path) -> Iterator[Outcome]:
    """Play scenarios, and return their outcomes in their order. None begins when the time budget is used up.

    :param video: A video that complies.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_Player.begin) as pool:
        yield from (outcome for outcome in pool.map(_Player.play, scenarios, repeat(video)) if outcome)


class _Player:
    """What a process keeps from one scenario to the next."""

    sandbox: SandboxHandle

    @classmethod
    def begin(cls) -> None:
        from instagram_sandbox.testing.handle import sandbox_process

        make_airflow_db()
        until_the_end = ExitStack()
        atexit.register(until_the_end.close)
        cls.sandbox = until_the_end.enter_context(sandbox_process("--visible-after", "10"))

    @classmethod
    def play(cls, scenario: Scenario, video: Path) -> Outcome | None:
        if time_is_up():
            return None
        from tests.reliability.in_process import play

        forget_stored_tokens()  # of a scenario that moved the clock by days: the sandbox has forgotten them, too
        return play(scenario, cls.sandbox, video)
