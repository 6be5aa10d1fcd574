"""The examples of the first pages that a reader sees become posts, and each task has an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.docs.pages import BLOCKS, ROOT, Block, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle


def dags_of(page: str, **places: Path) -> list[DAG]:
    """Return the DAGs of a page. Its folder ``/data`` or ``/tmp`` is replaced by the one that is given."""
    found = []
    for block in BLOCKS:
        if (block.page, block.language) == (page, "python"):
            code = block.code
            for name, place in places.items():
                code = code.replace(f"/{name}/", f"{place}/")
            found.append(run(Block(block.page, block.line, block.language, code))["dag"])
    return found


def test_every_task_has_an_example() -> None:
    pages = ("publish/operators", "publish/comments", "insights/dags", "operate/tokens")
    shown = {task.task_type for page in pages for dag in dags_of(f"docs/{page}.md") for task in dag.tasks}
    assert shown >= {
        "TranscodeOperator",
        "CreateContainerOperator",
        "ContainerStatusSensor",
        "PublishOperator",
        "CommentOperator",
        "InsightsOperator",
        "RefreshTokenOperator",
    }


def test_the_quickstart_posts(instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path) -> None:
    (dag,) = dags_of("README.md", data=landscape_mov.parent)
    dag.get_task("transcode").source = str(landscape_mov)
    assert run_dag(dag).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["Coming Friday #teaser"]


def test_the_dag_of_the_five_minutes_makes_its_video_and_posts_it(
    instagram_sandbox: SandboxHandle, run_dag: Any, tmp_path: Path
) -> None:
    (dag,) = dags_of("docs/start/sandbox.md", tmp=tmp_path)
    assert run_dag(dag).state == "success"
    (post,) = instagram_sandbox.posts
    assert (post.caption, post.media_product_type) == ("Coming Friday #teaser", "REELS")


def test_the_readme_is_a_door() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_the_dag_that_hears_of_posts_is_scheduled_on_what_a_post_emits() -> None:
    from airflow_provider_instagram.ledger.assets import posts_asset

    (dag,) = dags_of("docs/reference/events.md")
    assert dag.schedule == [posts_asset("instagram_default")]
