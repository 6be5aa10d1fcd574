"""The examples of the first pages that a reader sees become posts, and each task has an example."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.integration.docs.pages import BLOCKS, ROOT, Block, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle


#: The frame of the video that a page makes, and the smaller one that it has here, to be encoded in less time.
FRAMES = ("1280x720", "540x304")


def dags_of(page: str, **places: Path) -> list[DAG]:
    """Return the DAGs of a page. Its folder ``/data`` or ``/tmp`` is replaced by one that is given."""
    found = []
    for block in BLOCKS:
        if (block.page, block.language) == (page, "python"):
            code = block.code
            code = code.replace(*FRAMES)
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


def test_the_quickstart_posts(
    instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path, tmp_path: Path
) -> None:
    (tmp_path / "teaser.mov").write_bytes(landscape_mov.read_bytes())
    (dag,) = dags_of("README.md", data=tmp_path)
    assert run_dag(dag).state == "success"
    assert run_dag(dag).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["Coming Friday #teaser"]


def test_the_dag_of_the_five_minutes_makes_its_video_and_posts_it(
    instagram_sandbox: SandboxHandle, run_dag: Any, tmp_path: Path
) -> None:
    (dag,) = dags_of("docs/start/sandbox.md", tmp=tmp_path)
    assert run_dag(dag).state == "success"
    (post,) = instagram_sandbox.posts
    assert (post.caption, post.media_product_type) == ("Coming Friday #teaser", "REELS")


def test_the_failed_post_is_repaired_as_the_page_says(
    instagram_sandbox: SandboxHandle, run_dag: Any, tmp_path: Path
) -> None:
    """Three runs with one key: the first fails, the second posts, the third finds the post."""
    page = (ROOT / "docs/start/repair.md").read_text()
    (body,) = re.findall(r"curl -d '(.*?)'", page)
    (before, after) = re.findall(r"replace `(\w+)` by `(\w+)`", page)[0]
    (code,) = [block.code for block in BLOCKS if (block.page, block.language) == ("docs/start/sandbox.md", "python")]
    code = code.replace(*FRAMES).replace("/tmp/", f"{tmp_path}/")
    code = code.replace("caption=", 'post_key="teaser", caption=')
    rejected, repaired = (
        run(Block("docs/start/sandbox.md", 1, "python", text))["dag"] for text in (code, code.replace(before, after))
    )
    instagram_sandbox.process_next(**json.loads(body)["processing"])
    failed = run_dag(rejected)
    assert (failed.state, failed.states()["create"]) == ("failed", "failed")
    assert instagram_sandbox.posts == []
    assert run_dag(repaired).state == "success"
    assert run_dag(repaired).state == "success"
    assert len(instagram_sandbox.posts) == 1


def test_the_first_calendar_has_one_post_to_approve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell writes both files of the page, as it stands, and the DAG file makes a DAG of the calendar."""
    from airflow_provider_instagram.calendar.file.parser import read_calendar
    from tests.integration.conftest import load_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    (tmp_path / "teaser.mov").touch()
    (tmp_path / "airflow/dags").mkdir(parents=True)  # of the first tour
    scripts = [block.code for block in BLOCKS if block.page == "docs/start/calendar.md" and "cat >" in block.code]
    for script in scripts:
        files_only = re.sub(r"^airflow .*$", "", script.replace("/tmp/", f"{tmp_path}/"), flags=re.MULTILINE)
        subprocess.run(["bash", "-eu"], input=files_only, text=True, check=True, cwd=tmp_path)
    calendar = read_calendar(str(tmp_path / "calendars/spring.yaml"))
    assert calendar.problems == ()
    assert [(post.id, post.approval) for post in calendar.posts] == [("hello", "required")]
    assert "approve" in load_dag(tmp_path / "airflow/dags/spring.py").task_ids


def test_the_readme_is_a_door() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120
