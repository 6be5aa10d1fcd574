"""The row that says which pictures were made before the preparation of their posts."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.planning.begin_runs import Begun, Plan
from airflow_provider_instagram.calendar.planning.told import Preview, PreviewRecord
from airflow_provider_instagram.calendar.tasks import previews
from airflow_provider_instagram.exceptions import ValidationError
from tests.unit.calendar.simulated_runs import ACCOUNT, after_noon

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

#: Airflow's default of ``[state_store] max_value_storage_bytes``.
MOST_OF_AIRFLOW = 65_535


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("GET https://media.example.com/a.mp4?sig=SECRET"), "no preview: It failed with RuntimeError."),
        (ValidationError("It lasts 120 s."), "no preview: It lasts 120 s."),
    ],
)
def test_a_picture_that_cannot_be_made_says_why_and_repeats_no_other_librarys_words(
    tmp_path: Path, mocker: MockerFixture, error: Exception, says: str
) -> None:
    def fails(*_: Any) -> Any:
        raise error

    mocker.patch.object(previews, "_written", fails)
    post = ScheduledPost(id="a", publish_at=after_noon(60), account=ACCOUNT, video="a.mp4")
    files = CalendarFiles(str(tmp_path / "posts.yaml"), None)
    assert previews._preview(post, files, 7, math.inf) == Preview(at=7, says=says, is_there=False)


def test_the_row_holds_the_next_posts_only_as_far_as_airflow_takes_it() -> None:
    many = [(f"{number:016x}", Preview(at=1_796_000_000, says="é" * 100)) for number in range(3000)]
    row = previews._row(many)
    stored = json.dumps(PreviewRecord(previews=row).model_dump(mode="json", exclude_defaults=True))
    assert len(stored.encode()) <= MOST_OF_AIRFLOW
    assert list(row) == [version for version, _ in many[: len(row)]]
    assert len(row) > 50


def test_a_preview_that_failed_is_tried_again_after_a_day() -> None:
    """A file that cannot be shown would be copied by each run."""
    failed = Preview(at=1_000, is_there=False)
    assert [previews._is_due_again(failed, 1_000 + after_s) for after_s in (60, 86_399, 86_400)] == [False, False, True]
    assert not previews._is_due_again(Preview(at=1_000), 1_000 + 86_400)


def test_a_post_that_is_prepared_within_ten_minutes_gets_no_preview(tmp_path: Path, mocker: MockerFixture) -> None:
    """Its preparation makes the picture, and a preview would take the processor from it."""
    mocker.patch.object(previews, "_preview", return_value=Preview(at=1))
    due = {"begun": 90, "soon": 40, "later": 41}
    posts = [
        ScheduledPost(id=name, publish_at=after_noon(at), account=ACCOUNT, video="https://a.example/v.mp4")
        for name, at in due.items()
    ]
    plan = Plan(Calendar("posts.yaml"), {"begun": Begun(posts[0].version, 0, posts[0].key, "begun")})
    settings: Any = SimpleNamespace(calendar=str(tmp_path / "posts.yaml"), work_ahead=timedelta(minutes=30))
    made = dict(previews._made(settings, plan, posts, {}, after_noon(0)))
    assert [post.id for post in posts if post.version in made] == ["later"]
