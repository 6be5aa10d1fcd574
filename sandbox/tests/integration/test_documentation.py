"""What ``docs/testing`` says is so: its examples run, every switch is in it, and the evidence names real tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import httpx
import pytest

from instagram_sandbox.simulator.journal import Operation
from instagram_sandbox.simulator.switches import HARSHEST, Switches

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs/testing"
TEXT = "".join((DOCS / name).read_text() for name in ("clients.md", "pytest.md"))
TABLE = (ROOT / "sandbox/EVIDENCE.md").read_text()
SWITCHES = (DOCS / "faults.md").read_text().partition("## Switches")[2]


def code_of(path: str) -> str:
    """Return the code block that follows the mention of a file."""
    found = re.search(rf"`{re.escape(path)}`.*?```(?:python|javascript|bash)\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None, path
    return found[1]


@pytest.mark.long
def test_the_example_for_authors_of_dags_passes_as_it_stands(tmp_path: Path) -> None:
    """Its three files, copied from the page into an empty project, and pytest run there as a stranger would."""
    for name in ("dags/teaser.py", "tests/conftest.py", "tests/test_teaser.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code_of(name))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "tests"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "5 passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "command", "caption"),
    [
        ("publish.py", [sys.executable], "From Python"),
        ("publish.mjs", ["node"], "From JavaScript"),
        ("publish.sh", ["bash"], "From curl"),
    ],
)
def test_the_example_in_each_language_publishes(
    documented: SandboxHandle, picture: WebServer, tmp_path: Path, name: str, command: list[str], caption: str
) -> None:
    (tmp_path / name).write_text(code_of(name))
    environment = os.environ | {"HOST": documented.url, "PICTURE": picture.url}
    done = subprocess.run(
        [*command, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (post,) = documented.posts
    assert post.caption == caption
    assert post.permalink.removeprefix(documented.url) in done.stdout.replace("\\/", "/")


def test_every_test_in_the_table_exists() -> None:
    folders = (
        "sandbox/tests/unit",
        "sandbox/tests/integration",
        "tests/integration/graph",
        "tests/integration/attacks",
    )
    files = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("test_*.py")]
    written = set(re.findall(r"^def (test_\w+)", "\n".join(files), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert len(named) > 150
    assert named <= written


@pytest.mark.parametrize("switch", sorted(Switches.model_fields))
def test_every_switch_is_described(switch: str) -> None:
    row = re.search(rf"^\| .*`{switch}`.*", SWITCHES, re.MULTILINE)
    assert row is not None
    harsh = "=" if switch not in HARSHEST else str(HARSHEST[switch]).removesuffix(".0").lower()
    assert row[0].rstrip("| ").rsplit(" | ", 1)[1].strip("`") == harsh


def test_every_operation_and_every_control_route_is_described(documented: SandboxHandle) -> None:
    page = (DOCS / "faults.md").read_text()
    routes = httpx.get(f"{documented.url}/_sandbox/openapi.json", trust_env=False).json()["paths"]
    shown = {re.sub("<[^>]+>", "{}", path) for path in re.findall(r"/_sandbox/[\w/<> ]*\w>?", page)}
    assert {re.sub(r"\{[^}]+\}", "{}", path) for path in routes} <= shown | {"/_sandbox/openapi.json"}
    (operations,) = re.findall(r"^\| `operation` \|.*", page, re.MULTILINE)
    assert {name for name in get_args(Operation) if f"`{name}`" not in operations} == set()


def test_everything_that_the_fixture_offers_is_described(documented: SandboxHandle) -> None:
    page = (DOCS / "pytest.md").read_text()
    offered = {name for name in dir(type(documented)) if not name.startswith("_")} - {"close"}
    assert len(offered) > 20
    assert {name for name in offered if not re.search(rf"`{name}[`(]", page)} == set()
