"""A card: what the page shows of a post in a month, a week or a list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.model import InvalidPost, ScheduledPost
from airflow_provider_instagram.calendar.file.slots import split_repetition
from airflow_provider_instagram.plugin.board.states import State, Status, without_folders
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.problems import Problem

LONGEST_LINE: Final = 120


def kind_of(post: ScheduledPost) -> str:
    """Return the kind of a post: reel, feed video, story, picture or carousel."""
    return "feed video" if post.kind is PostKind.REEL and post.appears_in == "feed" else post.kind


@dataclass(frozen=True)
class PostCard:
    """A card. If the file has its id twice, its line tells it from the other post."""

    dag_id: str
    post: ScheduledPost | InvalidPost
    status: Status
    has_cover: bool = False
    is_dry: bool = False
    problems: tuple[Problem, ...] = ()
    is_duplicate: bool = False

    @property
    def key(self) -> str:
        """What tells the card from all others."""
        return f"{self.dag_id}/{self.post.id}{f':{self.post.line}' if self.is_duplicate else ''}"

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to decide about the post, whatever days the page shows."""
        return self.status.state in (State.WAITING, State.UNKNOWN)

    @cached_property
    def version(self) -> str:
        """The version of the post, which names its cover; empty if it has none."""
        return self.post.version if self.has_cover and not isinstance(self.post, InvalidPost) else ""

    @cached_property
    def as_json(self) -> str:
        """The card as JSON, which is made once for all users."""
        return json.dumps(self.as_data(), separators=(",", ":"))

    def as_data(self) -> dict[str, Any]:
        """Return the card as JSON, without what is empty: a page has thousands of cards."""
        post, status = self.post, self.status
        content: dict[str, Any] = {
            "dag": self.dag_id,
            "account": post.account,
            "state": status.state.value,
            "why": cut(status.text),
            "percent": status.percent,
            "until": status.until and int(status.until.timestamp()),
            "cover": self.version,
            "dry": self.is_dry,
            "slot": post.in_slot,
            "line": post.line if self.is_duplicate else None,
            "problems": [problem_as_data(problem) for problem in self.problems],
        }
        if isinstance(post, InvalidPost):
            repetition = split_repetition(post.id)[1]
        else:
            repetition, title = post.repetition, first_line(post.caption)
            content |= {"kind": kind_of(post), "title": title, "caption": post.caption if post.caption != title else ""}
            content |= {"tags": list(post.tags), "asks": post.approval == "required"}
        content["repetition"] = repetition if repetition > 1 else None
        at, local = int(post.publish_at.timestamp()), post.publish_at.strftime("%Y-%m-%dT%H:%M")
        return {"id": post.id, "at": at, "local": local, **{name: value for name, value in content.items() if value}}


def invalid_card(
    dag_id: str, post: InvalidPost, problems: tuple[Problem, ...], *, is_duplicate: bool = False
) -> PostCard:
    """Return the card of a post that has a problem."""
    if is_duplicate:
        problems = tuple(sorted(problems, key=lambda one: one.line != post.line))  # its own first
    nothing = Status(State.PROBLEM, "the calendar's file has a problem")
    status = problem_status(problems[0]) if problems else nothing
    return PostCard(dag_id, post, status, problems=problems, is_duplicate=is_duplicate)


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
