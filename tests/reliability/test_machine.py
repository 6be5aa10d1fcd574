"""Only named faults of the machine excuse a scenario from its verdict, and only once."""

from __future__ import annotations

import errno

import httpx
import pytest

from demo.stack import StartTimeoutError
from tests.reliability.live_scenarios import THE_GAP
from tests.reliability.machine import STALL_S, TICK_S, MachineError, StallWatch, machine_faults_named
from tests.reliability.verdict import Outcome, Verdict, again_after_machine_fault, not_played


class Machine:
    """A clock, and a sleep that may last longer than it was asked to."""

    def __init__(self) -> None:
        self.now_s, self.stall_s = 100.0, 0.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + self.stall_s
        self.stall_s = 0.0


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def stalls(machine: Machine) -> StallWatch:
    return StallWatch(machine.clock, machine.sleep)


def _stand_still(machine: Machine, stalls: StallWatch, seconds: float) -> None:
    machine.stall_s = seconds
    stalls.tick()


def _play_with(stalls: StallWatch, error: Exception, machine: Machine | None = None, stall_s: float = 0.0) -> None:
    """Raise an error where a scenario is played, after the machine has stood still."""
    with machine_faults_named(stalls):
        if machine is not None:
            _stand_still(machine, stalls, stall_s)
        raise error


@pytest.mark.parametrize("error", [TimeoutError("not within 90 s"), httpx.ReadTimeout("no answer")], ids=repr)
def test_a_wait_that_timed_out_after_a_stall_is_the_machines_fault(
    error: Exception, machine: Machine, stalls: StallWatch
) -> None:
    with pytest.raises(MachineError, match="stood still for 8 s"):
        _play_with(stalls, error, machine, 8)


@pytest.mark.parametrize("seconds", [0.0, STALL_S - TICK_S])
def test_a_wait_that_timed_out_while_the_machine_ran_is_not(
    seconds: float, machine: Machine, stalls: StallWatch
) -> None:
    with pytest.raises(TimeoutError):
        _play_with(stalls, TimeoutError("not within 90 s"), machine, seconds)


def test_a_stall_of_another_scenario_is_no_excuse(machine: Machine, stalls: StallWatch) -> None:
    _stand_still(machine, stalls, 60)
    with pytest.raises(TimeoutError):
        _play_with(stalls, TimeoutError("not within 90 s"), machine)


@pytest.mark.parametrize("error", [AssertionError("two posts"), RuntimeError("HTTP 500"), KeyError("id")], ids=repr)
def test_no_stall_excuses_any_other_error(error: Exception, machine: Machine, stalls: StallWatch) -> None:
    with pytest.raises(type(error)):
        _play_with(stalls, error, machine, 60)


def test_an_airflow_that_does_not_start_in_time_is_the_machines_fault(stalls: StallWatch) -> None:
    with pytest.raises(MachineError, match="healthy"):
        _play_with(stalls, StartTimeoutError("Not within 180 s: Airflow is healthy"))


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_a_system_without_room_for_a_process_is_the_machines_fault(number: int, stalls: StallWatch) -> None:
    with pytest.raises(MachineError, match="could not be started"):
        _play_with(stalls, OSError(number, "fork"))


def test_a_file_that_is_missing_is_not(stalls: StallWatch) -> None:
    with pytest.raises(FileNotFoundError):
        _play_with(stalls, FileNotFoundError(errno.ENOENT, "no such file"))


def _play(*outcomes: Outcome) -> tuple[Outcome, int]:
    left = list(outcomes)
    outcome = again_after_machine_fault(THE_GAP, lambda _: left.pop(0))
    return outcome, len(outcomes) - len(left)


MACHINE = not_played(THE_GAP, MachineError("the machine stood still"))
WRONG = Outcome(THE_GAP, Verdict.WRONG, ("posts: expected 1, found 2",))
GOOD = Outcome(THE_GAP, Verdict.AS_EXPECTED)


@pytest.mark.parametrize("outcome", [WRONG, GOOD], ids=["wrong", "as expected"])
def test_a_scenario_that_has_a_verdict_is_played_once(outcome: Outcome) -> None:
    assert _play(outcome, GOOD) == (outcome, 1)


@pytest.mark.parametrize("second", [WRONG, GOOD, MACHINE], ids=["wrong", "as expected", "machine"])
def test_a_scenario_without_a_verdict_is_played_twice_and_says_so(second: Outcome) -> None:
    outcome, times = _play(MACHINE, second, GOOD)
    assert times == 2
    assert outcome.verdict is second.verdict
    assert outcome.machine_fault == "the machine stood still"
    assert "played twice" in str(outcome)
