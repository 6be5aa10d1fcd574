"""Clients from PyPI, as their authors published them: only Meta's hosts are led to the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle

SOURCES = Path(__file__).parents[1] / "clients"
REDIRECTS = Path(__file__).parents[2] / "instagram_sandbox/http/redirects"
TOOLS = Path(__file__).parents[3] / ".tools"
BACK = "https://app.example/back"

pytestmark = pytest.mark.registry


@pytest.fixture(scope="session")
def packages() -> Path:
    """The clients, installed once in exactly the versions of their list. What they need is installed for the tests."""
    installed, wanted = TOOLS / "sandbox-clients/pypi", SOURCES / "requirements.txt"
    done = installed / "installed"
    if not done.exists() or done.read_bytes() != wanted.read_bytes():
        shutil.rmtree(installed, ignore_errors=True)
        command = [str(TOOLS / "bin/uv"), "pip", "install", "--python", sys.executable, "--target", str(installed)]
        subprocess.run([*command, "--no-deps", "--require-hashes", "-r", str(wanted)], check=True, timeout=280)
        shutil.copy(wanted, done)
    return installed


@pytest.fixture
def run(packages: Path, documented: SandboxHandle) -> Callable[..., Any]:
    """Run one client on the sandbox's own samples, and return what it prints."""

    def run(client: str, **variables: str) -> Any:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{packages}:{REDIRECTS}",
            "SANDBOX_URL": documented.url,
            "USER_ID": documented.user_id,
            "APP_ID": documented.app_id,
            "APP_SECRET": documented.app_secret,
            "PICTURE": f"{documented.url}/samples/picture.jpg",
            "VIDEO": f"{documented.url}/samples/reel.mp4",
        }
        command = [sys.executable, str(SOURCES / "pypi.py"), client]
        done = subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    return run


def published(sandbox: SandboxHandle) -> list[tuple[str, str]]:
    return [(post.media_id, post.caption) for post in sandbox.posts]


def test_insta_nova_exchanges_a_code_and_publishes(run: Callable[..., Any], documented: SandboxHandle) -> None:
    """It calls v23.0 with a token that lives for an hour."""
    sent = {
        "client_id": documented.app_id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "instagram_business_basic,instagram_business_content_publish",
        "decision": "allow",
        "account": documented.user_id,
    }
    back = httpx.post(f"{documented.url}/oauth/authorize", data=sent, trust_env=False)
    (code,) = parse_qs(urlsplit(back.headers["location"]).query)["code"]
    answer = run("insta_nova", CODE=code, BACK=BACK)
    assert answer["account"] == documented.user_id
    assert published(documented) == [(answer["ids"][0], "")]


def test_instagram_platform_sdk_publishes_comments_and_reads_back(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    """It sends JSON, with the token in the query, to v26.0 of Facebook's host."""
    answer = run("instagram_platform", TOKEN=documented.add_token(documented.user_id, kind="user"))
    assert published(documented) == list(zip(answer["ids"], ["A photo", "A reel"], strict=True))
    assert (answer["captions"], answer["comment"]) == (["A reel", "A photo"], "First!")
    assert (answer["enabled"], answer["metrics"], answer["username"]) == (False, ["reach"], "sandbox_studio")
    assert documented.warnings == []


def test_makervox_publish_lengthens_a_token_and_publishes_without_a_version(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    answer = run("makervox_publish", TOKEN=documented.add_token(documented.user_id, long_lived=False))
    assert answer["account"] == {"account": "studio", "user_id": documented.user_id, "username": "sandbox_studio"}
    assert published(documented) == list(zip(answer["ids"], ["A photo", "A reel"], strict=True)), answer["reasons"]
    assert documented.warnings == []


def test_creator_publish_publishes_a_reel_and_reads_its_permalink(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    """It calls v21.0 of Facebook's host, with a form and the token in the query."""
    answer = run("creator_publish", TOKEN=documented.add_token(documented.user_id, kind="page"))
    assert published(documented) == [(answer["ids"][0], "A reel\n\nOf the studio\n\n#studio")]
    assert answer["permalink"] == documented.posts[0].permalink
    assert documented.warnings == []
