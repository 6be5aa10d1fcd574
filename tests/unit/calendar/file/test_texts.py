"""What a calendar says is what goes out, letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks.answers import Answer, Approval
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.operators.approval import Question
from airflow_provider_instagram.publishing.create import Create, Order
from tests.unit.calendar.simulated_runs import ACCOUNT, post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.mark.parametrize(
    ("written", "approved", "caption"),
    [("None", None, "None"), ("", None, ""), ("hello", "None", "None"), ("hello", "", "")],
)
def test_none_goes_out_as_it_stands_there(
    calendar: SimulatedCalendar, written: str, approved: Any, caption: str
) -> None:
    """In the calendar, and in the form of the approval."""
    video = "https://example.com/a.mp4"
    more = {"approval": "none" if approved is None else "required"}
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60, caption=written, audio_name="None", user_tags=["ann"], video=video, **more))
    calendar.plan(-5)
    calendar.prepared(reports=[{"tier": "pass"}])
    create, context = CreatePost(task_id="create", settings=calendar.settings), calendar.context()
    planned = create.wanted_post(context)
    if approved is not None:
        question = Question.of(context)
        answered = Approval(
            question=question,
            post_id="a",
            number=1,
            version=planned.version,
            sha256=(),
            caption=written,
            answer=Answer(approved=True, person="anna", caption=approved),
        )
        create.records(context, planned).record_approval(answered)
    one = create.order(context, planned, is_resumed=False).post
    assert (one.caption, one.audio_name, one.user_tags, one.cover_url) == (caption, "None", ("ann",), None)


def test_the_parent_of_a_carousel_has_the_texts_of_the_post_after_the_wait_for_its_items(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Another process continues after the wait, and has only what the XComs contain."""
    sent: list[tuple[Any, ...]] = []

    def resume(self: Create, order: Order, *waited: Any) -> str:
        sent.append((order.post, self.post_key, *waited))
        return "180"

    mocker.patch.object(Create, "resume", resume)
    links = ["https://example.com/a.jpg", "https://example.com/b.mp4"]
    calendar.write(post("a", 60, video=None, carousel=links, caption="{{ x }}", collaborators=["ann"]))
    calendar.plan(-5)
    reports = [{"tier": "pass", "kind": "image"}, {"tier": "pass", "kind": "video"}]
    calendar.prepared(reports=reports)
    create = CreatePost(task_id="create", settings=calendar.settings)
    known = {"content": "digest", "child_ids": ["1", "2"]}
    event = {"container_id": ["2"], "error": None, "known": known}
    assert create.execute(calendar.context(), event) == "180"
    ((of_parent, key, *waited),) = sent
    assert (of_parent.caption, of_parent.collaborators, key) == ("{{ x }}", ("ann",), f"{ACCOUNT}/a")
    assert [(item.kind, item.location) for item in of_parent.items] == [("image", links[0]), ("video", links[1])]
    assert waited == [None, ["2"], known]
