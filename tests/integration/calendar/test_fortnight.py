"""A fortnight of a calendar on one simulated clock, which Airflow's side and Instagram's share."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from airflow_provider_instagram.calendar.planning.lateness import PUNCTUAL, choose_late_time, too_late
from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.calendar.planning.plan import Records
from airflow_provider_instagram.calendar.planning.rows import PostRows
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.stored_plan import read_plan, store
from airflow_provider_instagram.calendar.tasks.planner import PlanPosts
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, Try
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.publishing.containers import ContainerCreator
from airflow_provider_instagram.publishing.publish import Live, Publisher
from airflow_provider_instagram.publishing.sources import MediaSource
from airflow_provider_instagram.publishing.use_case import Skipped
from tests.unit.calendar.simulated_runs import EVENTS_EMITTED_BEFORE, Ledgers

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from instagram_sandbox.testing.handle import SandboxHandle

BERLIN = ZoneInfo("Europe/Berlin")
LEAD = timedelta(hours=1)
LATENESS = timedelta(hours=2)
SPACING = timedelta(minutes=15)
WAKE_UP = timedelta(seconds=20)
LOOKED_EVERY = timedelta(seconds=5)
PER_DAY = (("08:30", "berlin"), ("12:00", "paris"), ("17:00", "berlin"), ("18:30", "paris"))


@dataclass
class World:
    """Airflow's part of it, played: the planner looks, and the tasks of posts start when they are due.

    :param tries: How often the run of a post has begun. A task of an earlier try is gone.
    """

    sandbox: SandboxHandle
    settings: CalendarSettings
    accounts: dict[str, GraphClient]
    users: dict[str, str]
    video: Path
    ledgers: Ledgers = field(default_factory=Ledgers)
    agenda: list[tuple[float, int, str, Any]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)
    marks: list[str] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    down: tuple[float, float] = (0.0, 0.0)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.now(), timezone.utc)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.sandbox.advance(seconds)

    def at(self, when: datetime, what: str, fact: Any = None) -> None:
        heapq.heappush(self.agenda, (when.timestamp(), next(self.order), what, fact))

    def ledger(self, account: str) -> Ledger:
        asset = ledger_asset(account)
        return Ledger(SealedStore(self.ledgers[asset], asset.uri), account, self.now)

    def context(self, post_id: str) -> Any:
        ti = SimpleNamespace(dag_id="content", run_id=post_id, task_id="task", map_index=-1, try_number=1, max_tries=3)
        return {
            "ti": ti,
            "params": {},
            "dag_run": SimpleNamespace(run_after=self.now(), run_type="asset_triggered"),
            "asset_state_store": self.ledgers,
            "inlet_events": EVENTS_EMITTED_BEFORE,
        }

    def live(self, until: datetime, edits: list[tuple[datetime, Any]]) -> None:
        for when, edit in edits:
            self.at(when, "edit", edit)
        self.at(self.now(), "look")
        while self.agenda and self.agenda[0][0] <= until.timestamp():
            due_s, _, what, fact = heapq.heappop(self.agenda)
            begin, end = self.down
            if what != "edit" and begin <= due_s < end:  # Airflow is down: it happens when it is back
                self.at(datetime.fromtimestamp(end, timezone.utc), what, fact)
                continue
            self.sleep(due_s - self.sandbox.now())
            getattr(self, what)(fact)

    def edit(self, change: Any) -> None:
        change()
        self.at(self.now() + LOOKED_EVERY, "look")

    def look(self, _: Any) -> None:
        """Look as the planner does, and start runs: one that is under way begins anew."""
        before = read_plan(self.settings.plan_file)
        stored, due = look(
            self.settings,
            before,
            self.now(),
            records=Records(is_live=lambda key: self.ledger(key.partition("/")[0]).post(key) is not None),
        )
        planner = PlanPosts(task_id="plan", settings=self.settings)
        stored = planner._record(self.context("plan"), stored, before, self.now())
        store(self.settings.plan_file, stored.model_copy(update={"plan": replace(stored.plan, pending=())}))
        for run_id in stored.plan.pending:
            self.tries[run_id] = self.tries.get(run_id, 0) + 1
            self.start(run_id)
        at = datetime.fromtimestamp(due.at, timezone.utc)
        if not stored.plan.pending:  # else that is when it would start them again
            self.at(max(at, self.now() + LOOKED_EVERY), "look")
        else:
            self.at(self.now() + LOOKED_EVERY, "look")

    def wanted(self, run_id: str) -> ScheduledPost | None:
        """Return the post of a run, or note with which mark its task is skipped."""
        step = PreparePost(task_id="prepare", settings=self.settings)
        post = step.wanted(self.context(run_id))
        if isinstance(post, Skipped):
            self.marks.append(f"{run_id}: {post.mark}")
            return None
        return post

    def start(self, run_id: str) -> None:
        if (post := self.wanted(run_id)) is not None:
            run = run_id, self.tries[run_id]
            self.at(max(self.now(), post.publish_at - LEAD), "create", (post, run))

    def create(self, fact: tuple[ScheduledPost, tuple[str, int]]) -> None:
        post, (run_id, tried) = fact
        if self.tries[run_id] != tried:
            return
        client, ledger, user_id = self.accounts[post.account], self.ledger(post.account), self.users[post.account]
        creator = ContainerCreator(client, ledger, user_id, post.key, post)
        container = creator.get_or_create(MediaSource(str(post.video), path=self.video))
        self.at(max(self.now(), post.publish_at - WAKE_UP), "publish", (post, (run_id, tried), container))

    def publish(self, fact: tuple[ScheduledPost, tuple[str, int], str]) -> None:
        post, (run_id, tried), container = fact
        if self.tries[run_id] != tried or self.wanted(run_id) is None:
            return
        at = post.publish_at
        if self.now() - at > PUNCTUAL:
            calendar, rows = self.settings.stored().plan.calendar, PostRows(self.ledger(post.account).store)
            at = choose_late_time(post, calendar, rows, clock=self.now, sleep=self.sleep)
            if too_late(post, self.now(), at, late="publish", max_lateness=LATENESS) is not None:
                self.marks.append(f"{post.id}: too late")
                return
            self.marks.append(f"{post.id}: late")
            if at - self.now() > WAKE_UP:
                self.at(at - WAKE_UP, "send", (post, run_id, container, at))
                return
        self.send((post, run_id, container, at))

    def send(self, fact: tuple[ScheduledPost, str, str, datetime]) -> None:
        post, run_id, container, at = fact
        publisher = Publisher(
            self.accounts[post.account],
            self.ledger(post.account),
            self.users[post.account],
            Try(Owner("content", run_id, "publish", -1), lambda _: False),
            self.sleep,
        )
        found = publisher.settle(post.key, container)
        if not isinstance(found, Live):
            publisher.send(found, at)


def next_clock_change(after: datetime) -> datetime:
    """Find the day on which Berlin's clocks are changed next."""
    day = after.astimezone(BERLIN).replace(hour=12, minute=0, second=0, microsecond=0)
    while day.utcoffset() == (day + timedelta(days=1)).utcoffset():
        day += timedelta(days=1)
    return day + timedelta(days=1)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_sixty_posts_of_a_fortnight_go_out_once_and_on_the_second_across_a_clock_change(
    instagram_sandbox: SandboxHandle,
    tmp_path: Path,
    portrait_video: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:
    """Meanwhile posts are moved, edited, removed and added, and Airflow is down for three hours."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    sandbox, file = instagram_sandbox, tmp_path / "posts.yaml"
    real_now = datetime.fromtimestamp(sandbox.now(), timezone.utc)
    change = next_clock_change(real_now + timedelta(days=9))
    first = (change - timedelta(days=7)).replace(hour=0)
    sandbox.advance(first - timedelta(hours=3) - real_now)
    users = {"berlin": sandbox.user_id, "paris": "17841499000000009"}
    sandbox.add_account(users["paris"], "paris")
    accounts = {
        account: GraphClient(sandbox.add_token(user), base_url=sandbox.url, sleep=lambda _: None)
        for account, user in users.items()
    }

    plan: dict[str, tuple[datetime, str]] = {}
    for number in range(60):
        time, account = PER_DAY[number % 4]
        day = (first + timedelta(days=number // 4)).date()
        at = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=BERLIN)
        plan[f"p{number:02}"] = at, account
    captions = {post_id: f"caption of {post_id}" for post_id in plan}

    def write() -> None:
        posts = [
            {"id": i, "publish_at": f"{at:%Y-%m-%d %H:%M}", "account": account, "caption": captions[i]}
            for i, (at, account) in plan.items()
        ]
        defaults = {"timezone": "Europe/Berlin", "video": str(portrait_video)}
        file.write_text(yaml.safe_dump({"min_spacing": "15 min", "defaults": defaults, "posts": posts}))

    def changed(**edits: Any) -> Any:
        def apply() -> None:
            for post_id, edit in edits.items():
                if edit is None:
                    del plan[post_id]
                elif isinstance(edit, str):
                    captions[post_id] = edit
                else:
                    plan[post_id] = edit
                    captions.setdefault(post_id, f"caption of {post_id}")
            write()

        return apply

    write()
    times = {"lead_time": LEAD, "max_lateness": LATENESS, "prepare_ahead": timedelta(0)}  # each run publishes
    settings = CalendarSettings.of("content", str(file), accounts=list(accounts), **times)
    world = World(sandbox, settings, accounts, users, portrait_video)
    mocker.patch("airflow_provider_instagram.calendar.tasks.base.CLOCK", world)
    p10, p14, p20, p30 = (plan[f"p{n}"][0] for n in (10, 14, 20, 30))
    down = plan["p40"][0] - timedelta(hours=2), plan["p40"][0] + timedelta(minutes=30)
    world.down = down[0].timestamp(), down[1].timestamp()
    crowd = down[0] + timedelta(minutes=90)
    edits = [
        (p10 - timedelta(minutes=30), changed(p10=(p10 + timedelta(hours=3), "berlin"))),  # its container exists
        (p14 - timedelta(minutes=20), changed(p14="an edited caption")),  # its container exists, of the old caption
        (p20 - timedelta(minutes=40), changed(p20=None)),
        (p30 - timedelta(minutes=25), changed(new=(p30 + timedelta(minutes=20), "berlin"))),  # within its lead time
        (down[0] - timedelta(hours=5), changed(crowd=(crowd, "berlin"))),  # due while Airflow is down, as p40 is
    ]
    world.live(first + timedelta(days=15, hours=6), edits)

    expected = {captions[post_id]: at for post_id, (at, _) in plan.items()}
    sent: dict[str, list[float]] = {}
    caption_of = {container.container_id: container.caption for container in sandbox.containers}
    for entry in sandbox.journal("publish"):
        sent.setdefault(caption_of[str(entry.container_id)], []).append(entry.at)
    late = {"caption of p40", "caption of crowd"}
    assert {caption: len(times) for caption, times in sent.items()} == dict.fromkeys(expected, 1)
    assert sandbox.truth.per_caption == dict.fromkeys(expected, 1)
    off_s = {caption: times[0] - expected[caption].timestamp() for caption, times in sent.items()}
    assert all(0 <= off_s[caption] < 2 for caption in off_s if caption not in late), off_s
    assert all(60 < off_s[caption] <= LATENESS.total_seconds() for caption in late), off_s
    first_late, second_late = sorted(sent[caption][0] for caption in late)
    assert second_late - first_late >= SPACING.total_seconds() - 1  # the real clock goes on between two moves
    assert {at.utcoffset() for at, _ in plan.values()} == {timedelta(hours=1), timedelta(hours=2)}
    assert sorted(mark for mark in world.marks if not mark.endswith("late")) == [
        f"p10: moved to {p10 + timedelta(hours=3):%Y-%m-%d %H:%M}",
        "p14: edited",  # p14~v2 publishes it
        "p20: removed",
    ]
    assert {run_id for run_id in world.tries if "~" in run_id} == {"p14~v2"}
    assert {post_id: tried for post_id, tried in world.tries.items() if tried > 1} == {"p10": 3, "p14": 2, "p20": 2}
