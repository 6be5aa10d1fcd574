"""No web page of others reads or steers the sandbox, whatever name it gives to this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from instagram_sandbox.testing.handle import sandbox_process

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

COMMAND = (sys.executable, "-m", "instagram_sandbox", "--port", "0")
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- what the test is about
DOORS = (
    ("POST", "reset"),
    ("GET", "clock"),
    ("GET", "journal"),
    ("PATCH", "switches"),
    ("GET", ""),
    ("GET", "nowhere"),
)


def call(sandbox: SandboxHandle, method: str, door: str, **headers: str) -> httpx.Response:
    return httpx.request(method, f"{sandbox.url}/_sandbox/{door}", headers=headers, content=b"{}", trust_env=False)


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:{port}",
        "localhost.rebound.example:{port}",
        "127.0.0.1.rebound.example:{port}",
        "127.1:{port}",
        "localhost.:{port}",
        "a@127.0.0.1:{port}",
        "127.0.0.1:port",
        "[::1",
        "[::1].rebound.example:{port}",
    ],
)
@pytest.mark.parametrize(("method", "door"), DOORS)
def test_a_name_that_was_made_to_mean_this_machine_opens_no_door(
    instagram_sandbox: SandboxHandle, host: str, method: str, door: str
) -> None:
    port = instagram_sandbox.url.rpartition(":")[2]
    answer = call(instagram_sandbox, method, door, Host=host.format(port=port))
    assert answer.status_code == 403
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST", "127.0.0.1", "[::1]:{port}", "192.168.1.7:{port}"])
def test_names_of_this_machine_and_ip_addresses_open_the_doors(instagram_sandbox: SandboxHandle, host: str) -> None:
    port = instagram_sandbox.url.rpartition(":")[2]
    assert call(instagram_sandbox, "GET", "clock", Host=host.format(port=port)).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "", "http://127.0.0.1:port"])
@pytest.mark.parametrize(("method", "door"), DOORS)
def test_a_page_of_another_origin_opens_no_door(
    instagram_sandbox: SandboxHandle, origin: str, method: str, door: str
) -> None:
    answer = call(instagram_sandbox, method, door, Origin=origin)
    assert answer.status_code == 403
    assert "pages of other sites" in answer.json()["detail"]
    host = instagram_sandbox.url.removeprefix("http://").replace("127.0.0.1", "localhost")
    assert call(instagram_sandbox, method, door, Host=host, Origin=instagram_sandbox.url).status_code == 403
    assert call(instagram_sandbox, method, door, Origin=f"https://{host}").status_code == 403


def test_the_sandboxs_own_origin_opens_the_doors(instagram_sandbox: SandboxHandle) -> None:
    assert call(instagram_sandbox, "POST", "reset", Origin=instagram_sandbox.url).status_code == 200


def test_a_name_that_is_allowed_opens_the_doors() -> None:
    with sandbox_process("--allow-host", "sandbox", "--allow-host", "Instagram.Test") as sandbox:
        for host in ("sandbox:8077", "instagram.test", "INSTAGRAM.test:80"):
            assert call(sandbox, "GET", "clock", Host=host).status_code == 200
        assert call(sandbox, "GET", "clock", Host="other:8077").status_code == 403


def test_the_name_that_it_listens_on_opens_the_doors() -> None:
    with sandbox_process("--host", "localhost") as sandbox:
        assert call(sandbox, "GET", "clock", Host="localhost").status_code == 200


@pytest.mark.parametrize("name", ["http://sandbox", "sandbox:8077", "", "*"])
def test_an_allowed_host_that_is_not_a_name_is_explained(name: str) -> None:
    done = subprocess.run([*COMMAND, "--allow-host", name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "is not a valid host name" in done.stderr


@pytest.mark.parametrize(("host", "warns"), [(EVERYWHERE, True), ("127.0.0.1", False), ("localhost", False)])
def test_a_start_beyond_this_machine_warns_once(host: str, warns: bool) -> None:
    process = subprocess.Popen([*COMMAND, "--host", host], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Instagram sandbox on ")
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert said.count("everybody who can reach it can read and control it") == (1 if warns else 0)
