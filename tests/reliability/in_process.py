"""Scenarios through ``dag.test()``, as many at a time as there are cores: each process has its Airflow and sandbox."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from typing import TYPE_CHECKING

from tests import conftest  # noqa: F401 -- sets Airflow's environment before it is first imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.terms import Scenario
    from tests.reliability.verdict import Outcome


def played(scenarios: Sequence[Scenario], video: Path) -> Iterator[Outcome]:
    """Play scenarios.

    :param video: A video that complies.
    :return: Their outcomes, in their order.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_Player.begin) as pool:
        yield from pool.map(_Player.play, scenarios, repeat(video))


class _Player:
    """What a process keeps from one scenario to the next."""

    sandbox: SandboxHandle

    @classmethod
    def begin(cls) -> None:
        from airflow.utils.db import initdb

        from instagram_sandbox.testing.handle import sandbox_process

        initdb()
        until_the_end = ExitStack()
        atexit.register(until_the_end.close)
        cls.sandbox = until_the_end.enter_context(sandbox_process("--visible-after", "10"))

    @classmethod
    def play(cls, scenario: Scenario, video: Path) -> Outcome:
        from tests.reliability.harness import play

        return play(scenario, cls.sandbox, video)
