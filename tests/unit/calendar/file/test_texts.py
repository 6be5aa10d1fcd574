"""What a calendar says is what goes out, letter by letter."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks.answers import Answer
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.operators.container import CreateContainerOperator
from tests.unit.calendar.simulated_runs import ACCOUNT, post

if TYPE_CHECKING:
    from airflow_provider_instagram.posts.post import Post
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def record(calendar: SimulatedCalendar, had: dict[str, Any], caption: str) -> dict[str, Any]:
    """Return what the task of the approval returns."""
    context = calendar.context("content/first", 0)
    step = ApprovePost(task_id="approve", post=had, settings=calendar.settings, instagram_conn_id=ACCOUNT)
    return step._carry_out(context, Answer(True, "anna", caption), step.as_post().version)


@pytest.mark.parametrize(
    ("written", "approved", "caption"),
    [("None", None, "None"), ("", None, ""), ("hello", "None", "None"), ("hello", "", "")],
)
def test_none_goes_out_as_it_stands_there(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch, written: str, approved: Any, caption: str
) -> None:
    """In the calendar, and in the form of the approval."""
    sent: list[Post] = []

    def created(self: Any, creator: Any, key: str, post: Post, sources: Any) -> str:
        sent.append(post)
        return "179"

    monkeypatch.setattr(CreateContainerOperator, "_creator", lambda *_: nullcontext())
    monkeypatch.setattr(CreateContainerOperator, "_container", created)
    video = "https://example.com/a.mp4"
    more = {"approval": "none" if approved is None else "required", "dry_run": "true"}
    calendar.write(post("a", 60, caption=written, audio_name="None", user_tags=["ann"], video=video, **more))
    calendar.parse(-5)
    (had,) = calendar.run("content/first", 0)
    create = CreatePost(
        task_id="create",
        post=had,
        approved=approved if approved is None else record(calendar, had, approved),
        settings=calendar.settings,
        media=video,
        wait_for_completion=False,
    )
    create.execute(calendar.context("content/first", 0))
    ((one),) = sent
    assert (one.caption, one.audio_name, one.user_tags, one.cover_url) == (caption, "None", ("ann",), None)


def test_the_parent_of_a_carousel_has_the_texts_of_the_post_after_the_wait_for_its_items(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process continues after the wait, and has only what the XComs contain."""
    sent: list[tuple[Any, ...]] = []

    def parent(self: Any, context: Any, event: Any) -> str:
        sent.append((self.post_to_create(), self.post_key, event))
        return "180"

    monkeypatch.setattr(CreateContainerOperator, "execute_parent", parent)
    links = ["https://example.com/a.jpg", "https://example.com/b.mp4"]
    calendar.write(post("a", 60, video=None, carousel=links, caption="{{ x }}", collaborators=["ann"]))
    calendar.parse(-5)
    (had,) = calendar.run("content/first", 0)
    reports = [{"tier": "pass", "kind": "image"}, {"tier": "pass", "kind": "video"}]
    create = CreatePost(task_id="create", post=had, settings=calendar.settings, media=links, report=reports)
    event = {"status": "done"}
    assert create.execute_parent(calendar.context("content/first", 0), event) == "180"
    ((of_parent, key, given),) = sent
    assert (of_parent.caption, of_parent.collaborators, key, given) == ("{{ x }}", ("ann",), f"{ACCOUNT}/a", event)
    assert [(item.kind, item.location) for item in of_parent.items] == [("image", links[0]), ("video", links[1])]
