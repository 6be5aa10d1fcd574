"""The command that starts a sandbox, and the sandbox inside a simulation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from instagram_sandbox.__main__ import main
from instagram_sandbox.http.server import running
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

COMMAND = (sys.executable, "-m", "instagram_sandbox")


def test_it_says_where_it_listens() -> None:
    """One line with the base URL, at once, also when the output is no terminal."""
    process = subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[-1]
        assert line.startswith("Instagram sandbox on http://127.0.0.1:")
        assert httpx.get(f"{url}/_sandbox/health").json() == {"ok": True}
    finally:
        process.terminate()
        assert process.wait(10) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_a_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--port", "99999"), "99999' is not a valid port"),
        (("--state", "/proc/no-folder"), "--state"),
        (("--token", ""), "token"),
        (("--token", "two words"), "token"),
        (("--processing-time", "nan"), "after_s"),
        (("--visible-after", "500"), "visible_after_s"),
    ],
)
def test_an_option_that_cannot_work_is_explained(
    options: tuple[str, str], says: str, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mocker.patch("sys.argv", ["instagram-sandbox", "--port", "0", *options])
    mocker.patch("signal.signal", return_value=None)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert says in said.err


def test_secrets_come_from_the_environment_and_stay_off_the_command_line() -> None:
    token = "IGAAmarkedToken00000000000000000000000"
    with sandbox_process(token=token) as sandbox:
        me = httpx.get(f"{sandbox.url}/v27.0/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert any(b"instagram_sandbox" in line for line in lines)
    assert not any(token.encode() in line for line in lines)


def test_the_token_of_a_process_is_that_of_its_login() -> None:
    with sandbox_process(login="facebook") as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        read = httpx.get(f"{sandbox.url}/v27.0/{sandbox.user_id}?fields=username", headers=headers).json()
    assert (sandbox.token[:2], read["username"]) == ("EA", "sandbox_studio")


def test_an_answer_leaves_at_once(instagram_sandbox: SandboxHandle) -> None:
    """Not 40 ms later, as with Nagle's algorithm. The fastest of twenty tells, also on a busy machine."""
    with httpx.Client(base_url=instagram_sandbox.url, trust_env=False) as http:
        took = [http.get("/_sandbox/clock").elapsed.total_seconds() for _ in range(60)]
    assert min(took[40:]) < 0.03


def test_a_sandbox_that_serves_does_without_the_client_of_its_tests() -> None:
    """The client httpx would take 6 MB where Airflow is installed, and 0.2 s of each start."""
    found = "import sys, instagram_sandbox.__main__; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_two_sandboxes_stand_side_by_side(instagram_sandbox: SandboxHandle, documented: SandboxHandle) -> None:
    instagram_sandbox.add_foreign_post("here only")
    assert "here only" in httpx.get(instagram_sandbox.url).text
    assert "here only" not in httpx.get(documented.url).text


def test_a_simulation_shares_its_clock(tmp_path: Path, clip: Path) -> None:
    """In this process, on a time that the simulation moves: 60 days pass at once for the token."""
    time_s = [1_800_000_000.0]
    now: Callable[[], float] = lambda: time_s[0]  # noqa: E731
    with running(Settings(folder=tmp_path), Clock(now)) as url:
        sandbox = SandboxHandle(url)
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        assert sandbox.now() == time_s[0]
        assert httpx.get(f"{url}/v27.0/me", headers=headers).status_code == 200
        time_s[0] += 60 * 86_400
        assert httpx.get(f"{url}/v27.0/me", headers=headers).json()["error"]["error_subcode"] == 0
        sandbox.close()
