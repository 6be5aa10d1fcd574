"""How people have responded to a post: votes of its poll, comments on its prompt, and answers to its invitations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    RateLimitError,
)
from airflow_provider_instagram.graph.calls import Call
from airflow_provider_instagram.graph.fields import read_number, read_rows, read_text

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

log = logging.getLogger(__name__)
OPTIONS: Final = ("option_a", "option_b", "option_c", "option_d")
STATUSES: Final = ("accepted", "declined", "pending")
#: The most comments on a prompt that are counted: one page of them.
MOST_COMMENTS: Final = 50
#: What can be read of a post, by the parameter of its container. Source: Meta, Caption Add-ons,
#: 2026-09-28; IG Media Collaborators, 2025-08-18. All of it with Facebook Login only.
EDGES: Final = {
    "poll_attachment": "poll_attachment",
    "is_comment_prompt_used": "prompt_response",
    "collaborators": "collaborators",
}
#: The numbers of all of them, and whether they are whole.
NUMBERS: Final = {
    **dict.fromkeys((f"poll_{option}_share" for option in OPTIONS), False),
    "prompt_responses": True,
    **dict.fromkeys((f"collaborators_{status}" for status in STATUSES), True),
}


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses to a post.

    :param numbers: The numbers, by names of :data:`NUMBERS`. A share is between 0 and 1.
    :param words: The same for people: what each answer of a poll got, and what each invited account
        answered.
    """

    numbers: Mapping[str, int | float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)


def edges_of(parameters: Mapping[str, object]) -> list[str]:
    """Return what can be read of a post with these parameters of Meta."""
    return [edge for parameter, edge in EDGES.items() if parameters.get(parameter)]


def read_responses(client: GraphClient, media_id: str, edges: Iterable[str]) -> Responses:
    """Read the responses to a post. What is refused is left out."""
    numbers, words = dict[str, int | float](), dict[str, str]()
    more = {"prompt_response": {"limit": str(MOST_COMMENTS)}}
    for edge, read in _READERS.items():
        if edge not in edges:
            continue
        action, path = f"read {edge} of media {media_id}", f"{media_id}/{edge}"
        try:
            found = client.send(Call(action, "GET", path, more.get(edge, {}), read, safe=True))
        except (AuthenticationError, RateLimitError):
            raise
        except InstagramError as error:
            log.warning("%s It is left out.", error)
            continue
        numbers |= found.numbers
        words |= found.words
    return Responses(numbers, words)


def _read_poll(data: Mapping[str, Any]) -> Responses:
    numbers, words = dict[str, int | float](), dict[str, str]()
    for option in OPTIONS:
        text, share = (
            read_text(data.get(option)),
            read_number(data.get(f"{option}_votes_percentage")),
        )
        if text and share is not None:
            numbers[f"poll_{option}_share"] = share
            words[f"Poll: {text}"] = f"{share:.0%}"
    return Responses(numbers, words)


def _read_prompt(data: Mapping[str, Any]) -> Responses:
    # Meta answers null if there is no prompt
    count = len(read_rows(data, "comments")) if data else 0
    return Responses({"prompt_responses": count}, {"Responses to the question": str(count)})


def _read_collaborators(data: Mapping[str, Any]) -> Responses:
    invited = read_rows(data, "collaborators")
    answers = {
        read_text(row.get("username")) or "": (read_text(row.get("invite_status")) or "").lower()
        for row in invited
    }
    count = Counter(answers.values())
    numbers = {f"collaborators_{status}": count[status] for status in STATUSES}
    return Responses(
        numbers, {f"Collaborator {name}": answer for name, answer in answers.items() if name}
    )


_READERS: Final = {
    "poll_attachment": _read_poll,
    "prompt_response": _read_prompt,
    "collaborators": _read_collaborators,
}
