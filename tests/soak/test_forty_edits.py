"""A plan that is edited until the last minutes: 40 posts in a running Airflow, with twenty edits in their lead time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo.stack import wait_until
from tests.calendars.running_calendar import distribution, entry, running_calendar, whole_second

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "vienna"
POSTS, SPACING = 40, timedelta(seconds=10)
#: The first ten posts are moved, and then reworded: each ten seconds after its run has begun, and again 100 s later.
EDITS, EVERY_S, EDITED_TWICE = 20, SPACING.total_seconds(), 10
LEAD_S = 240
#: Two cores are busy all the time here, and make posts late by seconds (printed). A minute late is a lost wake-up.
LATEST_S = 60.0
LIMIT_S = 900


@pytest.mark.timeout(2 * LIMIT_S)
def test_forty_posts_that_are_edited_twenty_times_go_out_once_in_their_last_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = whole_second(timedelta(seconds=LEAD_S))
    due = {f"edited-{number:02}": first + number * SPACING for number in range(POSTS)}
    captions = {post_id: post_id for post_id in due}
    with running_calendar(tmp_path, [ACCOUNT]) as calendar:

        def write() -> None:
            calendar.write([entry(i, at, ACCOUNT, caption=captions[i]) for i, at in due.items()])

        write()
        calendar.add_dag(LEAD_S)
        for edit in range(EDITS):
            time.sleep(EVERY_S)
            post_id = f"edited-{edit % EDITED_TWICE:02}"
            if edit < EDITED_TWICE:
                due[post_id] += timedelta(seconds=2)
            else:
                captions[post_id] = f"{post_id}, in other words"
            write()
        wanted = {captions[post_id]: at.timestamp() for post_id, at in due.items()}
        wait_until(lambda: set(wanted) <= set(calendar.requests()), "all posts are published", LIMIT_S, 1.0)
        wait_until(lambda: "running" not in calendar.states().values(), "no task runs any more", 90, 1.0)
        requests = calendar.requests()
    late = {caption: requests[caption][0] - at for caption, at in wanted.items()}
    with capsys.disabled():
        print(f"\nPublish requests after their last time: {distribution(list(late.values()))}")  # noqa: T201
    assert {caption: len(times) for caption, times in requests.items()} == dict.fromkeys(wanted, 1)
    assert min(late.values()) >= 0, late
    assert max(late.values()) <= LATEST_S, late
