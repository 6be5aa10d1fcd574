"""What a DAG file pays for its imports: the DAG processor reads them all again and again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PACKAGE = "airflow_provider_instagram"
CLASSES = (
    "operators.CreateContainerOperator",
    "operators.PublishOperator",
    "operators.RefreshTokenOperator",
    "operators.TranscodeOperator",
    "sensors.ContainerStatusSensor",
)
OURS_FOR_WORKERS = tuple(f"{PACKAGE}.{name}" for name in ("graph.client", "media.transcode", "tokens", "hooks"))
HEAVY = ("httpx", "cryptography", "ffmpeg", *OURS_FOR_WORKERS)


def modules_added_by(statement: str) -> set[str]:
    """Run a statement in a process that has imported what every DAG file imports, and see what it loads."""
    program = (
        "import json, sys\nimport airflow.sdk\nfrom airflow.sdk import DAG, Param, task\n"
        f"before = set(sys.modules)\n{statement}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def of(modules: set[str], *roots: str) -> set[str]:
    return {name for name in modules if any(name == root or name.startswith(f"{root}.") for root in roots)}


def foreign(modules: set[str]) -> set[str]:
    """Leave out our own modules and the standard library's."""
    return {name for name in modules - of(modules, PACKAGE) if name.partition(".")[0] not in sys.stdlib_module_names}


def test_importing_the_operators_package_adds_nothing_of_others() -> None:
    added = modules_added_by(f"import {PACKAGE}.operators")
    assert f"{PACKAGE}.operators" in added
    assert foreign(added) == set()
    assert of(added, *OURS_FOR_WORKERS) == set()


@pytest.mark.parametrize("name", CLASSES)
def test_a_dag_file_loads_no_client_no_codec_and_no_cipher(name: str) -> None:
    """What an operator or the sensor needs to work, its worker loads when it works."""
    module, _, cls = name.rpartition(".")
    added = modules_added_by(f"from {PACKAGE}.{module} import {cls}")
    assert of(added, PACKAGE)
    assert foreign(added) - of(added, "airflow") == set()
    assert of(added, *HEAVY) == set()
