"""What a calendar says is what goes out, letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.operators.container import CreateContainerOperator
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from airflow_provider_instagram.publishing.options import ContainerOptions
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.mark.parametrize(
    ("written", "approved", "caption"),
    [("None", None, "None"), ("", None, ""), ("hello", {"caption": "None"}, "None"), ("hello", {"caption": ""}, "")],
)
def test_none_goes_out_as_it_stands_there(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch, written: str, approved: Any, caption: str
) -> None:
    """In the calendar, and in the form of the approval."""
    sent: list[ContainerOptions] = []

    def created(self: Any, ledger: Any, key: str, media: Any, sources: Any, options: ContainerOptions) -> str:
        sent.append(options)
        return "179"

    monkeypatch.setattr(CreateContainerOperator, "_container", created)
    video = "https://example.com/a.mp4"
    calendar.write(post("a", 60, caption=written, audio_name="None", user_tags=["ann"], video=video, dry_run="true"))
    calendar.parse(-5)
    (had,) = calendar.run("content/first", 0)
    create = CreatePost(
        task_id="create",
        post=had,
        approved=approved,
        settings=calendar.settings,
        video=video,
        wait_for_completion=False,
    )
    create.execute(calendar.context("content/first", 0))
    ((one),) = sent
    assert (one.caption, one.audio_name, one.user_tags, one.cover_url) == (caption, "None", ("ann",), None)
