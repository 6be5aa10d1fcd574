"""Fork servers: one start for many pieces of work, and each piece for itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media.fork_server import ForkServers
from airflow_provider_instagram.media.process import Finished, ProcessLimits
from airflow_provider_instagram.utils.time_limit import Cancel
from tests.processes import alive, running_with, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Do = Callable[..., Finished]

LIMITS = ProcessLimits(wall_s=20, cpu_s=20, memory_bytes=500 * 1024**2, output_bytes=10**6)

#: A program whose work is a piece of Python, and its answer what that prints. What is left over from earlier ones is
#: known to it.
PROGRAM = """
import contextlib, io, json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from airflow_provider_instagram.media.fork_server import serve
left = []
def work(request):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(request["python"], {"left": left, "os": os, "sys": sys, "request": request})
    return {"said": said.getvalue()}
serve(lambda request: None, work)
"""
SAY_PIDS = "print(os.getppid(), os.getpid())"


@pytest.fixture
def program(tmp_path: Path) -> tuple[str, ...]:
    (script := tmp_path / "program.py").write_text(PROGRAM)
    return (sys.executable, "-I", str(script), json.dumps([entry for entry in sys.path if entry]))


@pytest.fixture
def servers() -> Iterator[ForkServers]:
    with (servers := ForkServers()).kept():
        yield servers


@pytest.fixture
def do(servers: ForkServers, program: tuple[str, ...]) -> Do:
    def run(python: str, limits: ProcessLimits = LIMITS, cancel: Cancel | None = None, **more: Any) -> Finished:
        return _run(servers, program, limits, {"python": python, **more}, cancel or Cancel())

    return run


def _run(servers: ForkServers, *work: Any) -> Finished:
    said = servers.run(*work)
    return said if isinstance(said, Finished) else Finished(0, said["said"], "", timed_out=False)


def _pids(finished: Finished) -> tuple[int, int]:
    server, copy = finished.stdout.split()
    return int(server), int(copy)


def test_one_program_does_all_work_and_each_piece_has_a_process_of_its_own(do: Do) -> None:
    pids = [_pids(do(SAY_PIDS)) for _ in range(5)]
    assert len({server for server, _ in pids}) == 1
    assert len({copy for _, copy in pids}) == 5


def test_what_a_piece_of_work_changes_is_gone_for_the_next(do: Do) -> None:
    assert do("left.append(1); os.environ['HOME'] = 'x'; os.chdir('/'); sys.setrecursionlimit(77)").ok
    assert do("print(left, os.environ.get('HOME'), sys.getrecursionlimit())").stdout == "[] None 1000\n"


def test_a_piece_of_work_gets_neither_the_environment_nor_an_input(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "hidden")
    said = do("print(repr(sys.stdin.read()), dict(os.environ))").stdout
    assert said.startswith("''")
    assert "hidden" not in said


def test_a_long_request_and_a_long_answer_arrive_whole(do: Do) -> None:
    text = "ü" * 100_000
    assert do("print(request['text'])", text=text).stdout == text + "\n"


@pytest.mark.parametrize(
    ("python", "code"),
    [
        ("os.kill(os.getpid(), 11)", -signal.SIGSEGV),
        ("raise ValueError('why')", 1),
        ("os.kill(os.getppid(), 9); import time; time.sleep(60)", -signal.SIGKILL),
        ("os.kill(os.getpid(), 27)", -signal.SIGPROF),
    ],
)
def test_work_that_goes_wrong_ends_its_program_and_the_next_begins_anew(python: str, code: int, do: Do) -> None:
    server, _ = _pids(do(SAY_PIDS))
    finished = do(python)
    assert (finished.returncode, finished.ok, finished.timed_out) == (code, False, False)
    assert not alive(server)
    assert do("print('fine')").stdout == "fine\n"


def test_work_that_takes_too_long_is_killed_with_all_that_it_started(do: Do, tmp_path: Path) -> None:
    script = f"import subprocess; subprocess.Popen(['sleep', '98.{os.getpid()}']); import time; time.sleep(60)"
    finished = do(script, ProcessLimits(wall_s=1.5, cpu_s=20, output_bytes=1))
    assert finished.timed_out
    wait_for(lambda: not running_with(f"98.{os.getpid()}"))
    assert do("print('fine')").stdout == "fine\n"


def test_the_limits_are_those_of_each_piece_of_work(do: Do) -> None:
    """Two pieces of work may each take nearly all of what one may take."""
    limits = ProcessLimits(wall_s=60, cpu_s=2, memory_bytes=400 * 1024**2, output_bytes=10**6)
    nearly_all = "b = bytearray(200 * 1024**2)\nimport time\nwhile time.process_time() < 1.2: pass\nprint('done')"
    assert [do(nearly_all, limits).stdout for _ in range(3)] == ["done\n"] * 3
    assert do("bytearray(10**9)", limits).returncode == 1
    assert do("while True: pass", limits).returncode in (-signal.SIGXCPU, -signal.SIGKILL)


def test_a_program_that_has_died_in_between_is_replaced(do: Do) -> None:
    server, _ = _pids(do(SAY_PIDS))
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: not alive(server))
    assert _pids(do(SAY_PIDS))[0] != server


def test_a_program_that_does_not_start_says_why(servers: ForkServers) -> None:
    command = (sys.executable, "-I", "-c", "raise SystemExit('no such library')")
    finished = _run(servers, command, LIMITS, {}, Cancel())
    assert (finished.returncode, finished.complaint) == (1, "no such library")


def test_nothing_is_left_when_the_block_ends_or_the_work_is_not_kept(program: tuple[str, ...], tmp_path: Path) -> None:
    servers = ForkServers()
    for _ in range(2):
        assert _run(servers, program, LIMITS, {"python": SAY_PIDS}, Cancel()).ok
        assert not running_with(str(tmp_path))
    with suppress(RuntimeError), servers.kept():
        servers.run(program, LIMITS, {"python": SAY_PIDS}, Cancel())
        wait_for(lambda: len(running_with(str(tmp_path))) == 1)
        raise RuntimeError
    assert not running_with(str(tmp_path))


def test_a_cancel_ends_the_work_at_once(do: Do, tmp_path: Path) -> None:
    cancel = Cancel()
    stops = threading.Timer(1, cancel.cancel)
    stops.start()
    started_s = time.monotonic()
    with pytest.raises(TranscodeError, match="cancelled"):
        do("import time; time.sleep(60)", cancel=cancel)
    stops.join()
    assert time.monotonic() - started_s < 10
    assert not running_with(str(tmp_path))
    with pytest.raises(TranscodeError, match="cancelled"):
        do(SAY_PIDS, cancel=cancel)


OWNER = """
import json, sys
from airflow_provider_instagram.media.fork_server import ForkServers
from airflow_provider_instagram.media.process import ProcessLimits
from airflow_provider_instagram.utils.time_limit import Cancel
limits = ProcessLimits(wall_s=100, cpu_s=10, output_bytes=1)
with (servers := ForkServers()).kept():
    for python in ("print(1)", "import time; time.sleep(60)"):
        servers.run(json.loads(sys.argv[1]), limits, {"python": python}, Cancel())
"""


def test_the_program_and_its_copies_end_with_a_killed_owner(program: tuple[str, ...], tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, json.dumps(program)])
    wait_for(lambda: len(running_with(str(tmp_path))) == 3, within_s=60)  # the owner, the program and its copy
    owner.kill()
    owner.wait()
    wait_for(lambda: not running_with(str(tmp_path)), within_s=5)
