"""Drafts for the planner and for Fill in times: they have no run and no slot until they are posts."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.planning.begin_runs import Plan, decide
from airflow_provider_instagram.calendar.planning.fill import proposal_for, time_on

LOCATION = "/calendars/plan.yaml"
NOW = datetime(2030, 5, 6, 5, 0, tzinfo=timezone.utc)  # a Monday, 07:00 in Berlin
YAML = """\
defaults: {timezone: Europe/Berlin}
slots: {instagram_default: [Mon 08:30, Mon 19:00, Tue 09:00]}
posts:
- {id: draft, note: Ask Lena}
- {id: file, video: a.mp4}
- {id: post, publish_at: 2030-05-06 08:30, video: a.mp4}
- {id: day, publish_at: 2030-05-07 09:00}
"""


def planned(text: str, before: Plan | None = None) -> Plan:
    ahead = timedelta(days=1)
    return decide(parse_calendar(text, LOCATION), before, NOW, begins_ahead=ahead, max_lateness=timedelta(hours=1))


def test_no_run_is_started_for_a_draft() -> None:
    assert planned(YAML).pending == ("post",)


def test_the_run_of_a_post_that_becomes_a_draft_begins_anew_and_finds_that() -> None:
    begun = planned(YAML)
    after = planned(YAML.replace("publish_at: 2030-05-06 08:30, ", ""), begun)
    assert (after.pending[-1], "post" in after.begun) == ("post", False)


def test_a_draft_that_gets_a_time_in_the_past_is_told() -> None:
    begun = planned(YAML)
    late = planned(YAML.replace("id: file,", "id: file, publish_at: 2030-05-01 08:30,"), begun)
    (problem,) = late.timely.problems
    assert (problem.post_id, "had passed when Airflow read it" in problem.message) == ("file", True)


def test_only_a_post_with_a_file_is_given_a_slot() -> None:
    found = proposal_for(YAML, LOCATION, CalendarFiles(LOCATION), NOW, {})
    assert found.fill is not None
    assert found.fill.times == {"file": "2030-05-06 19:00"}  # the 6th has a post


@pytest.mark.parametrize(
    ("day", "at"),
    [
        (date(2030, 5, 6), "2030-05-06T19:00"),  # 08:30 is taken
        (date(2030, 5, 7), "2030-05-07T12:00"),  # a draft has the slot
        (date(2030, 5, 8), "2030-05-08T12:00"),
        (date(2030, 5, 31), "2030-05-31T12:00"),
        (date(2030, 10, 27), "2030-10-27T12:00"),  # the clocks are set back
    ],
)
def test_a_draft_gets_the_first_free_time_of_a_day(day: date, at: str) -> None:
    assert time_on(day, "draft", YAML, LOCATION, CalendarFiles(LOCATION), NOW, {}) == at


def test_a_day_that_has_passed_or_is_full_takes_no_draft() -> None:
    with pytest.raises(InvalidValue, match="2030-05-05 has no free time"):
        time_on(date(2030, 5, 5), "draft", YAML, LOCATION, CalendarFiles(LOCATION), NOW, {})
    evening = datetime(2030, 5, 6, 21, 0, tzinfo=timezone.utc)
    with pytest.raises(InvalidValue, match="no free time"):
        time_on(date(2030, 5, 6), "draft", YAML, LOCATION, CalendarFiles(LOCATION), evening, {})
    with pytest.raises(InvalidValue, match="post is no draft any more"):
        time_on(date(2030, 5, 8), "post", YAML, LOCATION, CalendarFiles(LOCATION), NOW, {})
