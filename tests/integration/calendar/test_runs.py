"""Runs of a calendar's DAG, in this process, against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from instagram_sandbox.testing.handle import SandboxHandle
from tests.integration.calendar.runs import ACCOUNT, made, planned, planner_of, run_by_hand, run_post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture


def test_a_post_goes_from_the_file_to_instagram_at_its_time(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """The caption is only text, the post key is account and id, and the run that comes after posts nothing again."""
    caption = "Monday {{ 7 * 7 }} #a"
    file = calendar({"monday": 20, "later": 7200}, monday={"caption": caption, "share_to_feed": True})
    due_at = yaml.safe_load(file.read_text())["posts"][0]["publish_at"]

    result = run_post(run_dag, made(file), "monday")
    assert result.state == "success"
    steps = ("prepare", "approve", "create", "publish")
    assert result.states() == {**dict.fromkeys(steps, "success"), "comment": "skipped"}
    (post,) = instagram_sandbox.posts
    assert (post.caption, post.share_to_feed) == (caption, True)
    (request,) = instagram_sandbox.journal("publish")
    late_s = request.at - datetime.strptime(due_at, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc).timestamp()
    assert 0 <= late_s < 10  # on a busy machine; how punctual it is in the end is measured in a running Airflow
    published = result.xcom("publish")
    assert published["post_key"] == f"{ACCOUNT}/monday"
    assert published["planned_at"] == f"{due_at[:10]}T{due_at[11:19]}+00:00"

    for again in (run_post(run_dag, made(file), "monday"), run_by_hand(run_dag, made(file), "monday")):
        assert again.state == "success"
        assert again.xcom("publish")["already_published"] is True
    assert instagram_sandbox.calls("publish") == 1


def test_the_event_of_a_post_names_its_calendar(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    file = calendar({"named": -60})
    assert run_by_hand(run_dag, made(file), "named").state == "success"
    with create_session() as session:
        extras = [dict(extra) for extra in session.scalars(select(AssetEvent.extra).order_by(AssetEvent.id))]
    (extra,) = [extra for extra in extras if extra.get("post_key") == f"{ACCOUNT}/named"]
    assert extra["origin"] == str(file)


def test_a_dry_run_does_everything_but_publish(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Per run and per DAG: Instagram processes the video, and the log says what would be published."""
    file = calendar({"one": 3600})
    for dag, conf in ((made(file), {"dry_run": True}), (made(file, dry_run=True), {})):
        caplog.clear()
        result = run_by_hand(run_dag, dag, "one", now=True, **conf)
        assert result.state == "success"
        assert result.xcom("publish")["media_id"] is None
        assert f"would publish {ACCOUNT}/one" in caplog.text
    assert instagram_sandbox.calls("publish") == 0
    assert [container.status_code for container in instagram_sandbox.containers] == ["FINISHED"]


def test_a_post_that_a_user_names_is_published_however_late_it_is(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """A user who names a post wants it published. Only the distance to other posts is kept."""
    file = calendar({"long-ago": -7200, "days-ago": -3 * 86400}, min_spacing="6 s")
    for post_id in ("long-ago", "days-ago"):
        assert run_by_hand(run_dag, made(file, late="skip"), post_id).state == "success"
    first, second = (entry.at for entry in instagram_sandbox.journal("publish"))
    assert second - first >= 6


def test_a_late_post_goes_out_or_is_skipped_with_a_mark(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    now = datetime.now(timezone.utc)
    file = calendar({"late": -600, "too-late": -7200})
    planned(made(file), now - timedelta(hours=3))
    assert run_post(run_dag, made(file), "late").state == "success"
    assert instagram_sandbox.calls("publish") == 1

    for how, mark in (({}, "skipped: 2 h late"), ({"late": "skip"}, "skipped: late")):
        result = run_post(run_dag, made(file, **how), "too-late")
        assert result.state == "success", "nothing failed"
        assert result.states()["prepare"] == result.states()["publish"] == "skipped"
        assert result.xcom("prepare", key="outcome")["mark"] == mark
    assert instagram_sandbox.calls("create") == 1

    again = run_post(run_dag, made(file, late="skip"), "late")  # it is out: that is no reason to pass it over
    assert again.xcom("publish")["already_published"] is True


def test_late_posts_keep_their_distance(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Two are late after an outage: one goes out at once, the other not before min_spacing is over."""
    file = calendar({"first": -600, "second": -594}, min_spacing="6 s")
    planned(made(file), datetime.now(timezone.utc) - timedelta(hours=1))
    for post_id in ("first", "second"):
        assert run_post(run_dag, made(file), post_id).state == "success"
    first, second = (entry.at for entry in instagram_sandbox.journal("publish"))
    assert second - first >= 6


def test_a_removed_post_ends_its_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    dag = made(calendar({"gone": 600, "stays": 3600}))
    planned(dag)
    calendar({"stays": 3600})
    assert "gone" in planned(dag).plan.pending
    result = run_post(run_dag, dag, "gone")
    assert (result.state, result.states()["prepare"]) == ("success", "skipped")
    assert result.xcom("prepare", key="outcome")["mark"] == "removed"
    assert instagram_sandbox.calls("create") == 0


def test_an_edit_while_its_container_is_made_stops_the_old_version(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_instagram.calendar.tasks.publish import PublishPost

    dag, execute = made(calendar({"edited": 20})), PublishPost.execute

    def edited(self: PublishPost, context: Any, event: Any = None) -> Any:
        calendar({"edited": 20}, edited={"caption": "New"})
        planned(dag)
        return execute(self, context, event)

    with monkeypatch.context() as patch:
        patch.setattr(PublishPost, "execute", edited)
        old = run_post(run_dag, dag, "edited")
    assert old.states()["publish"] == "skipped"
    assert old.xcom("publish", key="outcome")["mark"] == "edited"
    assert run_post(run_dag, dag, "edited").state == "success"
    (post,) = instagram_sandbox.posts
    assert post.caption == "New"


def test_the_dag_is_made_whatever_is_wrong_with_its_calendar(tmp_path: Path) -> None:
    """An exception at import would stall the runs under way. No calendar is read for it."""
    dag = content_calendar_dag("content", tmp_path / "none.txt", tags=["ours"])
    assert planned(dag).plan.calendar.problems[0].message.startswith("there is no file")
    assert dag.tags == {"ours", "instagram calendar"}


def test_the_tasks_of_a_post_have_weights_and_delays(calendar: Callable[..., Path]) -> None:
    """What publishes gets a slot before what prepares."""
    file = calendar({"a": 3600.0})
    dag = made(file, lead_time=timedelta(minutes=45), max_lateness=timedelta(minutes=30))
    assert {task.retry_delay for task in dag.tasks} == {timedelta(seconds=20)}
    patient = made(file, default_args={"retry_delay": timedelta(hours=1)})
    assert {task.retry_delay for task in patient.tasks} == {timedelta(hours=1)}
    planner = planner_of(dag)
    plans = planner.get_task("plan")
    steps = [dag.get_task(step) for step in ("publish", "comment", "create", "approve", "prepare")]
    weights = [steps[0].priority_weight, plans.priority_weight, *(step.priority_weight for step in steps[1:])]
    assert weights == sorted(set(weights), reverse=True), "an edit counts before what is prepared"
    assert {str(step.weight_rule) for step in (*steps, plans)} == {"absolute"}
    assert {task.pool for task in dag.tasks} == {"default_pool"}
    assert made(file, max_active_runs=7).max_active_runs == 7, "the author's own"


def test_each_post_goes_out_on_its_own_account(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead token of one account holds no other back."""
    user = "17841499000000007"
    other = SandboxHandle(instagram_sandbox.url, instagram_sandbox.add_account(user, "other"), user)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other.connection))
    other.close()
    instagram_sandbox.revoke(instagram_sandbox.token)
    dag = made(calendar({"dead": 20, "alive": 20}, alive={"account": "other"}), default_args={"retries": 0})
    assert run_post(run_dag, dag, "dead").states()["create"] == "failed"
    alive = run_post(run_dag, dag, "alive")
    assert alive.xcom("publish")["post_key"] == "other/alive"
    assert [post.user_id for post in instagram_sandbox.posts] == [user]


def test_a_clear_of_a_run_that_failed_tries_the_post_again(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_instagram.calendar.tasks.create import CreatePost

    file = calendar({"stranded": 30})
    with monkeypatch.context() as broken:
        broken.setattr(CreatePost, "execute", lambda *_, **__: 1 / 0)
        failed = run_post(run_dag, made(file, default_args={"retries": 0}), "stranded")
    assert (failed.state, failed.states()["create"]) == ("failed", "failed")
    assert run_post(run_dag, made(file), "stranded").state == "success"
    assert instagram_sandbox.calls("publish") == 1


def test_a_post_that_finds_no_free_quota_at_its_time_is_skipped_at_once_when_it_would_be_too_late(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Another program used up the quota meanwhile. The post used to wait for half a day, and was skipped then."""
    file = calendar({"before": 5, "no-quota-yet": 30})
    assert run_post(run_dag, made(file), "before").state == "success"
    instagram_sandbox.advance(20)  # until the post is listed
    instagram_sandbox.fail("publish", 9, 2207042)
    result = run_post(run_dag, made(file), "no-quota-yet")
    assert result.states()["publish"] == "skipped"
    assert result.xcom("publish", key="outcome")["mark"].startswith(("skipped: 23 h", "skipped: 24 h"))


@pytest.mark.parametrize("is_live", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_removed_post_whose_publication_is_open_is_settled_before_the_calendar_counts(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    mocker: MockerFixture,
    quick_list: None,
    is_live: bool,
) -> None:
    """The publisher was killed after it had set out, then the post was taken out of the file: it may be live."""
    from airflow_provider_instagram.calendar.tasks.publish import PublishPost
    from airflow_provider_instagram.graph import calls
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import Claim, Owner

    execute = PublishPost.execute
    mocker.patch("airflow_provider_instagram.publishing.outcome.READ_FOR_AT_LEAST", timedelta(seconds=2))

    def killed_before(self: PublishPost, context: Any, event: Any = None) -> Any:
        post, ledger = self.wanted_post(context), Ledger.of(context, ACCOUNT)
        if not is_live:  # and it is over, whatever the request did
            ledger.clock = lambda: datetime.now(timezone.utc) - timedelta(minutes=10)
        claim = Claim(Owner.of(context), "nonce")
        ledger.record_claim(post.key, claim)
        container_id = self._container(context, post)
        ledger.record_intent(post.key, container_id, claim)
        if is_live:
            hook = InstagramHook(ACCOUNT)
            with hook.get_conn() as client:
                client.send(calls.publish(hook.ig_user_id(client), container_id))
        calendar({"stays": 3600})
        planned(dag)
        return execute(self, context, event)

    mocker.patch.object(PublishPost, "execute", killed_before)
    gone = f"gone-{is_live}"
    dag = made(calendar({gone: 5, "stays": 3600}))
    result = run_post(run_dag, dag, gone)
    if is_live:
        (post,) = instagram_sandbox.posts
        assert result.xcom("publish")["media_id"] == post.media_id
    else:
        assert result.states()["publish"] == "skipped"
        assert result.xcom("publish", key="outcome")["mark"] == "removed"
    assert instagram_sandbox.calls("publish") == int(is_live)
