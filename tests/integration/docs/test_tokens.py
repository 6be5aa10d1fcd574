"""What ``docs/operate/tokens.md`` says is so: its examples are DAGs that run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/operate/tokens.md").read_text()
SEVERAL, _, TOLD = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


pytestmark = pytest.mark.usefixtures("no_stored_tokens")


def dag_of(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "tokens_md"}
    exec(compile(source, "tokens.md", "exec"), namespace)  # noqa: S102 -- our own examples
    return namespace["dag"]


def test_the_example_for_several_accounts_refreshes_those_it_names(
    instagram_sandbox: SandboxHandle, run_dag: Any
) -> None:
    result = run_dag(dag_of(SEVERAL), connections=["instagram_default"])
    assert result.states() == {"list_connections": "success", "refresh[0]": "success"}


def test_the_example_for_alerts_tells_the_team(
    instagram_sandbox: SandboxHandle, run_dag: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    instagram_sandbox.revoke(instagram_sandbox.token)
    assert run_dag(dag_of(TOLD)).state == "failed"
    assert "instagram_default: None days left. Cannot read the account" in capsys.readouterr().out
