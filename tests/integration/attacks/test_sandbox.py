"""No web page of others reads or steers the sandbox, whatever name it gives to this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from instagram_sandbox.__main__ import command
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


DIALOGS = ("/oauth/authorize", "/oauth/authorize/", "/v27.0/dialog/oauth", "/dialog/oauth", "/v27.0/oauth/authorize")
FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    "no origin that counts": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a site that hides its origin": {"Sec-Fetch-Site": "cross-site"},
    "another port that hides its origin": {"Sec-Fetch-Site": "same-site"},
    "a browser that states the page only": {"Referer": "https://evil.example/page?127.0.0.1"},
    "a rebound name": {"Host": "rebound.example:{port}", "Origin": "http://rebound.example:{port}"},
    "a rebound name without an origin": {"Host": "rebound.example:{port}"},
    "a name that ends like one of Meta's": {"Host": "evilinstagram.com", "Origin": "http://evilinstagram.com"},
}


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


def asked(sandbox: SandboxHandle, dialog: str, **more: str) -> dict[str, str]:
    """What an app asks the login for."""
    scope = "instagram_basic" if "dialog" in dialog else "instagram_business_basic"
    sent = {"client_id": sandbox.app_id, "redirect_uri": "https://evil.example/back", "response_type": "code"}
    return {**sent, "scope": scope, **more}


def placed(sandbox: SandboxHandle, headers: dict[str, str]) -> dict[str, str]:
    port = sandbox.url.rpartition(":")[2]
    return {name: value.format(port=port) for name, value in headers.items()}


@pytest.mark.parametrize("dialog", DIALOGS)
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_page_of_another_origin_gets_neither_a_code_nor_a_token(
    instagram_sandbox: SandboxHandle, foreign: str, dialog: str
) -> None:
    """The form that a foreign page sends by itself, as the person who has the sandbox open in another tab."""
    answer = httpx.post(
        f"{instagram_sandbox.url}{dialog}",
        data=asked(instagram_sandbox, dialog, decision="allow", account=instagram_sandbox.user_id),
        headers=placed(instagram_sandbox, FOREIGN[foreign]),
        trust_env=False,
    )
    assert answer.status_code == 403
    assert not {"location", "access-control-allow-origin"} & set(answer.headers)
    assert [entry.operation for entry in instagram_sandbox.journal()] == []


@pytest.mark.parametrize("dialog", DIALOGS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
        {"Host": "www.instagram.com"},
    ],
    ids=["a program", "the page", "the page by another name", "a program that is led here"],
)
def test_the_login_page_and_programs_get_a_code(
    instagram_sandbox: SandboxHandle, headers: dict[str, str], dialog: str
) -> None:
    answer = httpx.post(
        f"{instagram_sandbox.url}{dialog}",
        data=asked(instagram_sandbox, dialog, decision="allow", account=instagram_sandbox.user_id),
        headers=placed(instagram_sandbox, headers),
        trust_env=False,
    )
    assert "code=" in answer.headers["location"]


@pytest.mark.parametrize("path", ["/", "/u/sandbox_studio/", "/reel/abc/", "/oauth/authorize", "/dialog/oauth"])
def test_the_pages_answer_to_their_own_name_and_may_be_linked(instagram_sandbox: SandboxHandle, path: str) -> None:
    """A page whose name was made to mean this machine reads none of them. An app leads people to the login page."""
    query = asked(instagram_sandbox, path)

    def status(**headers: str) -> int:
        address = f"{instagram_sandbox.url}{path}"
        return httpx.get(address, params=query, headers=headers, trust_env=False).status_code

    usual = status()
    assert usual == (404 if "abc" in path else 200)
    assert status(Host="rebound.example") == 403
    assert status(Origin="https://evil.example") == 403
    assert status(Referer="https://app.example/", **{"Sec-Fetch-Site": "cross-site"}) == usual


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_that_hides_its_origin_controls_nothing(instagram_sandbox: SandboxHandle, site: str) -> None:
    assert call(instagram_sandbox, "POST", "reset", **{"Sec-Fetch-Site": site}).status_code == 403
    assert call(instagram_sandbox, "POST", "reset", Referer="https://evil.example/").status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Referer": f"{instagram_sandbox.url}/u/sandbox_studio/"}
    assert call(instagram_sandbox, "POST", "reset", **own).status_code == 200


def test_a_name_that_is_allowed_opens_the_doors() -> None:
    with sandbox_process("--allow-host", "sandbox", "--allow-host", "Instagram.Test") as sandbox:
        for host in ("sandbox:8077", "instagram.test", "INSTAGRAM.test:80"):
            assert call(sandbox, "GET", "clock", Host=host).status_code == 200
        assert call(sandbox, "GET", "clock", Host="other:8077").status_code == 403


def test_the_name_that_it_listens_on_opens_the_doors() -> None:
    with sandbox_process("--host", "localhost") as sandbox:
        assert call(sandbox, "GET", "clock", Host="localhost").status_code == 200


@pytest.mark.parametrize("name", ["http://sandbox", "sandbox:8077", "", "*"])
def test_an_allowed_host_that_is_not_a_name_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command().parse_args(["--allow-host", name])
    assert ended.value.code == 2
    assert "is not a valid host name" in capsys.readouterr().err


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
