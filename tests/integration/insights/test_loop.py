"""Eight weeks in which an account learns the hours of its followers: calendar, sandbox and insights on one clock."""

from __future__ import annotations

from datetime import timedelta, timezone
from statistics import mean
from typing import TYPE_CHECKING

import pytest
import yaml

from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from tests.integration.insights.quarter import START, opened

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

WEEKS, A_WEEK = 8, 7
#: How many accounts learn: of one, luck decides.
SEEDS = (1, 2, 3)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_account_reaches_more_in_its_eighth_week_than_in_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weeks = [_weeks(tmp_path / str(seed), seed, monkeypatch) for seed in SEEDS]
    first, last = (mean(account[week] for account in weeks) for week in (0, -1))
    assert last > 1.2 * first, weeks


def _weeks(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Publish one post a day at the time that the calendar has chosen, and return the mean reach of each week."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(folder / "snapshots"))
    (folder / "snapshots").mkdir(parents=True)
    with opened(audience_seed=seed) as account:
        for day in range(WEEKS * A_WEEK):
            account.now = START + timedelta(days=day)
            if day % 28 == 27:
                account.new_token()
            account.run(rerun=False)
            account.now = _time_of(folder / "plan.yaml", account.now, day)
            account.publish("reel")
        account.now = START + timedelta(days=WEEKS * A_WEEK + 4)
        reached = [account.sandbox.insights(made.media_id)["reach"] for made in account.made]
    return [mean(reached[week * A_WEEK : (week + 1) * A_WEEK]) for week in range(WEEKS)]


def _time_of(file: Path, now: datetime, day: int) -> datetime:
    """Return the time that the calendar chooses for the post of a day, an hour or more ahead."""
    document = {
        "slots": {"brand": f"auto {now:%a}-{now:%a} 01:00-23:00"},
        "defaults": {"timezone": "UTC", "account": "brand", "video": "a.mp4"},
        "posts": [{"id": f"day-{day}"}],
    }
    file.write_text(yaml.safe_dump(document))
    settings = CalendarSettings.of("content", str(file), accounts=["brand"], lead_time=timedelta(hours=1))
    (post,) = settings.plan(now).timely.posts
    at: datetime = post.publish_at.astimezone(timezone.utc)
    assert at.date() == now.date()
    return at
