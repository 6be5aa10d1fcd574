"""What a DAG file pays for its imports: the DAG processor reads them all again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PACKAGE = "airflow_provider_instagram"
CLASSES = (
    ("operators", "CommentOperator"),
    ("operators", "CreateContainerOperator"),
    ("operators", "HideCommentOperator"),
    ("operators", "InsightsOperator"),
    ("operators", "PrivateReplyOperator"),
    ("operators", "PublishOperator"),
    ("operators", "RefreshTokenOperator"),
    ("operators", "SwitchOffCommentsOperator"),
    ("operators", "TranscodeOperator"),
    ("sensors", "ContainerStatusSensor"),
)
OURS_FOR_WORKERS = tuple(f"{PACKAGE}.{name}" for name in ("graph.client", "media.video", "hooks"))
HEAVY = ("httpx", "cryptography", "ffmpeg", *OURS_FOR_WORKERS)


SPY = """
import airflow.sdk, builtins, json, sys
from airflow.sdk import DAG, Param, task

before, asked, import_it = set(sys.modules), set(), builtins.__import__

def spy(name, importer=None, *rest):
    if importer and importer["__name__"].startswith("airflow_provider_instagram"):
        asked.add(name)
    return import_it(name, importer, *rest)

builtins.__import__ = spy
{statement}
print(json.dumps([sorted(set(sys.modules) - before), sorted(asked)]))
"""


def imports_of(statement: str) -> tuple[set[str], set[str]]:
    """Run a statement in a process that has imported what every DAG file imports.

    :return: The modules that it loads, and those that our modules ask for, whether or not they were loaded before.
    """
    program = SPY.replace("{statement}", statement)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    added, asked = json.loads(done.stdout.splitlines()[-1])
    return set(added), set(asked)


def of(modules: set[str], *roots: str) -> set[str]:
    return {name for name in modules if any(name == root or name.startswith(f"{root}.") for root in roots)}


def foreign(modules: set[str]) -> set[str]:
    """Leave out our own modules and the standard library's."""
    return {name for name in modules - of(modules, PACKAGE) if name.partition(".")[0] not in sys.stdlib_module_names}


def test_importing_the_operators_package_adds_nothing_of_others() -> None:
    added, asked = imports_of(f"import {PACKAGE}.operators")
    assert f"{PACKAGE}.operators" in added
    assert foreign(added) == set()
    assert of(added | asked, *HEAVY, "airflow") == set()


def test_a_dag_file_loads_no_client_no_codec_and_no_cipher() -> None:
    """What the operators and the sensor need to work, their worker loads when they work."""
    added, asked = imports_of("\n".join(f"from {PACKAGE}.{module} import {cls}" for module, cls in CLASSES))
    assert {f"{PACKAGE}.operators.publish", f"{PACKAGE}.sensors.container"} <= added
    # Airflow loads pydantic in any case, but not all of it
    assert foreign(added) - of(added, "airflow", "pydantic") == set()
    assert of(added | asked, *HEAVY) == set()


def test_the_dags_that_are_one_line_load_no_client_and_no_cipher() -> None:
    modules = ("operators.token import token_refresh_dag", "insights import insights_dag")
    names = [*modules, "doctor import instagram_doctor_dag"]
    statement = "\n".join(f"from {PACKAGE}.{name}" for name in names)
    added, asked = imports_of(
        f"{statement}\ntoken_refresh_dag()\ninstagram_doctor_dag()\ninsights_dag('numbers', ['a'], 'b')"
    )
    assert {f"{PACKAGE}.operators.token", f"{PACKAGE}.doctor.dag", f"{PACKAGE}.insights.dag"} <= added
    assert of(added | asked, *HEAVY) == set()


def test_the_core_knows_nothing_of_calendars() -> None:
    """It has places of its own for what they add: the origin of a post, and kinds of rows."""
    core = ("exceptions.py", "files", "graph", "hooks", "ledger", "media", "operators", "posts", "publishing", "quota")
    package = Path(__file__).parents[2] / PACKAGE
    for module in package.rglob("*.py"):
        if module.relative_to(package).parts[0] in (*core, "sensors", "triggers", "accounts"):
            assert "calendar" not in module.read_text(encoding="utf-8").lower(), module
