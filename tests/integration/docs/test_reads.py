"""The examples of the hook that reads an account print what is there."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.exceptions import TaskDeferred

from tests.integration.docs.pages import BLOCKS, run

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

(READS,) = (block for block in BLOCKS if "hook.list_media" in block.code)
(WAITS,) = (block for block in BLOCKS if "get_async_conn" in block.code)
(SENDS,) = (block for block in BLOCKS if "calls.publishing_limit" in block.code)


@pytest.mark.usefixtures("no_stored_tokens")
def test_the_examples_read_posts_with_their_metrics_and_comments(
    instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(instagram_sandbox.connection))
    post = instagram_sandbox.add_foreign_post("Grüße", age_s=7200)
    instagram_sandbox.set_insights(post, views=685)
    instagram_sandbox.add_comment(post, "Schön!", "anna")
    example = run(READS)
    assert example["caption"]({"media_id": post}) == "Grüße"
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "sandbox_studio"
    assert told[2:] == ["685 None", "anna Schön!"]
    run(SENDS)
    assert capsys.readouterr().out == "100\n"


@pytest.mark.usefixtures("no_stored_tokens")
def test_a_trigger_waits_for_a_comment(instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(instagram_sandbox.connection))
    post = instagram_sandbox.add_foreign_post("Grüße")
    example = run(WAITS)
    with pytest.raises(TaskDeferred) as deferred:
        example["CommentedOperator"](task_id="wait", media_id=post).execute({})
    instagram_sandbox.add_comment(post, "Schön!", "anna")
    assert asyncio.run(anext(deferred.value.trigger.run())).payload == post
