"""What the use cases need of an account, and what they return if they have not done their work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Account as ReadAccount


class Account(Protocol):
    """An account, as the connection names it: :class:`~airflow_provider_instagram.hooks.instagram.InstagramHook`."""

    @property
    def most_posts(self) -> tuple[int, int]:
        """How many posts the connection allows an hour and a day."""

    def get_conn(self) -> GraphClient:
        """Return an open client."""

    def ig_user_id(self, client: GraphClient) -> str:
        """Return the account's Instagram user id."""

    def read_account(self, client: GraphClient) -> ReadAccount:
        """Read the account of the token."""

    def another_user_id(self, ig_user_id: str | None) -> str | None:
        """Return the id of the account now, if it is known to be another one."""


class Skipped(NamedTuple):
    """Why the work is not to be done: in a few words, for the label of the task in the grid, and in a sentence."""

    mark: str
    reason: str


@dataclass(frozen=True)
class WaitUntil:
    """The work goes on at a moment, or at its timeout if no triggerer has noticed the moment."""

    moment: datetime
    timeout_at: datetime


@dataclass(frozen=True)
class WaitForContainers:
    """The work goes on when Instagram has processed a container, or those of the items of a carousel.

    :param age: How long ago the wait began.
    :param known: The ``content`` and the ``child_ids`` of a carousel whose parent is created then.
    """

    container_ids: str | list[str]
    age: timedelta
    known: dict[str, Any] | None = None
