"""Runs of a calendar's DAG, in this process, against the sandbox."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from instagram_sandbox.testing.handle import SandboxHandle
from tests.integration.calendar.runs import ACCOUNT, labels, made, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_post_goes_from_the_file_to_instagram_at_its_time(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """The caption is only text, the post key is account and id, and the run that comes after posts nothing again."""
    caption = "Monday {{ 7 * 7 }} #a"
    file = calendar({"monday": 20, "later": 7200}, monday={"caption": caption, "share_to_feed": True})
    due_at = yaml.safe_load(file.read_text())["posts"][0]["publish_at"]

    result = run_dag(made(file), posts=["monday"])
    assert result.state == "success"
    assert states(result) == {
        "calendar": "success",
        f"due_{ACCOUNT}": "success",
        **dict.fromkeys(("transcode[0]", "create[0]", "publish[0]"), "success"),
    }
    (post,) = instagram_sandbox.posts
    assert (post.caption, post.share_to_feed) == (caption, True)
    (request,) = instagram_sandbox.journal("publish")
    late_s = request.at - datetime.strptime(due_at, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc).timestamp()
    assert 0 <= late_s < 10  # on a busy machine; how punctual it is in the end is measured in a running Airflow
    published = result.xcom(f"{ACCOUNT}.publish", map_index=0)
    assert published["post_key"] == f"{ACCOUNT}/monday"
    assert published["planned_at"] == f"{due_at[:10]}T{due_at[11:19]}+00:00"
    assert {label for step in ("transcode", "create", "publish") for label in labels(result, step)} == {"monday"}

    again = run_dag(made(file), posts=["monday"])
    assert again.xcom(f"{ACCOUNT}.publish", map_index=0)["already_published"] is True
    assert instagram_sandbox.calls("publish") == 1


def test_the_event_of_a_post_names_its_calendar(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    file = calendar({"named": -60})
    assert run_dag(made(file), posts=["named"]).state == "success"
    with create_session() as session:
        extras = [dict(extra) for extra in session.scalars(select(AssetEvent.extra).order_by(AssetEvent.id))]
    (extra,) = [extra for extra in extras if extra.get("post_key") == f"{ACCOUNT}/named"]
    assert extra["calendar"] == str(file)


def test_a_dry_run_does_everything_but_publish(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Per run, per post and per DAG: Instagram processes the video, and the log says what would be published."""
    file = calendar({"one": 3600, "two": 3600}, two={"dry_run": True})
    for post_id, dag, conf in (
        ("one", made(file), {"dry_run": True}),
        ("two", made(file), {}),
        ("one", made(file, dry_run=True), {}),
    ):
        caplog.clear()
        result = run_dag(dag, posts=[post_id], **conf)
        assert result.state == "success"
        assert result.xcom(f"{ACCOUNT}.publish", map_index=0)["media_id"] is None
        assert f"would publish {ACCOUNT}/{post_id}" in caplog.text
    assert instagram_sandbox.calls("publish") == 0
    assert {container.status_code for container in instagram_sandbox.containers} == {"FINISHED"}
    assert len(instagram_sandbox.containers) == 2


def test_a_post_in_a_slot_and_its_repetition_are_published_once_each(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Their times were chosen two hours ago. Running the same posts again publishes nothing, also after an edit."""
    file, now = calendar({}), datetime.now(timezone.utc)
    slot = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    content = yaml.safe_load(file.read_text())
    content["defaults"]["timezone"] = "UTC"
    content |= {"slots": {ACCOUNT: [f"{slot:%a %H:%M}"]}, "posts": [{"id": "tip", "repeat_after": "7 days"}]}
    file.write_text(yaml.safe_dump(content))
    dag = made(file, clock=lambda: now - timedelta(hours=2))

    first = run_dag(dag, posts=["tip"])
    assert first.xcom(f"{ACCOUNT}.publish", map_index=0)["post_key"] == f"{ACCOUNT}/tip"
    second = run_dag(dag, posts=["tip~2"], now=True)
    assert labels(second, "publish") == {"tip~2 (published early)"}
    assert second.xcom(f"{ACCOUNT}.publish", map_index=0)["post_key"] == f"{ACCOUNT}/tip~2"
    assert instagram_sandbox.calls("publish") == 2
    assert len(instagram_sandbox.posts) == 2

    content["posts"].insert(0, {"id": "new", "caption": "Inserted above"})
    file.write_text(yaml.safe_dump(content))
    dag = made(file, clock=lambda: now)
    for post_id in ("tip", "tip~2"):
        assert run_dag(dag, posts=[post_id], now=True).state == "success"
    assert instagram_sandbox.calls("publish") == 2
    assert len(instagram_sandbox.posts) == 2


@pytest.fixture
def as_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs treat the posts named in their conf as the scheduled runs of these posts do."""
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.base.is_requested_now", lambda *_: False)


def test_a_post_that_a_user_names_is_published_however_late_it_is(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """A user who names a post wants it published. Only the distance to other posts is kept."""
    file = calendar({"long-ago": -7200, "days-ago": -3 * 86400}, min_spacing="6 s")
    assert run_dag(made(file, late="skip"), posts=["long-ago", "days-ago"]).state == "success"
    first, second = (entry.at for entry in instagram_sandbox.journal("publish"))
    assert abs(second - first) >= 6


def test_a_late_post_goes_out_or_is_skipped_with_a_mark(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], as_scheduled: None
) -> None:
    file = calendar({"late": -600, "too-late": -7200})
    assert run_dag(made(file), posts=["late"]).state == "success"
    assert instagram_sandbox.calls("publish") == 1

    for how, mark in (({}, "skipped: 2 h late"), ({"late": "skip"}, "skipped: late")):
        result = run_dag(made(file, **how), posts=["too-late"])
        assert {step: states(result)[f"{step}[0]"] for step in ("transcode", "create", "publish")} == dict.fromkeys(
            ("transcode", "create", "publish"), "skipped"
        )
        assert labels(result, "transcode") == {f"too-late ({mark})"}
    assert instagram_sandbox.calls("create") == 1

    again = run_dag(made(file, late="skip"), posts=["late"])  # it is out: that is no reason to pass it over
    assert again.xcom(f"{ACCOUNT}.publish", map_index=0)["already_published"] is True


def test_late_posts_keep_their_distance(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Two are late after an outage: one goes out at once, the other not before min_spacing is over."""
    file = calendar({"first": -600, "second": -594}, min_spacing="6 s")
    assert run_dag(made(file), posts=["first", "second"]).state == "success"
    first, second = (entry.at for entry in instagram_sandbox.journal("publish"))
    assert second - first >= 6


def test_a_run_started_for_a_post_that_is_not_there_turns_red_and_says_so(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """A mistyped id; blanks around one do not matter."""
    file = calendar({"tuesday": -5})
    result = run_dag(made(file), posts=[" tuesday ", ""])
    assert (result.state, states(result)["publish[0]"]) == ("success", "success")
    result = run_dag(made(file), posts=["teusday"])
    assert states(result)["calendar"] == "failed"


def test_a_file_that_cannot_be_read_falls_back_to_what_it_said_before(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = timedelta(seconds=0.1)
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.select_posts.READ_AGAIN_AFTER", soon)
    file = calendar({"as-it-was": -5})
    made(file)
    file.write_text("posts:\n  - id: a: b\n")
    dag = made(file)
    assert "line 2 cannot be read" in str(dag.doc_md)
    result = run_dag(dag, posts=["as-it-was"])
    assert result.state == "success"
    assert states(result)["publish[0]"] == "success"
    assert instagram_sandbox.calls("publish") == 1
    file.unlink()
    assert "there is no file" in str(made(file).doc_md)
    assert made(file).task_ids == dag.task_ids


def test_a_removed_or_edited_post_is_left_to_the_run_of_its_new_version(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The post is removed, then moved, after the run has chosen it. Each time, the run drops it."""
    from airflow_provider_instagram.calendar.tasks.select_posts import SelectPosts

    choose = SelectPosts.execute
    changes: list[tuple[dict[str, float], str]] = [({}, "gone (removed)"), ({"gone": 7200}, "gone (moved to ")]
    for change, mark in changes:
        file = calendar({"gone": 5, "stays": 3600})

        def edited(self: SelectPosts, context: Any, change: dict[str, float] = change) -> Any:
            chosen = choose(self, context)
            calendar({**change, "stays": 3600})
            return chosen

        monkeypatch.setattr(SelectPosts, "execute", edited)
        result = run_dag(made(file), posts=["gone"])
        found = [ti for ti in result.run.get_task_instances() if ti.task_id == f"{ACCOUNT}.transcode"]
        assert [ti.state for ti in found] == ["skipped"]
        assert found[0].rendered_map_index.startswith(mark)
    assert instagram_sandbox.calls("create") == 0


def test_a_run_that_waits_for_the_time_of_a_post_ends_at_the_edit_and_leaves_the_post_to_others(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its container is made. The version may return, so the run does not keep it."""
    from airflow_provider_instagram.calendar.tasks import post_time
    from airflow_provider_instagram.calendar.tasks.publish import PublishPost
    from airflow_provider_instagram.ledger.database import open_ledger

    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    monkeypatch.setattr(post_time, "LOOK_EVERY_S", 0.2)
    defer, file = PublishPost.defer, calendar({"moved": 3000})

    def edited(self: PublishPost, **wait: Any) -> None:
        threading.Timer(1, lambda: made(calendar({"moved": 3300}))).start()
        defer(self, **wait)

    monkeypatch.setattr(PublishPost, "defer", edited)
    began = time.monotonic()
    result = run_dag(made(file), posts=["moved"])
    assert time.monotonic() - began < 1000, "long before its time"
    assert (states(result)["create[0]"], states(result)["publish[0]"]) == ("success", "skipped")
    assert {label.partition(" to ")[0] for label in labels(result, "publish")} == {"moved (moved"}
    assert instagram_sandbox.calls("publish") == 0
    with open_ledger(ACCOUNT) as store:
        row = store.get(f"calendar:{ACCOUNT}/moved")
        assert row is not None
        assert (row["run"], row["settled"]) == ("", False)


def test_the_dag_is_made_whatever_is_wrong_with_what_it_is_told(tmp_path: Path, calendar: Callable[..., Path]) -> None:
    """An exception at import would stall the runs under way."""
    dag = content_calendar_dag(
        "content", str(tmp_path / "none.txt"), lead_time=timedelta(days=3), late="maybe", max_lateness=timedelta(-1)
    )
    for told in ("lead_time", "late='maybe'", "max_lateness", "there is no file"):
        assert told in str(dag.doc_md), dag.doc_md
    assert json.dumps(sorted(dag.task_ids)) == '["calendar"]'
    dag = made(calendar({"a": 3600}), catchup=False, schedule="@daily", lead_tme=timedelta(hours=2), tags=["ours"])
    for told in (
        "catchup=False is not valid. Leave it out",
        "schedule='@daily' is not valid. Leave it out",
        "Did you mean lead_time?",
    ):
        assert told in str(dag.doc_md), dag.doc_md
    assert (dag.catchup, type(dag.timetable), dag.tags) == (True, ContentCalendarTimetable, {"ours"})


def test_a_calendar_may_be_given_as_a_path(calendar: Callable[..., Path]) -> None:
    file = calendar({"a": 3600})
    dag = content_calendar_dag("content", file)
    assert dag.doc_md == made(file).doc_md
    assert f"{ACCOUNT}.publish" in dag.task_ids


def test_accounts_whose_names_the_dag_needs_are_problems(calendar: Callable[..., Path]) -> None:
    """Two tasks of one name break the DAG file, and a group beside a task of its name is called otherwise."""
    due_s = dict.fromkeys(("a", "b", "c"), 3600.0)
    dag = made(calendar(due_s, a={"account": "calendar"}, b={"account": "due_x"}, c={"account": "x"}))
    assert {task_id.partition(".")[0] for task_id in dag.task_ids} == {"calendar", "due_x", "x"}
    assert str(dag.doc_md).count("The DAG has tasks with this name") == 2


def test_the_dag_follows_from_the_calendar(calendar: Callable[..., Path]) -> None:
    """A group for each account, in the pool that each Airflow has. What publishes gets a slot before what prepares."""
    hour = 3600.0
    file = calendar({"a": 3 * hour, "b": 3.5 * hour, "c": 4 * hour, "d": 20 * hour}, d={"account": "paris"})
    dag = made(file, lead_time=timedelta(minutes=45), max_lateness=timedelta(minutes=30))
    assert {task.task_id: task.pool for task in dag.tasks if task.task_id.endswith(".publish")} == {
        f"{ACCOUNT}.publish": "default_pool",
        "paris.publish": "default_pool",
    }
    assert {task.retry_delay for task in dag.tasks if "." in task.task_id} == {timedelta(seconds=20)}
    patient = made(file, default_args={"retry_delay": timedelta(hours=1)})
    assert {task.retry_delay for task in patient.tasks} == {timedelta(hours=1)}
    steps = [f"{ACCOUNT}.publish", f"{ACCOUNT}.create", f"{ACCOUNT}.transcode", f"due_{ACCOUNT}"]
    weights = [dag.get_task(step).priority_weight for step in steps]
    assert weights == sorted(set(weights), reverse=True)
    assert {dag.get_task(step).weight_rule for step in steps} == {"absolute"}


def test_how_many_runs_may_be_active_does_not_depend_on_the_plan(calendar: Callable[..., Path]) -> None:
    """A limit that follows from the plan forgets the runs that an edit has replaced, which are active until they end.

    After ten posts of one hour were moved together, it fell from 12 to 3, and the new run waited for the old ones.
    """
    limits = set()
    for minutes in (0, 1, 20):
        due_s = {f"p{place}": 3600.0 + 60 * minutes * place for place in range(10)}
        limits.add(made(calendar(due_s)).max_active_runs)
    assert len(limits) == 1
    assert limits.pop() > 24 * 60, "the minutes of the longest lead time, each with a run"
    assert made(calendar({"a": 60}), max_active_runs=7).max_active_runs == 7, "the author's own"


def test_a_dead_token_of_one_account_holds_no_other_back(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = "17841499000000007"
    other = SandboxHandle(instagram_sandbox.url, instagram_sandbox.add_account(user, "other"), user)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other.connection))
    other.close()
    instagram_sandbox.revoke(instagram_sandbox.token)
    file = calendar({"dead": -5, "alive": -5}, alive={"account": "other"})
    result = run_dag(made(file), posts=["dead", "alive"])
    assert states(result)["create[0]"] == "failed"
    assert result.states()["other.publish[0]"] == "success"
    assert [post.user_id for post in instagram_sandbox.posts] == [user]


def test_a_post_whose_run_failed_is_brought_by_a_run_that_somebody_starts(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow knows what became of the run that has it: while that is under way, or succeeded, nobody else takes it."""
    from airflow_provider_instagram.calendar.tasks.create import CreatePost

    file = calendar({"stranded": 30})
    with monkeypatch.context() as broken:
        broken.setattr(CreatePost, "execute", lambda *_, **__: 1 / 0)
        failed = run_dag(made(file, default_args={"retries": 0}), posts=["stranded"])
    assert states(failed)["create[0]"] == "failed"
    assert run_dag(made(file)).state == "success"
    assert instagram_sandbox.calls("publish") == 1
    assert "transcode[0]" not in states(run_dag(made(file)))


def test_nothing_is_created_for_a_post_that_instagrams_quota_does_not_allow(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """The quota is used up for a day. The run says so before it uploads, and says when quota will be free."""
    file = calendar({"last-of-the-quota": 5, "beyond-the-quota": 30})
    assert run_dag(made(file), posts=["last-of-the-quota"]).state == "success"
    instagram_sandbox.switch(quota_total=1)
    instagram_sandbox.advance(20)  # until the post is listed

    result = run_dag(made(file), posts=["beyond-the-quota"])
    assert states(result)["create[0]"] == "failed"
    assert instagram_sandbox.calls("create") == 1
    assert instagram_sandbox.calls("limit") == 3

    instagram_sandbox.switch(quota_total=2)
    assert run_dag(made(file), posts=["beyond-the-quota"]).state == "success"
    assert len(instagram_sandbox.posts) == 2


def test_a_post_that_finds_no_free_quota_at_its_time_is_skipped_at_once_when_it_would_be_too_late(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Another program used up the quota meanwhile. The post used to wait for half a day, and was skipped then."""
    file = calendar({"before": 5, "no-quota-yet": 30})
    assert run_dag(made(file), posts=["before"]).state == "success"
    instagram_sandbox.advance(20)  # until the post is listed
    instagram_sandbox.fail("publish", 9, 2207042)
    result = run_dag(made(file), posts=["no-quota-yet"])
    assert states(result)["publish[0]"] == "skipped"
    assert labels(result, "publish") == {"no-quota-yet (skipped: 23 h 59 min late)"}


@pytest.mark.parametrize("is_live", [True, False])
def test_a_removed_post_whose_publication_is_open_is_settled_before_the_calendar_counts(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
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
    monkeypatch.setattr("airflow_provider_instagram.publishing.outcome.READ_FOR_AT_LEAST", timedelta(seconds=2))

    def killed_before(self: PublishPost, context: Any, event: Any = None) -> Any:
        post, ledger = self.as_post(), Ledger.of(context, ACCOUNT)
        if not is_live:  # and it is over, whatever the request did
            ledger.clock = lambda: datetime.now(timezone.utc) - timedelta(minutes=10)
        claim = Claim(Owner.of(context), "nonce")
        ledger.record_claim(post.key, claim)
        ledger.record_intent(post.key, str(self.container_id), claim)
        if is_live:
            hook = InstagramHook(ACCOUNT)
            with hook.get_conn() as client:
                client.send(calls.publish(hook.ig_user_id(client), str(self.container_id)))
        calendar({"stays": 3600})
        return execute(self, context, event)

    monkeypatch.setattr(PublishPost, "execute", killed_before)
    gone = f"gone-{is_live}"
    result = run_dag(made(calendar({gone: 1, "stays": 3600})), posts=[gone])
    if is_live:
        (post,) = instagram_sandbox.posts
        assert result.xcom(f"{ACCOUNT}.publish", map_index=0)["media_id"] == post.media_id
    else:
        assert states(result)["publish[0]"] == "skipped"
        assert labels(result, "publish") == {f"{gone} (removed)"}
    assert instagram_sandbox.calls("publish") == int(is_live)
