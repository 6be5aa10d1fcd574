"""What ``docs/publish/comments.md`` says is so: its example runs, and a comment that fails leaves the post as it is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/publish/comments.md").read_text()
EXAMPLE, *_ = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def example(portrait_video: Path) -> Any:
    """Return the DAG of the example, with a new video and a key of its own, because all tests share one ledger."""
    namespace: dict[str, Any] = {"__name__": "comments_md"}
    source = EXAMPLE.replace("/data/teaser.mp4", str(portrait_video)).replace("teaser-2026-48", uuid4().hex)
    exec(compile(source, "comments.md", "exec"), namespace)  # noqa: S102 -- our own example
    return namespace["dag"]


def test_the_example_posts_and_comments(example: Any, instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    result = run_dag(example)
    assert result.state == "success", result.states()
    (post,), (comment,) = instagram_sandbox.posts, instagram_sandbox.comments()
    assert (comment.media_id, comment.text) == (post.media_id, "Filmed in Lisbon. #teaser #lisbon")


def test_a_second_run_makes_no_second_post_and_no_second_comment(
    example: Any, instagram_sandbox: SandboxHandle, run_dag: Any
) -> None:
    first, second = run_dag(example), run_dag(example)
    assert [result.state for result in (first, second)] == ["success", "success"]
    assert first.run.run_id != second.run.run_id
    (post,), (comment,) = instagram_sandbox.posts, instagram_sandbox.comments()
    assert {str(result.xcom("comment")) for result in (first, second)} == {comment.comment_id}
    assert comment.media_id == post.media_id
    assert instagram_sandbox.calls("publish") == instagram_sandbox.calls("comment") == 1


def test_a_comment_that_fails_leaves_the_run_and_the_post_as_they_are(
    example: Any, instagram_sandbox: SandboxHandle, run_dag: Any
) -> None:
    instagram_sandbox.fail("comment", 368)
    result = run_dag(example)
    states = result.states()
    assert (result.state, states["publish"], states["comment"]) == ("success", "success", "failed")
    assert len(instagram_sandbox.posts) == 1
    assert instagram_sandbox.comments() == []


def test_a_missing_permission_is_said_before_the_post_goes_out(
    example: Any, instagram_sandbox: SandboxHandle, run_dag: Any
) -> None:
    from airflow_provider_instagram.hooks import InstagramHook

    manager = InstagramHook("instagram_default").token_manager()
    publishing = ("instagram_business_basic", "instagram_business_content_publish")
    manager.store.save(replace(manager.current_token(), scopes=publishing))
    result = run_dag(example)
    assert result.state == "failed"
    assert result.states()["check_scope"] == "failed"
    assert instagram_sandbox.posts == []
