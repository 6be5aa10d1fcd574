"""A post's time: late is better than never, within ``max_lateness``; no container waits for a time it cannot see."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import RunDag


def _dag(dag_id: str, video: Path, *, create: dict[str, Any] | None = None, **publish: Any) -> DAG:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    with DAG(dag_id, schedule=None, default_args={"retries": 0}, params={"at": "", "late": ""}) as dag:
        made = CreateContainerOperator(
            task_id="create", video=str(video), wait_for_completion=True, caption=dag_id, **(create or {})
        )
        PublishOperator(task_id="publish", container_id=made.output, **publish)
    return dag


def _in(**time: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(**time)


@pytest.mark.parametrize("max_lateness", [None, timedelta(hours=3)], ids=["without a limit", "within the limit"])
def test_what_starts_hours_late_is_published_at_once(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, max_lateness: timedelta | None
) -> None:
    dag = _dag("hours_late", portrait_video, publish_at=_in(hours=-2), max_lateness=max_lateness)
    result = run_dag(dag)
    assert result.state == "success"
    assert [post.permalink for post in instagram_sandbox.posts] == [result.xcom("publish")["permalink"]]


def test_the_log_and_the_result_tell_how_late_a_post_is_and_later_runs_tell_who_published_it(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry, a Clear and another run return the same time and lateness."""
    planned = _in(hours=-2)
    create = {"post_key": "Größe: two hours late"}
    dag = _dag(
        "two_hours_late", portrait_video, create=create, publish_at=planned.astimezone(timezone(timedelta(hours=1)))
    )
    first = run_dag(dag)
    result, said = first.xcom("publish"), caplog.text
    assert result["planned_at"] == planned.isoformat()
    assert 7200 < result["late_s"] < 7500
    (line,) = [line for line in said.splitlines() if "Größe: two hours late is published" in line]
    assert f"planned for {planned.isoformat()}, {result['late_s']:.1f} s late" in line

    assert run_dag(dag).xcom("publish") == {**result, "already_published": True}
    (line,) = [line for line in caplog.text.splitlines() if "late is already published: http" in line]
    assert f"published at {result['published_at']} by run {first.run.run_id} of DAG two_hours_late" in line


def test_without_a_time_no_post_is_late(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path
) -> None:
    result = run_dag(_dag("at_once", portrait_video)).xcom("publish")
    assert (result["planned_at"], result["late_s"]) == (None, None)


def test_a_dry_run_tells_when_it_would_publish(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path
) -> None:
    planned = _in(hours=5)
    result = run_dag(_dag("dry", portrait_video, publish_at=planned, dry_run=True)).xcom("publish")
    assert (result["planned_at"], result["late_s"], result["published_at"]) == (planned.isoformat(), None, None)


def test_after_a_lost_answer_the_log_says_that_the_post_was_found(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    quick_list: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    planned = _in(hours=-1)
    instagram_sandbox.fail("publish", drop="after")
    result = run_dag(_dag("found_again", portrait_video, publish_at=planned))
    (post,) = instagram_sandbox.posts
    assert f"The post was found on the account: {post.permalink}. Nothing was sent again." in caplog.text
    assert result.xcom("publish")["planned_at"] == planned.isoformat()
    assert result.xcom("publish")["late_s"] > 3500
    assert instagram_sandbox.calls("publish") == 1


def test_beside_a_lost_answer_of_create_stands_what_becomes_of_a_container(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    becomes_of_it = "If Instagram has created a container, nothing publishes it, and it expires by itself."
    instagram_sandbox.fail("create", drop="after")
    assert run_dag(_dag("lost_create", portrait_video)).states()["create"] == "failed"
    assert becomes_of_it in capsys.readouterr().out
    instagram_sandbox.fail("create", 190)
    assert run_dag(_dag("refused_create", portrait_video)).states()["create"] == "failed"
    said = capsys.readouterr().out
    assert "AuthenticationError" in said
    assert becomes_of_it not in said


def _four_steps(video: Path, post_key: str, dag_id: str = "done_before", **options: Any) -> DAG:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    with DAG(dag_id, schedule=None, default_args={"retries": 0}) as dag:
        made = CreateContainerOperator(task_id="create", video=str(video), post_key=post_key, **options)
        ready = ContainerStatusSensor(task_id="wait", container_id=made.output)
        PublishOperator(task_id="publish", container_id=ready.output)
    return dag


def test_a_run_whose_post_is_there_does_not_call_instagram(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path
) -> None:
    assert run_dag(_four_steps(portrait_video, "done-before")).state == "success"
    instagram_sandbox.revoke(instagram_sandbox.token)
    calls = len(instagram_sandbox.journal())
    result = run_dag(_four_steps(portrait_video, "done-before"))
    assert result.state == "success"
    assert result.xcom("publish")["already_published"] is True
    assert len(instagram_sandbox.journal()) == calls


def test_a_key_of_another_dags_post_stops_a_post_before_its_upload(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A renamed DAG has the same post, which is published already. A DAG may also edit what it has published."""
    assert run_dag(_four_steps(portrait_video, "spring", "spring")).state == "success"
    edited = run_dag(_four_steps(portrait_video, "spring", "spring", caption="Edited"))
    renamed = run_dag(_four_steps(portrait_video, "spring", "spring_2"))
    assert (edited.state, renamed.state) == ("success", "success")
    assert renamed.xcom("publish")["already_published"] is True
    capsys.readouterr()
    assert run_dag(_four_steps(portrait_video, "spring", "autumn", caption="Another")).states()["create"] == "failed"
    said = capsys.readouterr().out
    assert all(word in said for word in ("'spring'", "DAG spring", "DAG autumn", "belongs to the account"))
    assert instagram_sandbox.calls("create") == 1
    assert instagram_sandbox.calls("publish") == 1


def test_of_two_dags_that_upload_two_posts_under_one_key_the_second_fails(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    def one_task(dag_id: str, task: Any, **options: Any) -> Any:
        with DAG(dag_id, schedule=None, default_args={"retries": 0}) as dag:
            task(task_id="t", **options)
        return run_dag(dag)

    about: dict[str, Any] = {"video": str(portrait_video), "post_key": "same", "wait_for_completion": True}
    first, second = (
        one_task(name, CreateContainerOperator, caption=name, **about).xcom("t") for name in ("spring", "autumn")
    )
    assert one_task("spring", PublishOperator, container_id=first).state == "success"
    assert one_task("autumn", PublishOperator, container_id=second).state == "failed"
    assert "belongs to the account" in capsys.readouterr().out
    assert [post.caption for post in instagram_sandbox.posts] == ["spring"]


def test_a_run_reads_the_permalink_that_the_posts_maker_has_not_read_yet(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path
) -> None:
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.ledger import Ledger

    assert run_dag(_four_steps(portrait_video, "no-permalink")).state == "success"
    with open_ledger("instagram_default") as store:
        ledger = Ledger(store, "instagram_default")
        made = ledger.post("no-permalink")
        assert made is not None
        ledger.record_post(replace(made, permalink=None))
    (post,) = instagram_sandbox.posts
    assert run_dag(_four_steps(portrait_video, "no-permalink")).xcom("publish")["permalink"] == post.permalink


def test_a_post_on_another_account_is_not_reported_as_one_on_this(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The connection led to a sandbox when the key was tried out, and leads to the real account now."""
    assert run_dag(_four_steps(portrait_video, "elsewhere")).state == "success"
    real = {**instagram_sandbox.connection, "login": "17841400000000099"}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(real))
    assert run_dag(_four_steps(portrait_video, "elsewhere")).states()["publish"] == "failed"
    assert "now belongs to account 17841400000000099" in capsys.readouterr().out


def test_what_is_later_than_it_may_be_is_not_published_and_says_so(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dag = _dag("too_late", portrait_video, publish_at=_in(hours=-2), max_lateness=3600)
    assert run_dag(dag).states() == {"create": "success", "publish": "failed"}
    assert instagram_sandbox.calls("publish") == 0
    said = capsys.readouterr().out
    assert "max_lateness is 1:00:00" in said
    assert "Set a later publish_at or a larger max_lateness, and clear this task." in said


@pytest.mark.parametrize(("max_lateness", "state"), [("", "failed"), ("3 days", "success")])
def test_what_is_more_than_a_day_late_needs_a_max_lateness(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, max_lateness: str, state: str
) -> None:
    dag = _dag("day_late", portrait_video, publish_at="{{ params.at }}", max_lateness="{{ params.late }}")
    result = run_dag(dag, at=_in(hours=-49).isoformat(), late=max_lateness)
    assert result.states()["publish"] == state
    assert instagram_sandbox.calls("publish") == (state == "success")


@pytest.mark.parametrize(("publish_at", "max_lateness"), [("next Friday", "3600"), ("2026-01-05T18:00+01:00", "soon")])
def test_a_post_that_exists_is_returned_whatever_its_time_says_by_now(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, publish_at: str, max_lateness: str
) -> None:
    times = {"publish_at": "{{ params.at }}", "max_lateness": "{{ params.late }}"}
    dag = _dag("edited_time", portrait_video, create={"post_key": "edited-time"}, **times)
    made = run_dag(dag, at=_in(hours=-1).isoformat(), late="7200")
    result = run_dag(dag, at=publish_at, late=max_lateness)
    assert result.xcom("publish") == {**made.xcom("publish"), "already_published": True}


def test_an_open_outcome_is_settled_however_late_it_is(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, quick_list: None
) -> None:
    """The post was made in time, and its answer is no help: a retry that is too late to publish finds it."""
    create = {"post_key": "settled-late"}
    in_time = _dag("settled_late", portrait_video, create=create)
    instagram_sandbox.fail("publish", 506, when="after")
    assert run_dag(in_time).states()["publish"] == "failed"

    late = _dag("settled_late", portrait_video, create=create, publish_at=_in(hours=-2), max_lateness=3600)
    result = run_dag(late)
    assert result.state == "success"
    (post,) = instagram_sandbox.posts
    assert result.xcom("publish")["media_id"] == post.media_id


def test_an_open_outcome_without_a_post_is_not_published_too_late(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    mocker: MockerFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The request was lost on its way, in time. When that is certain, it is too late for another."""
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import Claim, Owner

    for wait in ("REQUEST_IN_EFFECT_WITHIN", "READ_FOR_AT_LEAST"):
        mocker.patch(f"airflow_provider_instagram.publishing.outcome.{wait}", timedelta(seconds=2))
    create = {"post_key": "lost-in-time"}
    dry = _dag("lost_in_time", portrait_video, create=create, dry_run=True)
    container_id = str(run_dag(dry).xcom("create"))
    with open_ledger("instagram_default") as store:
        claim = Claim(Owner("lost_in_time", "a run that is gone", "publish", -1), "lost")
        Ledger(store, "instagram_default").record_intent("lost-in-time", container_id, claim)

    late = _dag("lost_in_time", portrait_video, create=create, publish_at=_in(hours=-2), max_lateness=3600)
    assert run_dag(late).states()["publish"] == "failed"
    assert "max_lateness is 1:00:00" in capsys.readouterr().out
    assert instagram_sandbox.calls("publish") == 0
    with open_ledger("instagram_default") as store:
        assert Ledger(store, "instagram_default").open_intents("lost-in-time") == []


@pytest.mark.parametrize("hours", [23.6, 30])
def test_create_refuses_what_would_expire_before_its_time(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    hours: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dag = _dag("too_early", portrait_video, create={"publish_at": _in(hours=hours).isoformat()})
    assert run_dag(dag).states() == {"create": "failed", "publish": "upstream_failed"}
    assert instagram_sandbox.calls("create") == 0
    assert "A container created now expires before publish_at" in capsys.readouterr().out


def test_publish_refuses_to_wait_for_a_time_that_its_container_does_not_see(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger knows how old the container is: that is said before anything is deferred."""
    dag = _dag("outlived", portrait_video, publish_at=_in(hours=23.8))
    assert run_dag(dag).states() == {"create": "success", "publish": "failed"}
    assert instagram_sandbox.calls("publish") == 0
    assert "before or too close to publish_at" in capsys.readouterr().out


@pytest.fixture
def slept(instagram_sandbox: SandboxHandle, mocker: MockerFixture) -> list[float]:
    """The waits of PublishOperator in its task, each of which lets the time pass here and on Instagram.

    The headers of the sandbox's answers tell the real time.
    """
    from airflow_provider_instagram.hooks import InstagramHook
    from airflow_provider_instagram.utils.clock import CLOCK

    waits: list[float] = []
    local = CLOCK._local

    def sleep(seconds: float) -> None:
        instagram_sandbox.advance(seconds)
        waits.append(seconds)

    mocker.patch.object(InstagramHook, "compare_clock", return_value=None)
    mocker.patch.object(CLOCK, "_local", side_effect=lambda: local() + timedelta(seconds=sum(waits)))
    mocker.patch("airflow_provider_instagram.operators.publish.sleep", sleep)
    mocker.patch("airflow_provider_instagram.publishing.publish.WAKE_UP_AHEAD", timedelta(seconds=1))
    return waits


def _waiting_dag(dag_id: str, video: Path, **publish: Any) -> DAG:
    """Return a DAG that needs no triggerer, of an account of its own: its ledger tells of the future."""
    account = {"instagram_conn_id": "patient", "deferrable": False}
    return _dag(dag_id, video, create=account, **account, **publish)


def test_without_a_triggerer_a_publisher_waits_for_its_time_in_the_task(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And for quota: the second post of the hour goes out an hour after the first."""
    connection = {**instagram_sandbox.connection, "extra": {"posts_per_hour": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_PATIENT", json.dumps(connection))
    result = run_dag(_waiting_dag("waits_here", portrait_video, publish_at=_in(hours=3)))
    assert result.state == "success"
    (wait_s,) = slept
    assert 10_500 < wait_s < 10_800
    assert 0 <= result.xcom("publish")["late_s"] < 60

    assert run_dag(_waiting_dag("waits_for_quota", portrait_video)).state == "success"
    assert 3_000 < sum(slept[1:]) < 3_700
    assert len(instagram_sandbox.posts) == instagram_sandbox.calls("publish") == 2
    assert "running trigger" not in caplog.text
