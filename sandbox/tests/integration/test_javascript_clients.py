"""Clients from the npm registry, as their authors published them: only Meta's hosts are led to the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

SOURCES = Path(__file__).parents[1] / "clients"
REDIRECTS = Path(__file__).parents[2] / "instagram_sandbox/http/redirects"
INSTALLED = Path(__file__).parents[3] / ".tools/sandbox-clients"

pytestmark = pytest.mark.registry


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The clients, installed once in exactly the versions of the lock file."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    done = INSTALLED / "installed"
    if not done.exists() or done.read_bytes() != lock:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, INSTALLED)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=INSTALLED, check=True, capture_output=True, timeout=280)
        done.write_bytes(lock)
    return INSTALLED / "node_modules"


@pytest.fixture
def run(node_modules: Path, documented: SandboxHandle, picture: WebServer, web: WebServer) -> Callable[..., Any]:
    """Run one client in Node, and return what it prints."""

    def run(script: str, token: str) -> Any:
        environment = {
            "PATH": os.environ["PATH"],
            "NODE_PATH": str(node_modules),
            "SANDBOX_URL": documented.url,
            "TOKEN": token,
            "USER_ID": documented.user_id,
            "APP_ID": documented.app_id,
            "APP_SECRET": documented.app_secret,
            "PICTURE": picture.url,
            "VIDEO": web.url,
        }
        command = ["node", "--require", str(REDIRECTS / "redirect.cjs"), str(SOURCES / script)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_instagram_graph_api_publishes_each_medium_and_reads_it_back(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    """It sends everything in the query, to paths with three slashes and without a version."""
    token = documented.add_token(documented.user_id, kind="page")
    answer = run("instagram_graph_api.cjs", token)
    assert {post.media_id for post in documented.posts} == {answer[one] for one in ("photo", "reel", "story", "film")}
    assert sorted(answer["captions"]) == ["A photo", "A reel"]
    assert sorted(answer["productTypes"]) == ["FEED", "REELS"]
    assert set(answer["stories"]) == {answer["story"], answer["film"]}
    assert (answer["comments"], answer["replies"], answer["caption"]) == (["First!"], ["Second!"], "A reel")
    assert (answer["account"], answer["quota"], answer["hidden"], answer["deleted"]) == (
        "sandbox_studio",
        4,
        True,
        True,
    )
    assert documented.comments() == []


def test_activepieces_lists_the_pages_and_publishes_a_photo_and_a_reel(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    """It calls v17.0, which is gone, and publishes the photo without a look at its status."""
    answer = run("activepieces.cjs", documented.add_token(documented.user_id, kind="user"))
    assert answer["pages"] == ["sandbox_studio"]
    assert [(post.media_id, post.caption) for post in documented.posts] == [
        (answer["photo"], "A photo"),
        (answer["reel"], "A reel"),
    ]
    assert any("v17.0 is gone" in warning for warning in documented.warnings)


def test_metas_sdk_for_node_publishes_and_reads_back_in_pages(
    run: Callable[..., Any], documented: SandboxHandle
) -> None:
    """It adds the id of the node to each call, which needs no warning."""
    answer = run("facebook_business.cjs", documented.add_token(documented.user_id, kind="user"))
    assert [post.media_id for post in documented.posts] == answer["ids"]
    assert answer["captions"] == ["A carousel", "A reel", "A photo"]
    assert (answer["comments"], answer["accounts"], answer["quota"]) == (["First!"], [documented.user_id], [3])
    assert documented.warnings == []


def test_fb_publishes_and_reads_in_a_batch(run: Callable[..., Any], documented: SandboxHandle) -> None:
    """It sends the fields as an array in JSON."""
    answer = run("fb.cjs", documented.add_token(documented.user_id, kind="user"))
    assert [post.media_id for post in documented.posts] == [answer["photo"]]
    assert (answer["name"], answer["batch"]) == ("sandbox_studio", [200, 200])
