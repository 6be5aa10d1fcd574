"""Every example in the README is a DAG that parses; the first one runs to a post."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]


README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(README)


def dag_of(source: str) -> DAG:
    namespace: dict[str, Any] = {}
    exec(compile(source, "README.md", "exec"), namespace)  # noqa: S102 -- our own examples
    dag: DAG = namespace["dag"]
    return dag


def test_every_task_has_an_example() -> None:
    shown = {task.task_type for source in EXAMPLES for task in dag_of(source).tasks}
    assert shown == {
        "TranscodeOperator",
        "CreateContainerOperator",
        "ContainerStatusSensor",
        "PublishOperator",
        "CommentOperator",
        "InsightsOperator",
        "RefreshTokenOperator",
    }


def test_the_quickstart_posts(instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path) -> None:
    assert run_dag(dag_of(EXAMPLES[0].replace("/data/teaser.mov", str(landscape_mov)))).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["Coming Friday #teaser"]


def test_the_documented_api_version_is_the_default() -> None:
    from airflow_provider_instagram.graph import API_VERSION

    assert f"| Graph API version (extra `api_version`) | | `{API_VERSION}` |" in README


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_dag_that_hears_of_posts_is_scheduled_on_what_a_post_emits() -> None:
    from airflow_provider_instagram.ledger.assets import posts_asset

    (example,) = EXAMPLE.findall((ROOT / "docs/exactly-once.md").read_text())
    assert dag_of(example).schedule == [posts_asset("instagram_default")]
