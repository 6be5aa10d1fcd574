"""The cards of a calendar, made at most every two seconds, however many users look at them."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from airflow.utils.session import create_session

from airflow_provider_instagram.calendar.file.model import InvalidPost
from airflow_provider_instagram.calendar.file.slots import split_repetition
from airflow_provider_instagram.calendar.planning.assignments import Assignments
from airflow_provider_instagram.calendar.planning.schedule import run_time_of, utc_now
from airflow_provider_instagram.calendar.stored_dags import SnapshotReader
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.plugin.board.answers import answer_on_its_way
from airflow_provider_instagram.plugin.board.cards import PostCard, card_of, invalid_card
from airflow_provider_instagram.plugin.board.seen import NOTHING, now_s
from airflow_provider_instagram.plugin.board.source import CalendarSource, Rows
from airflow_provider_instagram.plugin.board.states import Facts, PostRun, State, Status, status_of
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_instagram.calendar.file.model import Calendar, Post
    from airflow_provider_instagram.calendar.file.problems import Problem
    from airflow_provider_instagram.calendar.planning.assignments import Assignment
    from airflow_provider_instagram.calendar.planning.snapshot import Stored
    from airflow_provider_instagram.calendar.stored_dags import CalendarDag

log = logging.getLogger(__name__)
#: The state of a post of which the ledger has a row, or Airflow an XCom, in a form that no task has written.
DAMAGED: Final = Status(
    State.UNKNOWN,
    "A record of this post in Airflow is malformed.",
    "The log of the API server says more. Somebody with rights to assets or XComs has written the record.",
)
#: How long the cards of a calendar count as current, in seconds.
LIFE_S: Final = 2.0


class Revisions:
    """Counts the changes of cards, so that a page asks only for what changed since it last asked."""

    def __init__(self) -> None:
        self.instance = secrets.token_hex(4)
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return the number of the next change."""
        with self._lock:
            self._last += 1
            return self._last

    @property
    def latest(self) -> int:
        """The number of the latest change."""
        return self._last


@dataclass
class Board:
    """The cards of one calendar.

    :param revisions: Counts the changes of all boards.
    :param calendar: The calendar as it was at the last look.
    :param cards: The cards by key, with the number of their last change.
    :param removed: The keys of cards that are gone, with the number of that change.
    :param facts: What is known about each post, by its id.
    :param problems: The problems of the calendar, by line.
    :param digest: A digest of the cards, which is the same in all API server processes.
    :param seen_s: How new the cards are.
    """

    revisions: Revisions
    calendar: CalendarDag
    cards: dict[str, tuple[PostCard, int]] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    digest: str = ""
    seen_s: float = NOTHING
    stored: Stored | None = None
    source: CalendarSource = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _snapshot: SnapshotReader = field(default_factory=SnapshotReader)
    _looked_s: float = -1e9
    _look_began_s: float = NOTHING
    _runs_now: dict[str, str] = field(default_factory=dict)
    _missing: dict[str, list[Problem]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = CalendarSource(self.calendar.dag_id)

    def refresh(self, calendar: CalendarDag, seen_s: float) -> None:
        """Look at the calendar again if the last look is too long ago. Several users share one look.

        :param calendar: The calendar.
        :param seen_s: What the page has seen already. The last look may not be older than that.
        """
        with self.lock:
            is_current = time.monotonic() - self._looked_s < LIFE_S and calendar == self.calendar
            if is_current and self._look_began_s >= seen_s:
                return
            self.calendar, began_s = calendar, now_s()
            self.stored = self._snapshot.read(calendar)
            self.problems = calendar.problems
            if self.stored is not None:
                content = self.stored.plan.timely
                with create_session(scoped=False) as session:
                    self.source.read(session, content.accounts)
                self.problems = (*calendar.problems, *content.problems, *self.source.found)
                self._set_cards(self._made(content, utc_now()))
                self.seen_s = now_s()
            self._looked_s, self._look_began_s = time.monotonic(), began_s

    def _made(self, content: Calendar, now: datetime) -> list[PostCard]:
        selected, begins = self.source.selected_posts(), self._scheduled_runs()
        self._runs_now, self._missing = self.source.active_runs_now(), defaultdict(list)
        for problem in (*self.calendar.problems, *self.source.found):
            if problem.post_id is not None:
                self._missing[problem.post_id].append(problem)
        all_facts, cards = {}, []
        for post in content.posts:
            try:
                facts = self._facts(post, selected.get((post.account, post.id, post.version), []), begins)
                card = self._card(post, facts, status_of(facts, now, self.calendar.max_lateness))
            except Exception:  # a user has edited a row or an XCom
                log.exception("The records of %s cannot be understood", post.key)
                card = card_of(self.calendar.dag_id, post, DAMAGED, has_cover=False, is_dry=post.dry_run)
            else:
                all_facts[post.id] = facts
            cards.append(card)
        self.facts = all_facts
        return cards + self._invalid_cards(content)

    def _invalid_cards(self, content: Calendar) -> list[PostCard]:
        by_post: dict[str | None, list[Problem]] = defaultdict(list)
        for problem in content.problems:
            by_post[problem.post_id].append(problem)
        listed = {post.id for post in content.posts}
        invalid = [post for post in content.invalid if post.id not in listed]
        if self.stored is not None:
            invalid += [
                InvalidPost(post.id, post.publish_at, post.account, post.line, post.in_slot)
                for post in self.stored.plan.calendar.posts
                if post.id not in listed
            ]
        times = Counter(post.id for post in invalid)
        return [
            invalid_card(
                self.calendar.dag_id, post, tuple(by_post[post.id] or by_post[split_repetition(post.id)[0]]),
                is_duplicate=times[post.id] > 1,
            )
            for post in invalid
        ]  # fmt: skip

    def _card(self, post: Post, facts: Facts, status: Status) -> PostCard:
        tasks = facts.run.tasks if facts.run else {}
        has_cover = "transcode" in tasks and tasks["transcode"].state == "success"
        is_dry = self.calendar.is_dry or post.dry_run
        card = card_of(self.calendar.dag_id, post, status, has_cover=has_cover, is_dry=is_dry)
        problems = tuple(self._missing.get(post.id, ()))
        if status.state is not State.PLANNED or not problems:
            return card
        first = problems[0]  # a file is missing, and no task has looked for it yet
        return replace(card, status=Status(State.PROBLEM, first.message, first.remedy), problems=problems)

    def _facts(self, post: Post, selected: list[tuple[str, int]], begins: dict[int, str]) -> Facts:
        rows = Rows(self.source.rows.get(post.account, {}))
        ledger = Ledger(rows, post.account)
        assignment = Assignments(rows, self.calendar.dag_id, self.calendar.is_dry).of(post)
        seen = self.stored.plan.seen.get(post.id) if self.stored else None
        done = ledger.post(post.key)
        other = None if done is None else done.other_publisher(self.calendar.dag_id, shown(self.calendar.location))
        return Facts(
            post=post,
            done=None if other else done,
            published_by=other,
            is_open=done is None and bool(ledger.open_intents(post.key)),
            assignment=assignment,
            run=self._run(post, selected, assignment, begins),
            arrival=seen.arrival if seen is not None else None,
            late_at=Assignments(rows, self.calendar.dag_id).late_time(post, any_version=False),
        )

    def _run(
        self, post: Post, selected: list[tuple[str, int]], assignment: Assignment | None, begins: dict[int, str]
    ) -> PostRun | None:
        """Return the run that works on this version of a post: the one it is assigned to, or else the latest."""
        may_be_dry = self.calendar.is_dry or post.dry_run
        runs = [one for one in selected if may_be_dry or not self.source.runs[one[0]].is_dry]
        if runs:
            named = assignment.run.partition("/")[2] if assignment is not None else ""
            chosen = next((one for one in runs if one[0] == named), None)
            return self._post_run(post, *(chosen or max(runs, key=lambda one: self.source.runs[one[0]].begins)))
        begun = begins.get(run_time_of(post.publish_at.timestamp(), self.calendar.lead_time))
        if (now := self._runs_now.get(post.id)) is not None:
            return self.source.run_of(now, post.account, -1)
        if begun is None:
            return None
        run = self.source.run_of(begun, post.account, -1)
        due = run.tasks.get("due")
        return run if due is not None and due.state != "success" else None

    def _post_run(self, post: Post, run_id: str, index: int) -> PostRun:
        run = self.source.run_of(run_id, post.account, index)
        is_dry = run.is_dry or self.calendar.is_dry or post.dry_run
        given = self.source.answers.get((run_id, f"{post.account}.approve", index))
        return replace(run, is_dry=is_dry, answer=answer_on_its_way(given, post))

    def _scheduled_runs(self) -> dict[int, str]:
        runs = (run for run in self.source.runs.values() if not run.by_hand)
        return {int(run.begins.timestamp()): run.run_id for run in runs}

    def _set_cards(self, cards: list[PostCard]) -> None:
        """Store the cards, and number those that changed."""
        made = {card.key: card for card in cards}
        changed = [key for key, card in made.items() if key not in self.cards or self.cards[key][0] != card]
        gone = [key for key in self.cards if key not in made]
        if not (changed or gone):
            return
        revision = self.revisions.next()
        self.cards = {key: (card, revision if key in changed else self.cards[key][1]) for key, card in made.items()}
        content = json.dumps([card.as_data() for card in made.values()])
        self.digest = hashlib.sha256(content.encode()).hexdigest()
        self.removed = {key: at for key, at in self.removed.items() if key not in made} | dict.fromkeys(gone, revision)
