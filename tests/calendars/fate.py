"""What becomes of the posts of a running calendar, as the sandbox and Airflow say: a row for each disturbance."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.calendars.running_calendar import DAG_ID, publish_requests, task_instances, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle

LINE = "{:<24}{:>6}  {:<16}{:<10}{:>28}  {}"
HEAD = ("disturbance", "posts", "posts per key", "verdicts", "late: first, median, last", "not as it should be")
#: Of a post that is not later than two minutes, the page does not say that it is late. Else, it names the minute.
SAID_FROM_S, TOLERANCE_S = 120.0, 20.0
MINUTE = timedelta(minutes=1)
#: A task instance that has not ended says nothing yet.
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True)
class Due:
    """A post that a calendar asks for.

    :param post_id: Its id.
    :param at: When it is due.
    :param account: Its connection.
    :param around: The disturbance that it is due around.
    :param dag_id: The DAG that publishes it.
    :param shows: What it shows, as a name of the test's.
    :param is_skipped: Whether no run may publish it, because it is too late by the time that its DAG runs.
    :param is_removed: Whether it was removed from the file, so that it must not be there.
    :param edited_caption: Its caption, if that is not its id.
    """

    post_id: str
    at: datetime
    account: str
    around: str
    dag_id: str = DAG_ID
    shows: str = "reel"
    is_skipped: bool = False
    is_removed: bool = False
    edited_caption: str | None = None

    @property
    def is_dropped(self) -> bool:
        """Whether it must not be there."""
        return self.is_skipped or self.is_removed

    @property
    def caption(self) -> str:
        """The caption that the post must have."""
        return self.edited_caption or self.post_id


@dataclass(frozen=True)
class Fate:
    """What became of a post.

    :param due: The post.
    :param made: How many posts there are with its caption.
    :param late_s: How late its first publish request came; None if there was none.
    :param tasks: The state of each task of its latest version, with the number of tries.
    :param card: The state that the Posts page shows, and why.
    """

    due: Due
    made: int
    late_s: float | None
    tasks: Mapping[str, str] = field(default_factory=dict)
    card: tuple[str, str] = ("", "")

    @property
    def is_true(self) -> bool:
        """Whether Airflow says of the post what is so: that it is live, or that it is not, and how late it was."""
        is_said = self.tasks.get("publish", "").split(" ")[0] == "success", self.card[0] == "published"
        return is_said == (self.made == 1, self.made == 1) and self.is_explained

    @property
    def is_explained(self) -> bool:
        """Whether the page says how late it was, by the sandbox's own clock, or why it was skipped."""
        if self.due.is_skipped:
            return self.card[0] == "skipped" and bool(self.card[1])
        if self.made != 1 or self.late_s is None:
            return True
        said = re.match(r"(\d\d):(\d\d) instead of ", self.card[1])
        if said is None:
            return self.late_s < SAID_FROM_S + TOLERANCE_S
        tolerance, published_at = timedelta(seconds=TOLERANCE_S), self.due.at + timedelta(seconds=self.late_s)
        minute = published_at.replace(hour=int(said[1]), minute=int(said[2]), second=0, microsecond=0)
        return -tolerance < published_at - minute < MINUTE + tolerance

    @property
    def problem(self) -> str | None:
        """What is wrong, for the person who looks for the cause."""
        if self.made == (0 if self.due.is_dropped else 1) and self.is_true:
            return None
        tasks = ", ".join(f"{task} {state}" for task, state in self.tasks.items())
        late = "" if self.late_s is None else f", {self.late_s:+.1f} s"
        shown = ": ".join(filter(None, self.card)) or "not shown"
        return f"{self.due.post_id}: {self.made} posts{late}; {tasks or 'no run has it'}; {shown}"


def observed(posts: Sequence[Due], airflow: AirflowStack, sandbox: SandboxHandle) -> list[Fate]:
    """Return what has become of posts: as the sandbox, Airflow's REST API and the Posts page say."""
    instances = [ti for dag_id in {post.dag_id for post in posts} for ti in task_instances(airflow, dag_id)]
    page = json.loads(airflow.download("/instagram/calendar/api/posts"))
    cards = {card["id"]: (card.get("state", ""), card.get("why", "")) for card in page["cards"]}
    return fates(posts, sandbox.truth.per_caption, publish_requests(sandbox), instances, cards)


def fates(
    posts: Iterable[Due],
    made: Mapping[str, int],
    requests: Mapping[str, Sequence[float]],
    instances: Iterable[Mapping[str, Any]],
    cards: Mapping[str, tuple[str, str]],
) -> list[Fate]:
    """Compare what was to be with what the sandbox and Airflow say.

    :param posts: The posts that were asked for.
    :param made: How many posts the sandbox has, by caption.
    :param requests: When publish requests reached the sandbox, by caption.
    :param instances: Airflow's task instances, as its REST API gives them.
    :param cards: The state of each post on the Posts page, and why.
    """
    tasks: dict[str, dict[str, str]] = {}
    for ti in sorted(instances, key=lambda ti: version_of(ti["dag_run_id"])):
        tasks.setdefault(version_of(ti["dag_run_id"])[0], {})[ti["task_id"]] = f"{ti['state']} ({_tries(ti)})"
    found = []
    for due in posts:
        first = min(requests.get(due.caption, ()), default=None)
        late_s = None if first is None else first - due.at.timestamp()
        of_post = tasks.get(due.post_id, {}), cards.get(due.post_id, ("", ""))
        found.append(Fate(due, made.get(due.caption, 0), late_s, *of_post))
    return found


def _tries(ti: Mapping[str, Any]) -> str:
    return f"{ti['try_number']} tr{'y' if ti['try_number'] == 1 else 'ies'}"


def table(found: Sequence[Fate]) -> Iterator[str]:
    """Write the table, a row for each disturbance in the order in which they came."""
    yield LINE.format(*HEAD)
    for around in dict.fromkeys(fate.due.around for fate in found):
        same = [fate for fate in found if fate.due.around == around]
        late = sorted(fate.late_s for fate in same if fate.late_s is not None)
        shown = f"{late[0]:+.1f}, {late[len(late) // 2]:+.1f}, {late[-1]:+.1f} s" if late else "-"
        problems = [fate.problem for fate in same if fate.problem]
        yield LINE.format(
            around, len(same), _counts([fate.made for fate in same if not fate.due.is_dropped]),
            "true" if all(fate.is_true for fate in same) else "FALSE", shown, "; ".join(problems) or "-",
        )  # fmt: skip


def _counts(numbers: Sequence[int]) -> str:
    """Write numbers of posts briefly: ``1``, or how often each other number came."""
    return ", ".join(
        f"{number}" if number == 1 else f"{number} (x{numbers.count(number)})" for number in sorted({*numbers})
    )


def is_good(found: Sequence[Fate]) -> bool:
    """Return whether each post is there once, no earlier than it was due, and Airflow says so."""
    return all(fate.problem is None and (fate.late_s or 0.0) >= 0 for fate in found)
