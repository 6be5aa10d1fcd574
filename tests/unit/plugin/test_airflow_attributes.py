"""What the pages take from Airflow: only what its models offer by public names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "airflow_provider_instagram"
#: The modules that read Airflow's database, or show what was read there.
READERS = sorted(
    file
    for folder in ("plugin", "calendar", "ledger", "cli", "accounts")
    for file in (PACKAGE / folder).rglob("*.py")
    if folder == "plugin" or "from airflow.models" in file.read_text()
)
OURS = ("self", "cls")
#: ``_state``, but neither ``__name__`` nor the ``_replace`` of a named tuple.
PRIVATE = re.compile(r"_(?!_)(?!replace$|asdict$)")


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.name)
def test_a_module_that_reads_airflows_database_names_no_private_attribute(file: Path) -> None:
    private = [
        f"{ast.unparse(node)} in line {node.lineno}"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr) and ast.unparse(node.value) not in OURS
    ]
    assert private == []


def test_the_modules_that_read_airflows_database_are_found() -> None:
    assert {"airflow_rows.py", "stored_dags.py", "database.py"} <= {file.name for file in READERS}
