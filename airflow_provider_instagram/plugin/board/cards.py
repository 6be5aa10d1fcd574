"""A card: what the page shows of a post in a month, a week or a list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.slots import split_repetition
from airflow_provider_instagram.plugin.board.states import State, Status, without_folders
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_instagram.calendar.file.model import InvalidPost, ScheduledPost
    from airflow_provider_instagram.calendar.file.problems import Problem

LONGEST_LINE: Final = 120


def kind_of(post: ScheduledPost) -> str:
    """Return the kind of a post: reel, feed video, story, picture or carousel."""
    return "feed video" if post.kind is PostKind.REEL and post.appears_in == "feed" else post.kind


@dataclass(frozen=True)
class PostCard:
    """A card.

    :param version: Its version, which names its cover; empty if it has none.
    :param tags: Words for the reader of the calendar.
    :param is_dry: Whether everything but the publication is done.
    :param repetition: How often it is published up to here: 1, unless it is a repetition of a post.
    :param line: Its line in the file, if the file has its id twice.
    """

    dag_id: str
    post_id: str
    account: str
    publish_at: datetime
    kind: str
    title: str
    status: Status
    caption: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    is_dry: bool = False
    asks_approval: bool = False
    problems: tuple[Problem, ...] = ()
    in_slot: bool = False
    repetition: int = 1
    line: int | None = None

    @property
    def key(self) -> str:
        """What tells the card from all others."""
        return f"{self.dag_id}/{self.post_id}{'' if self.line is None else f':{self.line}'}"

    @cached_property
    def as_json(self) -> str:
        """The card as JSON, which is made once for all users."""
        return json.dumps(self.as_data(), separators=(",", ":"))

    def as_data(self) -> dict[str, Any]:
        """Return the card as JSON, without what is empty: a page has thousands of cards."""
        status = self.status
        given = {
            "dag": self.dag_id,
            "id": self.post_id,
            "account": self.account,
            "at": int(self.publish_at.timestamp()),
            "local": self.publish_at.strftime("%Y-%m-%dT%H:%M"),
            "kind": self.kind,
            "title": self.title,
            "caption": self.caption if self.caption != self.title else "",
            "state": status.state.value,
            "why": cut(status.text),
            "percent": status.percent,
            "until": status.until and int(status.until.timestamp()),
            "cover": self.version,
            "tags": list(self.tags),
            "dry": self.is_dry,
            "asks": self.asks_approval,
            "slot": self.in_slot,
            "repetition": self.repetition if self.repetition > 1 else None,
            "line": self.line,
            "problems": [problem_as_data(problem) for problem in self.problems],
        }
        return {name: value for name, value in given.items() if value or name in ("at", "local", "id")}


def card_of(dag_id: str, post: ScheduledPost, status: Status, *, has_cover: bool, is_dry: bool) -> PostCard:
    """Return the card of a post of the calendar."""
    return PostCard(
        dag_id=dag_id,
        post_id=post.id,
        account=post.account,
        publish_at=post.publish_at,
        kind=kind_of(post),
        title=first_line(post.caption),
        status=status,
        caption=post.caption,
        version=post.version if has_cover else "",
        tags=post.tags,
        is_dry=is_dry,
        asks_approval=post.approval == "required",
        in_slot=post.in_slot,
        repetition=post.repetition,
    )


def invalid_card(
    dag_id: str, post: InvalidPost, problems: tuple[Problem, ...], *, is_duplicate: bool = False
) -> PostCard:
    """Return the card of a post that has a problem. The line tells it from another post with its id."""
    if is_duplicate:
        problems = tuple(sorted(problems, key=lambda one: one.line != post.line))  # its own first
    nothing = Status(State.PROBLEM, "the calendar's file has a problem")
    status = problem_status(problems[0]) if problems else nothing
    return PostCard(
        dag_id, post.id, post.account, post.publish_at, "", "", status, problems=problems, in_slot=post.in_slot,
        repetition=split_repetition(post.id)[1], line=post.line if is_duplicate else None,
    )  # fmt: skip


def first_line(caption: str) -> str:
    """Return the first line of a caption that has a visible character."""
    line = next((line.strip() for line in caption.splitlines() if line.strip()), "")
    return cut(line)


def cut(text: str) -> str:
    """Return a text as it is if it is short, or else its beginning."""
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


def problem_status(problem: Problem) -> Status:
    """Return the state of a post that has a problem."""
    return Status(State.PROBLEM, without_folders(problem.message), problem.remedy)


def problem_as_data(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON."""
    message = without_folders(problem.message)
    return {"line": problem.line, "message": message, "remedy": problem.remedy, "post": problem.post_id}
