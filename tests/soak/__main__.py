"""``make soak``: 60 posts on six accounts while things are killed, edited and disconnected; 16 minutes.

The scheduler is killed twice, the triggerer twice. The calendar is edited ten times. An account's token dies. Later a
person renews it: puts a new token into the connection, and clears what failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.stack import end_on_sigterm, wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle
from tests.calendars.fate import Due, is_good, observed, table
from tests.calendars.running_calendar import DAG_ID, distribution, entry, running_calendar, whole_second

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calendars.running_calendar import RunningCalendar

ACCOUNTS = tuple(f"account_{letter}" for letter in "abcdef")
LEAD_S = 150
DEAD = "account_f"
DISTURBED = "kills and edits"
#: Tasks of a killed scheduler hold their places until the next scheduler looks for them. Each look takes the scheduler
#: seconds.
SETTINGS = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
}
LIMIT_S = 600.0


@dataclass
class ExpectedPosts:
    """The posts that the calendar asks for, as the edits change them.

    :param calendar: The calendar in its running Airflow.
    :param posts: The posts, by id.
    """

    calendar: RunningCalendar
    posts: dict[str, Due] = field(default_factory=dict)

    def add(self, post_id: str, at: datetime, account: str) -> None:
        self.posts[post_id] = Due(post_id, at, account, DISTURBED)

    def write(self) -> None:
        by_id = sorted(self.posts.values(), key=lambda post: post.post_id)
        self.calendar.write([entry(post.post_id, post.at, post.account, caption=post.caption) for post in by_id])

    def add_later(self, post_id: str, at: datetime, account: str) -> None:
        self.add(post_id, at, account)
        self.write()

    def move(self, post_id: str, later_s: int) -> None:
        post = self.posts[post_id]
        self.posts[post_id] = replace(post, at=post.at + timedelta(seconds=later_s))
        self.write()

    def edit(self, post_id: str) -> None:
        self.posts[post_id] = replace(self.posts[post_id], edited_caption=f"new caption of {post_id}")
        self.write()

    def remove(self, post_id: str) -> None:
        del self.posts[post_id]
        self.write()

    def restart(self, component: str) -> None:
        self.calendar.airflow.stop(component, force=True)
        self.calendar.airflow.start(component)

    def token_dies(self) -> None:
        user = self.calendar.users[DEAD]
        self.calendar.sandbox.revoke(self.calendar.tokens[DEAD])
        _say(f"the token of {DEAD} ({user}) has died")

    def token_renewed(self) -> None:
        user = self.calendar.users[DEAD]
        account = SandboxHandle(self.calendar.sandbox.url, self.calendar.sandbox.add_token(user), user)
        connect(self.calendar.airflow, account, DEAD)
        account.close()
        self.clear_failed()

    def clear_failed(self) -> None:
        query = {"limit": 100, "state": "failed"}
        for run in self.calendar.airflow.call("GET", f"/dags/{DAG_ID}/dagRuns", params=query)["dag_runs"]:
            body = {"dry_run": False, "dag_run_id": run["dag_run_id"], "only_failed": True, "reset_dag_runs": True}
            self.calendar.airflow.call("POST", f"/dags/{DAG_ID}/clearTaskInstances", json=body)


def main() -> int:
    """Run the calendar, and print what came of it.

    :return: The exit code: 0 when every post that was asked for is there, once, and no other.
    """
    end_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A calendar in a running Airflow.")
    parser.add_argument("--posts", type=int, default=60)
    parser.add_argument("--spacing", type=int, default=10, help="seconds between two posts")
    options = parser.parse_args()
    length = timedelta(seconds=options.posts * options.spacing)
    with tempfile.TemporaryDirectory() as folder, running_calendar(Path(folder), ACCOUNTS, **SETTINGS) as calendar:
        expected = ExpectedPosts(calendar)
        first = whole_second(timedelta(seconds=LEAD_S + 30))
        for number in range(options.posts):
            at = first + length * number / options.posts
            expected.add(f"post-{number:02}", at, ACCOUNTS[number % len(ACCOUNTS)])
        expected.write()
        calendar.add_dag(LEAD_S)
        for at, what, do in _disturbances(expected, first, length, options.posts):
            time.sleep(max(0.0, (at - datetime.now(timezone.utc)).total_seconds()))
            _say(what)
            do()
        with suppress(TimeoutError):  # the verdict says which post is missing
            wait_until(lambda: _all_there(expected), "every post is published", LIMIT_S, 2.0)
        time.sleep(30)  # what should not come has time to come
        return _verdict(expected)


def _disturbances(
    expected: ExpectedPosts, first: datetime, length: timedelta, posts: int
) -> list[tuple[datetime, str, Callable[[], Any]]]:
    """Return what is done, and when: as parts of the time from the first post to the last."""

    def post(part: float) -> str:
        return f"post-{round(part * posts):02}"

    def soon(part: float) -> str:
        """Return a post that is due in half its lead time: its container exists."""
        return post(part + LEAD_S / 2 / length.total_seconds())

    added = expected.posts[post(0.9)].account, expected.posts[post(0.8)].account
    acts: list[tuple[float, str, Callable[[], Any]]] = [
        (-0.05, "a post is moved, far ahead", lambda: expected.move(post(0.7), 60)),
        (0.02, "the scheduler is killed", lambda: expected.restart("scheduler")),
        (0.08, "a post is edited, its container made", lambda: expected.edit(soon(0.08))),
        (0.15, "a post is removed, far ahead", lambda: expected.remove(post(0.9))),
        (0.2, "the triggerer is killed", lambda: expected.restart("triggerer")),
        (0.26, "a post is added", lambda: expected.add_later("added", first + length * 0.85, added[0])),
        (0.3, "the token dies", expected.token_dies),
        (0.34, "a post is removed, its container made", lambda: expected.remove(soon(0.34))),
        (0.38, "a post is edited, far ahead", lambda: expected.edit(post(0.95))),
        (0.42, "a post is moved, its container made", lambda: expected.move(soon(0.42), 30)),
        (0.46, "the token is renewed", expected.token_renewed),
        (0.52, "the scheduler is killed again", lambda: expected.restart("scheduler")),
        (0.56, "a post is removed, far ahead", lambda: expected.remove(post(0.8))),
        (
            0.58,
            "a post is added within its lead time",
            lambda: expected.add_later("late", first + length * 0.75, added[1]),
        ),
        (0.62, "the triggerer is killed again", lambda: expected.restart("triggerer")),
        (0.7, "a post is edited, its container made", lambda: expected.edit(soon(0.7))),
        (0.9, "what failed is cleared", expected.clear_failed),
    ]
    return [(first + length * part, what, do) for part, what, do in acts]


def _all_there(expected: ExpectedPosts) -> bool:
    return {post.caption for post in expected.posts.values()} <= set(expected.calendar.requests())


def _verdict(expected: ExpectedPosts) -> int:
    calendar, posts = expected.calendar, list(expected.posts.values())
    fates = observed(posts, calendar.airflow, calendar.sandbox)
    late = [fate.late_s for fate in fates if fate.late_s is not None]
    unwanted = set(calendar.sandbox.truth.per_caption) - {post.caption for post in posts}
    for line in table(fates):
        _say(line)
    _say(f"publish requests after their time: {distribution(late)}; within 2 s: {sum(value <= 2 for value in late)}")
    _say(f"not wanted: {unwanted or 'none'}")
    return 0 if is_good(fates) and not unwanted else 1


def _say(text: str) -> None:
    print(f"{datetime.now(timezone.utc):%H:%M:%S}  {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
