"""The limit of a small file is about the storage, whatever the machine is busy with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.utils import time_limit
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

LIMIT_S = 0.5
ANSWERS_AFTER_S = 0.1
COMPUTES_S = 0.02


@pytest.fixture(autouse=True)
def short_limit(mocker: MockerFixture) -> None:
    mocker.patch.object(time_limit, "SMALL_FILE_TIMEOUT_S", LIMIT_S)


@contextmanager
def busy_processor() -> Iterator[None]:
    """Limit this thread, and those that it starts, to less than a hundredth of one processor."""
    allowed, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, {min(allowed)})
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    time.sleep(0.3)
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        os.sched_setaffinity(0, allowed)


def answer() -> str:
    """Compute, as a client does before it asks and after the answer, and wait for the storage in between."""
    until_s = time.thread_time() + COMPUTES_S
    time.sleep(ANSWERS_AFTER_S)
    while time.thread_time() < until_s:
        pass
    return "posts: []"


@pytest.mark.skipif(os.geteuid() != 0 or not time_limit.THREADS.is_dir(), reason="root sets priorities, on Linux")
def test_a_storage_that_answers_at_once_is_not_blamed_for_a_busy_machine() -> None:
    began_s = time.monotonic()
    with busy_processor():
        assert within_small_file_timeout(answer) == "posts: []"
    assert time.monotonic() - began_s > 2 * LIMIT_S, "the machine was not busy"


def test_a_storage_that_hangs_is_an_error_within_the_limit() -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError, match="the storage has not answered"):
        within_small_file_timeout(lambda: time.sleep(20))
    assert time.monotonic() - began_s < 10 * LIMIT_S
