"""A calendar as it was at one look: its cards, which the page shows, and what is known about each post."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.columns import (
    Calendar,
    Draft,
    InvalidPost,
    ScheduledPost,
)
from airflow_provider_instagram.calendar.file.parser import Rules
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.reader import is_edited_elsewhere
from airflow_provider_instagram.calendar.planning.begin_runs import Plan, next_moment
from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.planning.settings import planner_id
from airflow_provider_instagram.calendar.planning.stored_plan import About, StoredPlan
from airflow_provider_instagram.calendar.stored_dags import CalendarDag, PlanReader
from airflow_provider_instagram.calendar.tasks.answers import PostRecords
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.plugin.board.queries import CalendarSource
from airflow_provider_instagram.plugin.board.questions import is_of_run
from airflow_provider_instagram.plugin.board.states import (
    Facts,
    PostRun,
    State,
    Status,
    status_of,
    without_folders,
)
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import is_web, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.bodies import Json

log = logging.getLogger(__name__)
#: The state of a post of which Airflow has an XCom in a form that no task of this version has
#: written.
DAMAGED: Final = Status(
    State.UNKNOWN,
    "An XCom of this post in Airflow is malformed.",
    "The log of the API server says more.",
)
#: What a run without a time comes before.
LONG_AGO: Final = datetime.min.replace(tzinfo=timezone.utc)
#: The plan of a calendar whose plan is not on this machine.
NO_PLAN: Final = StoredPlan(
    location="",
    at=LONG_AGO,
    plan=Plan(Calendar("")),
    about=About(lead_time=timedelta(0), max_lateness=timedelta(0), prepare_ahead=timedelta(0)),
)
#: The most problems of a calendar that are sent.
MOST_PROBLEMS: Final = 200
LONGEST_LINE: Final = 120
#: Beyond this, the planner does not begin a run late, but not at all. All slots may be busy for a
#: while.
OVERDUE_AFTER: Final = timedelta(minutes=15)


def kind_of(post: ScheduledPost) -> str:
    """Return the kind of a post: reel, feed video, story, picture or carousel."""
    return "feed video" if post.kind is PostKind.REEL and post.appears_in == "feed" else post.kind


@dataclass(frozen=True)
class PostCard:
    """A card. If the file has its id twice, its line tells it from the other post."""

    dag_id: str
    post: ScheduledPost | InvalidPost | Draft
    status: Status
    has_cover: bool = False
    is_dry: bool = False
    problems: tuple[Problem, ...] = ()
    is_duplicate: bool = False

    @property
    def key(self) -> str:
        """What tells the card from all others."""
        return f"{self.dag_id}/{self.post.id}{f':{self.post.line}' if self.is_duplicate else ''}"

    @cached_property
    def version(self) -> str:
        """The version of the post, which names its cover; empty if it has none."""
        return self.post.version if self.has_cover and isinstance(self.post, ScheduledPost) else ""

    @cached_property
    def texts(self) -> str:
        """The texts in which the page searches, in small letters."""
        post = self.post
        more = () if isinstance(post, InvalidPost) else (post.caption, *post.tags)
        return "\n".join((post.id, post.account, *more)).lower()

    @cached_property
    def as_json(self) -> str:
        """The card as JSON, which is made once for all users."""
        return json.dumps(self.as_data(), separators=(",", ":"))

    def as_data(self) -> Json:
        """Return the card as JSON, without what is empty: a page has thousands of cards."""
        post = self.post
        status = self.status
        content: Json = {
            "dag": self.dag_id,
            "account": post.account,
            "state": status.state.value,
            "why": cut(status.text),
            "login": status.needs_login,
            "late": status.is_late,
            "until": seconds_of(status.until),
            "cover": self.version,
            "dry": self.is_dry,
            "line": post.line if self.is_duplicate else None,
            "problems": [problem_as_data(problem) for problem in self.problems],
        }
        if not isinstance(post, InvalidPost):
            title = first_line(post.caption)
            if isinstance(post, Draft):
                title = title or first_line(post.note)
            content |= {"title": title, "caption": post.caption if post.caption != title else ""}
            content |= {"tags": list(post.tags), "note": post.note}
        if isinstance(post, ScheduledPost):
            content |= {"kind": kind_of(post), "asks": post.approval == "required"}
        local = "" if post.publish_at is None else post.publish_at.strftime("%Y-%m-%dT%H:%M")
        filled = {name: value for name, value in content.items() if value}
        return {"id": post.id, "at": seconds_of(post.publish_at) or 0, "local": local, **filled}


def invalid_card(
    dag_id: str, post: InvalidPost, problems: tuple[Problem, ...], *, is_duplicate: bool = False
) -> PostCard:
    """Return the card of a post that has a problem."""
    if is_duplicate:
        problems = tuple(sorted(problems, key=lambda one: one.line != post.line))  # its own first
    nothing = Status(State.PROBLEM, "the calendar's file has a problem")
    status = problem_status(problems[0]) if problems else nothing
    return PostCard(dag_id, post, status, problems=problems, is_duplicate=is_duplicate)


def draft_card(dag_id: str, draft: Draft) -> PostCard:
    """Return the card of a draft."""
    status = Status(State.DRAFT, draft.lacks, "It is published once it has a time and a file.")
    return PostCard(dag_id, draft, status)


def first_line(caption: str) -> str:
    """Return the first line of a caption that has a visible character."""
    line = next((line.strip() for line in caption.splitlines() if line.strip()), "")
    return cut(line)


def seconds_of(at: datetime | None) -> int | None:
    """Return a time in seconds since the epoch."""
    return None if at is None else int(at.timestamp())


def cut(text: str) -> str:
    """Return a text as it is if it is short, or else its beginning."""
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


def problem_status(problem: Problem) -> Status:
    """Return the state of a post that has a problem."""
    return Status(State.PROBLEM, without_folders(problem.message), problem.remedy)


def problem_as_data(problem: Problem) -> Json:
    """Return a problem as JSON."""
    return {
        "line": problem.line,
        "message": without_folders(problem.message),
        "remedy": problem.remedy,
        "post": problem.post_id,
    }


@dataclass(frozen=True)
class Board:
    """A calendar as it was at one look.

    :param stored: Its plan; :data:`NO_PLAN` if that is not on this machine.
    :param seen_s: When the look ended, in seconds since the epoch.
    """

    calendar: CalendarDag
    source: CalendarSource
    stored: StoredPlan
    cards: dict[str, PostCard]
    facts: dict[str, Facts]
    problems: tuple[Problem, ...]
    seen_s: float

    @property
    def dag_id(self) -> str:
        """The calendar's DAG."""
        return self.calendar.dag_id

    @property
    def location(self) -> str:
        """Where the calendar's file is; empty if that is not known here."""
        return self.stored.location

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that the calendar may name."""
        return self.stored.about.accounts

    def asks_about(self, post: ScheduledPost) -> bool:
        """Return whether a person has to approve a post."""
        return "required" in (post.approval, self.stored.about.approval)

    def own_run(self, post_id: str) -> PostRun | None:
        """Return the run that the planner has started for the present version of a post, if it has."""
        return _own_run(self.source, self.stored, post_id, utc_now())

    @property
    def is_read(self) -> bool:
        """Whether the calendar's file could be read at least once."""
        return bool(self.stored.text)

    @property
    def rules(self) -> Rules:
        """What the DAG requires of its calendar, to check a text of it."""
        about = self.stored.about
        return Rules(
            min_spacing=about.min_spacing, accounts=about.accounts, approval=about.approval
        )

    @property
    def is_edited_elsewhere(self) -> bool:
        """Whether the calendar is a sheet, or a file of CSV or JSON."""
        return is_edited_elsewhere(self.location)

    @cached_property
    def head(self) -> Json:
        """What the page shows of the calendar itself."""
        times = [seconds_of(card.post.publish_at) for card in self.cards.values()]
        known = [at for at in times if at is not None]
        return {
            "dag": self.dag_id,
            "name": self.calendar.name,
            "paused": self.calendar.is_paused,
            "lost": self._lost,
            "file": "the sheet" if is_web(self.location) else self.location.rpartition("/")[2],
            "read": self.is_read,
            "dry": self.stored.about.is_dry,
            "problems": [problem_as_data(problem) for problem in self.problems[:MOST_PROBLEMS]],
            "more_problems": max(0, len(self.problems) - MOST_PROBLEMS),
            "first": min(known, default=None),
            "last": max(known, default=None),
        }

    @property
    def _lost(self) -> Json | None:
        """What the page says of a DAG that Airflow cannot read any more; None while it can."""
        calendar = self.calendar
        if not calendar.is_lost:
            return None
        return {
            "file": calendar.dag_file or "its DAG file",
            "error": bool(calendar.has_error),
            "slow": calendar.is_slow,
            "since": seconds_of(calendar.read_at),
            "plan": seconds_of(self.stored.at if self.is_read else None),
        }


class BoardReader:
    """Looks at a calendar. What has not changed since the last look is not read again."""

    def __init__(self, dag_id: str) -> None:
        self._source = CalendarSource(dag_id)
        self._plan = PlanReader()
        self._cards: dict[str, PostCard] = {}

    def look(self, calendar: CalendarDag, is_still: bool = False) -> Board:
        """Return a calendar as it is now.

        :param is_still: Whether Airflow stands still.
        """
        now = utc_now()
        source = self._source
        stored = self._plan.read(calendar) or NO_PLAN
        content = stored.plan.timely
        own = {begun.run for begun in stored.plan.begun.values()}
        source.read(content.accounts, {post.id for post in content.posts}, own)
        problems = (*content.problems, *source.problems, *_overdue(calendar, stored, now))
        draft = _BoardDraft(calendar, source, stored, content, now, is_still)
        cards, facts = draft.cards_and_facts()
        former = self._cards
        self._cards = {}
        for card in cards:
            # A card that has not changed stays the same object, which is written as JSON once.
            is_same = former.get(card.key) == card
            self._cards[card.key] = former[card.key] if is_same else card
        return Board(calendar, source, stored, self._cards, facts, problems, utc_now().timestamp())


def _overdue(calendar: CalendarDag, stored: StoredPlan, now: datetime) -> Iterator[Problem]:
    """Yield a problem if the planner has begun no run for a post that has come near, whatever keeps it from looking."""
    moment = next_moment(stored.plan, stored.about.prepare_ahead)
    if moment is not None and now - moment > OVERDUE_AFTER and not calendar.is_lost:
        message = "the planner does not look at the file: a post has come near, and no run has begun for it."
        yield Problem(0, message, f"See the latest runs of the DAG {planner_id(calendar.dag_id)}.")


@dataclass
class _BoardDraft:
    """One look at the posts of a calendar: what becomes their cards."""

    calendar: CalendarDag
    source: CalendarSource
    stored: StoredPlan
    content: Calendar
    now: datetime
    is_still: bool

    def cards_and_facts(self) -> tuple[list[PostCard], dict[str, Facts]]:
        """Return the cards of all posts, and what is known about those that can be understood."""
        cards = []
        all_facts = {}
        for post in self.content.posts:
            try:
                facts = self._facts(post)
                status = status_of(facts, self.now, self.stored.about, self._obstacle)
                card = self._card(post, facts, status)
            except Exception:  # a user has edited an XCom
                log.exception("The records of %s cannot be understood", post.key)
                card = PostCard(
                    self.calendar.dag_id, post, DAMAGED, is_dry=self.stored.about.is_dry
                )
            else:
                all_facts[post.id] = facts
            cards.append(card)
        drafts = [draft_card(self.calendar.dag_id, draft) for draft in self.content.drafts]
        return cards + self._invalid_cards() + drafts, all_facts

    @cached_property
    def _obstacle(self) -> str:
        """What keeps all posts from going on; empty if nothing does."""
        if self.calendar.is_paused:
            return "its calendar is paused"
        if self.calendar.is_lost:
            return "Airflow cannot read its DAG file"
        return "Airflow stands still" if self.is_still else ""

    @cached_property
    def _missing(self) -> dict[str | None, list[Problem]]:
        """The problems of posts whose files are missing, which no task has looked for yet."""
        return _by_post(self.source.problems)

    def _invalid_cards(self) -> list[PostCard]:
        by_post = _by_post(self.content.problems)
        listed = {post.id for post in self.content.posts}
        untimely = (
            InvalidPost(post.id, post.publish_at, post.account, post.line)
            for post in self.stored.plan.calendar.posts
        )
        invalid = [one for one in (*self.content.invalid, *untimely) if one.id not in listed]
        times = Counter(post.id for post in invalid)
        cards = []
        for post in invalid:
            problems = tuple(by_post[post.id])
            is_duplicate = times[post.id] > 1
            cards.append(
                invalid_card(self.calendar.dag_id, post, problems, is_duplicate=is_duplicate)
            )
        return cards

    def _card(self, post: ScheduledPost, facts: Facts, status: Status) -> PostCard:
        preview = self.source.previews.get(post.version)
        has_cover = facts.task("prepare").state == "success"
        has_cover = has_cover or (preview is not None and preview.is_there)
        if preview is not None and status.state is State.PLANNED and not status.text:
            status = replace(status, text=without_folders(preview.says))
        card = PostCard(self.calendar.dag_id, post, status, has_cover, self.stored.about.is_dry)
        problems = tuple(self._missing[post.id])
        if status.state is not State.PLANNED or not problems:
            return card
        return replace(card, status=problem_status(problems[0]), problems=problems)

    def _facts(self, post: ScheduledPost) -> Facts:
        rows = self.source.rows[post.account]
        ledger = Ledger(rows, post.account)
        try:
            done = ledger.post(post.key)
            intents = ledger.open_intents(post.key)
            skipped_by = PostRows(rows).skipped_by(post)
            approval = PostRecords(rows, post.key).approval()
        except LedgerRowError as error:
            return Facts(post, bad_row=error, run=self._run(post))
        senders = {one.claim.owner.run_id for one in intents} if done is None else {done.run_id}
        asked_by = approval.question.run_id if approval is not None else None
        run = self._run(post, senders, asked_by)
        is_to_come = done is None and not intents
        is_undone = is_to_come and (run is None or not run.is_active)
        has_lost_run = is_undone and self._has_lost_run(post)
        is_asked_again = is_approved = has_gone_on = False
        if run is not None:
            if approval is not None and is_of_run(approval, post, run):
                is_asked_again = approval.number > 1
                is_approved = approval.is_yes
            has_gone_on = not run.is_dry and run.task("approve").state == "success"
        is_asked = "required" in (post.approval, self.stored.about.approval)
        other = None
        if done is not None:
            other = done.other_publisher(self.calendar.dag_id, shown(self.stored.location))
        return Facts(
            post=post,
            done=None if other else done,
            published_by=other,
            is_open=done is None and bool(intents),
            skipped_by=skipped_by,
            # what a user has started, and has ended, tells nothing of that
            run=None if has_lost_run else run,
            has_lost_run=has_lost_run,
            has_passed=post.id in self.stored.plan.passed,
            is_asked_again=is_asked_again,
            is_approved=is_approved,
            lacks_approval=is_to_come and is_asked and has_gone_on and not is_approved,
        )

    def _run(
        self,
        post: ScheduledPost,
        senders: Collection[str | None] = (),
        asked_by: str | None = None,
    ) -> PostRun | None:
        """Return the run whose tasks tell the state of a post.

        That is the one that has published it or sent the request, or else the one whose question
        counts, one that has not ended, or the last one.

        :param senders: The ids of the former, by the ledger.
        :param asked_by: The run that has asked a person last, by the ledger.
        """

        def order(run: PostRun) -> tuple[bool, bool, bool, datetime]:
            asks = run.run_id == asked_by and run.task("approve").state == "awaiting_input"
            return run.run_id in senders, asks, run.is_active, run.queued_at or LONG_AGO

        runs = self.source.runs.get(post.id, ())
        that_count = [run for run in runs if run.run_id in senders or self._counts(post, run)]
        run = max(that_count, key=order, default=None)
        if run is not None and self.stored.about.is_dry:
            return replace(run, is_dry=True)
        return run

    def _counts(self, post: ScheduledPost, run: PostRun) -> bool:
        """Return whether a run is about this version of a post: the one that the planner has started for it.

        Of the runs that users start, a dry run tells nothing about a post that is published, and
        one that has not begun tells nothing at all.
        """
        if run.is_dated_ahead(self.now):
            return False
        if run.by_hand:
            tells = (run.has_begun or run.at_once) and not run.is_outdated
            return tells and (self.stored.about.is_dry or not run.is_dry)
        begun = self.stored.plan.begun.get(post.id)
        if begun is None or begun.run != run.run_id:
            return False
        return (
            run.run_id not in self.stored.plan.pending
            or (run.queued_at or LONG_AGO) >= self.stored.at
        )

    def _has_lost_run(self, post: ScheduledPost) -> bool:
        """Return whether a user has deleted the run that the planner has begun for a post."""
        begun = self.stored.plan.begun.get(post.id)
        if begun is None or begun.run in self.stored.plan.pending:
            return False
        return _own_run(self.source, self.stored, post.id, self.now) is None


def _own_run(
    source: CalendarSource, stored: StoredPlan, post_id: str, now: datetime
) -> PostRun | None:
    begun = stored.plan.begun.get(post_id)
    for run in source.runs.get(post_id, ()):
        if begun is not None and run.run_id == begun.run and not run.is_dated_ahead(now):
            return run
    return None


def _by_post(problems: tuple[Problem, ...]) -> defaultdict[str | None, list[Problem]]:
    by_post: defaultdict[str | None, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_post[problem.post_id].append(problem)
    return by_post
