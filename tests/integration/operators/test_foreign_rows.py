"""Rows of the ledger that another team has forged or deleted by Airflow's REST API, and what a person does about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.utils.arguments import NOT_GIVEN

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import DagResult, RunDag

AT = "2030-05-06T08:30:00+00:00"
OWNER = {"dag_id": "a", "run_id": "b", "task_id": "publish", "map_index": -1, "loop_index": None}
CLAIM = {"owner": OWNER, "nonce": "n", "undecided": []}
INTENT = {"container_id": "17", "at": AT, "claim": CLAIM, "withdrawn": False, "needs_manual_resolution": False}


def dag(dag_id: str, video: Path, post_key: str = NOT_GIVEN) -> DAG:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    with DAG(dag_id, schedule=None, default_args={"retries": 0}) as made:
        create = CreateContainerOperator(
            task_id="create", video=str(video), wait_for_completion=True, caption="Grüße", post_key=post_key
        )
        PublishOperator(task_id="publish", container_id=create.output)
    return made


def by_rest(key: str | None, value: Any = None) -> None:
    """Write a row as ``PUT /assets/{id}/state-store/{key}`` does, or delete all of them, as ``DELETE`` does."""
    from airflow.state import get_state_backend

    from airflow_provider_instagram.ledger.database import open_ledger

    with open_ledger("instagram_default") as store:
        if key is None:
            get_state_backend().clear(store._scope, session=store.session)
        else:
            get_state_backend().set(store._scope, key, json.dumps(value), session=store.session)


def clear(made: DAG, result: DagResult) -> str:
    """Clear all tasks of a run, run them again, and return the state of the run."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    from tests.reliability.in_process import _go_on

    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == result.run.run_id)).one()
        clear_task_instances(run.get_task_instances(session=session), session, dag_run_state=DagRunState.RUNNING)
    return str(_go_on(made, result.run.run_id).state)


def test_a_clear_after_all_rows_were_deleted_makes_no_second_post(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path
) -> None:
    result = run_dag(made := dag("rows_deleted", portrait_video))
    assert result.state == "success"
    by_rest(None)
    assert clear(made, result) == "success"
    (post,) = instagram_sandbox.posts
    assert result.xcom("publish")["media_id"] == post.media_id
    assert result.xcom("publish")["already_published"] is True


@pytest.mark.parametrize(
    ("key", "row", "envelope"),
    [
        (
            "done:{}",
            {"container_id": "17", "published_at": AT, "media_id": "180", "permalink": "https://x.example"},
            True,
        ),
        pytest.param("intent:{}", INTENT, False, marks=pytest.mark.long),
        ("claim:{}", CLAIM, True),
        pytest.param("containers:{}", ["17"], False, marks=pytest.mark.long),
    ],
)
def test_a_forged_row_stops_its_post_until_a_person_has_looked(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    row: Any,
    envelope: bool,
) -> None:
    post_key = f"{key[:-3]} {envelope}"
    run_dag(dag("neighbour", portrait_video, f"neighbour of {post_key}"))
    assert len(instagram_sandbox.posts) == 1
    name, row = key.format(post_key), {"post_key": post_key, **row} if isinstance(row, dict) else row
    by_rest(name, {"form": 1, "row": row, "seal": "0" * 64} if envelope else row)
    by_rest("quota-end", 7)
    assert run_dag(dag("other", portrait_video, f"other than {post_key}")).state == "success", "a neighbour goes on"
    made = dag("forged", portrait_video, post_key)
    capsys.readouterr()
    assert run_dag(made).state == "failed"
    said = capsys.readouterr().out
    assert f"The row '{name}' of connection 'instagram_default'" in said
    assert len(instagram_sandbox.posts) == 2
    settle_or_forget(name, post_key)
    assert run_dag(made).state == "success"
    assert len(instagram_sandbox.posts) == 3


def settle_or_forget(name: str, post_key: str) -> None:
    """Do what the message says about a post that is not live."""
    from airflow.cli.cli_parser import get_parser

    command = ["forget", "--yes"] if name.startswith("containers") else ["settle", "--not-live"]
    about = name if name.startswith("containers") else post_key
    arguments = ["instagram", "ledger", command[0], "--conn-id", "instagram_default", *command[1:], "--", about]
    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)
