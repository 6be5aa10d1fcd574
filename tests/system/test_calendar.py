"""A content calendar in a running Airflow: every post once, at its second."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from demo.bucket import picture_bucket
from demo.scene import ROOT, pictures_of
from demo.stack import wait_until
from tests.calendars.running_calendar import (
    DAG_ID,
    REEL_WIDTH,
    RunningCalendar,
    distribution,
    entry,
    form_of,
    running_calendar,
    task_instances,
    whole_second,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from instagram_sandbox.simulator.truth import PostTruth

ACCOUNTS = ("berlin", "paris")
TOGETHER = 5
POSTS = 20
SPACING = timedelta(seconds=10)
#: On a busy machine, the planner's run and the tasks before the container take a minute.
LEAD_S = 90
#: On a busy machine, posts are late by seconds (printed). A minute late is a lost wake-up.
LATEST_S = 60.0
LIMIT_S = 300
APPROVALS = "approvals"
APPROVER = "rome"
EVERY_FORMAT = "madrid"
READING = timedelta(seconds=5)
AHEAD, AHEAD_S = "ahead", 420
APPROVED = {"early, approved", "edited since"}
QUESTIONS = ("yes", "no", "silent", "changed")


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    folder, accounts = tmp_path_factory.mktemp("calendar"), (*ACCOUNTS, APPROVER, EVERY_FORMAT)
    with picture_bucket() as storage, running_calendar(folder, accounts, **storage) as everything:
        yield everything


@pytest.mark.timeout(420)
def test_twenty_posts_on_two_accounts_go_out_on_the_second(
    calendar: RunningCalendar, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five are due at once, the others ten seconds apart: each exactly once, and none early."""
    first = whole_second(timedelta(seconds=LEAD_S + 15))
    due = {f"post-{number:02}": first + SPACING * max(0, number - TOGETHER + 1) for number in range(POSTS)}
    calendar.write([entry(post_id, at, ACCOUNTS[index % 2]) for index, (post_id, at) in enumerate(due.items())])
    calendar.add_dag(LEAD_S)
    wait_until(lambda: len(calendar.requests()) == POSTS, "all posts are published", LIMIT_S, 1.0)
    requests = calendar.requests()
    late = {post_id: requests[post_id][0] - at.timestamp() for post_id, at in due.items()}
    with capsys.disabled():
        print(f"\nPublish requests after their time: {distribution(list(late.values()))}")  # noqa: T201
    wait_until(lambda: states_of_runs(calendar, DAG_ID) == {"success"}, "all runs have succeeded", 60, 1.0)

    assert {post_id: len(times) for post_id, times in requests.items()} == dict.fromkeys(due, 1)
    assert calendar.sandbox.truth.per_caption == dict.fromkeys(due, 1)
    assert min(late.values()) >= 0, late
    assert max(late.values()) <= LATEST_S, late
    assert {run_id for _, run_id in calendar.states()} == set(due), "a run is a post"


def test_the_readmes_calendar_needs_nothing_but_to_be_unpaused(calendar: RunningCalendar) -> None:
    """Airflow has what it has after its start: no pool was created, and no command was run."""
    readme = (ROOT / "README.md").read_text()
    (line,) = re.findall(r"`(dag = content_calendar_dag\(.*\))`", readme)
    (plan,) = re.findall(r"```yaml\n(defaults: .*?)```", readme, re.DOTALL)
    at = (datetime.now(timezone.utc) + timedelta(seconds=120)).astimezone(ZoneInfo("Europe/Berlin"))
    for old, new in (("2030-05-06 08:30", f"{at:%Y-%m-%d %H:%M}"), ("instagram_studio", ACCOUNTS[0])):
        plan, line = plan.replace(old, new), line.replace(old, new)
    file = calendar.folder / "spring.yaml"
    file.write_text(plan.replace("hello.mov", "reel.mp4").replace("cut.mov", "reel.mp4"))
    line = line.replace('"content", "/data/spring.yaml"', f'"readme", {str(file)!r}, is_paused_upon_creation=True')
    source = f"from airflow_provider_instagram.calendar import content_calendar_dag\n\n{line}\n"
    (calendar.airflow.home / "dags" / "readme.py").write_text(source)
    calendar.airflow.wait_for_dag("readme")
    assert [pool["name"] for pool in calendar.airflow.call("GET", "/pools")["pools"]] == ["default_pool"]
    calendar.airflow.call("PATCH", "/dags/readme", json={"is_paused": False})
    wait_until(lambda: calendar.requests().get("A new week, a new set."), "the post is published", LIMIT_S, 1.0)
    (sent_at,) = calendar.requests()["A new week, a new set."]
    assert 0 <= sent_at - at.replace(second=0, microsecond=0).timestamp() <= LATEST_S


def test_one_post_of_each_format_goes_out_at_its_time(calendar: RunningCalendar) -> None:
    """All at the same second, with one first comment, and each once."""
    pictures_of(calendar.folder / "reel.mp4", calendar.folder)
    at = whole_second(timedelta(seconds=LEAD_S + 30))
    media: dict[str, dict[str, Any]] = {
        "reel": {"first_comment": "First {{ 7 * 7 }}"},
        "picture": {"image": "still.jpg", "alt_text": "A pattern"},
        "carousel": {"carousel": ["detail.jpg", "reel.mp4", "still.jpg"]},
        "story": {"image": "still.jpg", "placement": "story", "caption": None},
    }
    calendar.write([entry(post_id, at, EVERY_FORMAT, **more) for post_id, more in media.items()], "formats")
    calendar.add_dag(LEAD_S, "formats")
    wait_until(lambda: len(_posts_of(calendar, EVERY_FORMAT)) == len(media), "all posts are published", 200, 1.0)
    wait_until(lambda: states_of_runs(calendar, "formats") == {"success"}, "the runs have succeeded", 90, 1.0)
    posts = _posts_of(calendar, EVERY_FORMAT)
    assert {post.caption: (post.media_type, post.media_product_type) for post in posts} == {
        "reel": ("VIDEO", "REELS"),
        "picture": ("IMAGE", "FEED"),
        "carousel": ("CAROUSEL_ALBUM", "FEED"),
        "": ("IMAGE", "STORY"),
    }
    assert min(post.published_at for post in posts) >= at
    assert [comment.text for comment in calendar.sandbox.comments()] == ["First {{ 7 * 7 }}"]


@pytest.mark.timeout(600)
def test_a_person_approves_edits_and_rejects_in_the_form_and_silence_is_no(
    calendar: RunningCalendar, page: Page
) -> None:
    """The cover is seen beside the question; what is left in the form goes out; an edit after the yes asks again."""
    at = whole_second(timedelta(seconds=240))
    posts = {post_id: entry(post_id, at, APPROVER, approval="required") for post_id in QUESTIONS}
    calendar.write(list(posts.values()), APPROVALS)
    calendar.add_dag(230, APPROVALS)
    asked = wait_until(lambda: questions(calendar, *QUESTIONS), "the questions are asked", 150, 0.5)
    assert "| Placement | ` reels ` |" in asked["yes"]["body"]
    assert "```text\nyes\n```" in asked["yes"]["body"]
    assert "Transcoded as ` pass `" in asked["yes"]["body"]
    page.goto(f"{calendar.airflow.url}{form_of(asked['yes']['task_instance'])}")
    expect(page.get_by_alt_text("Cover")).to_have_js_property("naturalWidth", REEL_WIDTH, timeout=60_000)
    answer(calendar, asked["changed"], "Approve", caption="changed", reason=None)
    page.locator("[name=element_caption]").fill("a better caption {{ 7 * 7 }}")
    page.get_by_role("button", name="Approve").click()
    answer(calendar, asked["no"], "Reject", caption="no", reason="the logo is upside down")
    created = "create", "changed"
    wait_until(lambda: calendar.states(APPROVALS).get(created) == "success", "the container is made", 60, 0.5)
    posts["changed"]["caption"] = "changed after the yes"
    calendar.write(list(posts.values()), APPROVALS)
    again = wait_until(lambda: questions(calendar, "changed"), "the changed post is asked about again", 120, 0.5)
    assert "```text\nchanged after the yes\n```" in again["changed"]["body"]
    answer(calendar, again["changed"], "Approve", caption="changed after the yes", reason=None)
    wait_until(lambda: states_of_runs(calendar, APPROVALS) <= {"success", "failed"}, "the runs have ended", 240, 1.0)

    assert calendar.failed(APPROVALS) == []
    assert states_of_runs(calendar, APPROVALS) == {"success"}
    rome = calendar.users[APPROVER]
    captions = {"a better caption {{ 7 * 7 }}", "changed after the yes"}
    assert sorted(post.caption for post in calendar.sandbox.posts if post.user_id == rome) == sorted(captions)
    made = {container.caption for container in calendar.sandbox.containers if container.user_id == rome}
    assert made == captions | {"changed"}
    states = calendar.states(APPROVALS)
    assert {post_id: states["approve", post_id] for post_id in QUESTIONS} == {
        "yes": "success", "no": "skipped", "silent": "skipped", "changed": "success",
    }  # fmt: skip
    old = {task["task_id"]: task["state"] for task in calendar.airflow.tasks(APPROVALS, "changed")}
    assert {old[task] for task in ("prepare", "approve", "create", "publish")} == {"skipped"}, "its version is over"
    page_says = json.loads(calendar.airflow.download("/instagram/calendar/api/posts"))
    shown = {card["id"]: (card["state"], card.get("why")) for card in page_says["cards"] if card["dag"] == APPROVALS}
    assert shown == {
        "yes": ("published", None),
        "no": ("skipped", "rejected: the logo is upside down"),
        "silent": ("skipped", "not approved"),
        "changed": ("published", None),
    }


@pytest.mark.long
@pytest.mark.timeout(700)
def test_posts_are_approved_ahead_and_published_in_their_last_version(
    calendar: RunningCalendar,
) -> None:
    """One is edited after its approval, and asked about again. Until the lead time, Instagram has no container."""
    at = whole_second(timedelta(seconds=AHEAD_S))
    posts = {post_id: entry(post_id, at, APPROVER, approval="required") for post_id in ("early", "edited")}
    calendar.write(list(posts.values()), AHEAD)
    calendar.add_dag(LEAD_S, AHEAD, ahead_s=3600)
    asked = wait_until(lambda: questions(calendar, *posts, dag_id=AHEAD), "the questions are asked", 150, 0.5)
    for post_id in posts:
        answer(calendar, asked[post_id], "Approve", caption=f"{post_id}, approved", reason=None)
    posts["edited"]["caption"] = "edited since"
    calendar.write(list(posts.values()), AHEAD)
    again = wait_until(lambda: questions(calendar, "edited", dag_id=AHEAD), "the edited one is asked about", 90, 0.5)
    answer(calendar, again["edited"], "Approve", caption="edited since", reason=None)
    wait = {("create", post_id): "deferred" for post_id in posts}
    wait_until(lambda: wait.items() <= calendar.states(AHEAD).items(), "both wait for the lead time", 60, 0.5)
    assert {container.caption for container in calendar.sandbox.containers}.isdisjoint(APPROVED)
    wait_until(lambda: set(calendar.requests()) >= APPROVED, "both are published", AHEAD_S, 1.0)
    wait_until(lambda: states_of_runs(calendar, AHEAD) == {"success"}, "all runs have succeeded", 60, 1.0)

    published = calendar.requests()
    assert [len(published[caption]) for caption in sorted(APPROVED)] == [1, 1]
    assert min(published[caption][0] for caption in APPROVED) >= at.timestamp()
    asks = [ti for ti in task_instances(calendar.airflow, AHEAD) if ti["task_id"] == "approve"]
    tries = {ti["dag_run_id"]: ti["try_number"] for ti in asks if ti["state"] == "success"}
    assert tries == {"early": 1, "edited~v2": 1}, "nobody was asked twice about one version"


def _posts_of(calendar: RunningCalendar, account: str) -> list[PostTruth]:
    return [post for post in calendar.sandbox.posts if post.user_id == calendar.users[account]]


def states_of_runs(calendar: RunningCalendar, dag_id: str) -> set[str]:
    """Return the states of a DAG's runs."""
    return {run["state"] for run in calendar.airflow.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]}


def questions(calendar: RunningCalendar, *post_ids: str, dag_id: str = APPROVALS) -> dict[str, Any] | None:
    """Return the open questions by the post's id, once all of these have been there for as long as a person reads.

    Airflow 3.3.2 fails a task that is answered before its scheduler has seen that it waits.
    """
    query = {"state": "awaiting_input"}
    found = calendar.airflow.call("GET", f"/dags/{dag_id}/dagRuns/~/hitlDetails", params=query)["hitl_details"]
    read = datetime.now(timezone.utc) - READING
    asked = {one["subject"].split()[1]: one for one in found if datetime.fromisoformat(one["created_at"]) < read}
    return asked if set(post_ids) <= set(asked) else None


def answer(calendar: RunningCalendar, question: dict[str, Any], option: str, **fields: Any) -> None:
    """Answer a question, as the form in Airflow's UI does."""
    ti = question["task_instance"]
    path = f"/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/approve/-1/hitlDetails"
    calendar.airflow.call("PATCH", path, json={"chosen_options": [option], "params_input": fields})
