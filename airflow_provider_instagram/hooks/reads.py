"""What the hook reads of an account: its posts, their comments and metrics, and the account itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.accounts import Account
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.insight_reader import Reading
    from airflow_provider_instagram.graph.models import Comment, Media

T = TypeVar("T")


class ReadingHook(BaseHook):
    """Reads an account. Each method opens a client of its own and sends calls of ``graph.calls``.

    A list is read page by page, as its items are used: a loop that ends early reads no further
    pages.
    """

    @abstractmethod
    def get_conn(self) -> GraphClient:
        """Return an open client."""

    @abstractmethod
    def ig_user_id(self, client: GraphClient) -> str:
        """Return the account's Instagram user id."""

    @abstractmethod
    def read_account(self, client: GraphClient) -> Account:
        """Read the account of the token."""

    def get_account(self) -> Account:
        """Read the account of the connection's token: its Instagram user id, its name and, if known, its type."""
        with self.get_conn() as client:
            return self.read_account(client)

    def list_media(self, *, limit: int | None = None) -> Iterator[Media]:
        """Read the account's posts, the newest first. Stories are not among them.

        :param limit: The most posts to read. None reads all.
        """
        from airflow_provider_instagram.graph.listing import newest_media

        return self._items(lambda client: newest_media(client, self.ig_user_id(client)), limit)

    def get_media(self, media_id: Any) -> Media:
        """Read a post.

        :param media_id: Its media id, or what PublishOperator returns.
        """
        from airflow_provider_instagram.graph import calls

        with self.get_conn() as client:
            return client.send(calls.media(arguments.media_id("media_id", media_id)))

    def get_comments(self, media_id: Any, *, limit: int | None = None) -> Iterator[Comment]:
        """Read the comments on a post, the newest first, without the replies to them.

        :param media_id: The post's media id, or what PublishOperator returns.
        :param limit: The most comments to read. None reads all.
        """
        from airflow_provider_instagram.graph.listing import comments

        post = arguments.media_id("media_id", media_id)
        return self._items(lambda client: comments(client, post), limit)

    def get_insights(self, media_id: Any, metrics: Sequence[str] | None = None) -> Reading:
        """Read the metrics of a post. One without a value yet is None, never 0, and ``reason_of`` says why.

        A metric that Instagram refuses is left out of the call and None, too: the others are read
        all the same.

        :param media_id: The post's media id, or what PublishOperator returns.
        :param metrics: The names of the metrics. None reads all that its kind of post has.
        """
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.insight_reader import InsightReader
        from airflow_provider_instagram.graph.models import MEDIA_METRICS

        post = arguments.media_id("media_id", media_id)
        with self.get_conn() as client:
            kind = client.send(calls.media(post)).kind
            return InsightReader(client).of_media(post, kind, metrics or MEDIA_METRICS[kind])

    def _items(self, read: Callable[[GraphClient], Iterator[T]], limit: int | None) -> Iterator[T]:
        """Return the first items of a list, whose pages are read as they are needed."""
        if limit is not None and limit < 1:
            raise ValidationError(
                f"limit is {limit}.", hint="Use a number of at least 1, or None to read all."
            )

        def items() -> Iterator[T]:
            with self.get_conn() as client:
                yield from islice(read(client), limit)

        return items()
