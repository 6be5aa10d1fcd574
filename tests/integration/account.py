"""An account of the sandbox with its ledger in memory, on the sandbox's clock. Waiting advances the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.readiness import still_processing
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Claim, Intent, Owner, PublishedPost, Try
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.posts.limits import checked_post, read_values
from airflow_provider_instagram.posts.post import Post
from airflow_provider_instagram.publishing.containers import ContainerCreator
from airflow_provider_instagram.publishing.publish import Live, Publisher
from airflow_provider_instagram.publishing.sources import MediaSource, open_sources, with_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.publishing.outcome import Sleep
    from airflow_provider_instagram.quota.reservations import Quota
    from instagram_sandbox.testing.handle import SandboxHandle

OWNER = Owner("calendar", "run-1", "publish", -1)
OTHER = Owner("calendar", "run-2", "publish", 4)


class DictStore(dict[str, Any]):
    """Airflow's state store, in memory. It accepts values that JSON can represent."""

    def set(self, key: str, value: Any) -> None:
        assert json.loads(json.dumps(value)) == value
        self[key] = value


class OpenRows(MutableMapping[str, Any]):
    """The contents of the rows of an account, as tasks read and write them."""

    def __init__(self, rows: DictStore, conn_id: str = "instagram_default") -> None:
        self.rows, self.sealed = rows, SealedStore(rows, ledger_asset(conn_id).uri)

    def __getitem__(self, key: str) -> Any:
        self.rows[key]
        return self.sealed.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.sealed.set(key, value)

    def __delitem__(self, key: str) -> None:
        del self.rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    set = __setitem__


class Account:
    """One account, its ledger, and the owners that are at work."""

    def __init__(self, sandbox: SandboxHandle, client: GraphClient) -> None:
        self.sandbox, self.client, self.store = sandbox, client, DictStore()
        self.client.sleep = self.wait
        self.waits: list[float] = []
        self.ledger = Ledger(self.store, "studio", self.now)
        self.alive: set[Owner] = set()

    def creator(self, key: str, post: Post, publish_at: datetime | None = None) -> ContainerCreator:
        return ContainerCreator(self.client, self.ledger, self.sandbox.user_id, key, post, publish_at)

    def publisher(
        self, owner: Owner = OWNER, sleep: Sleep | None = None, quotas: tuple[Quota, ...] = (), **more: Any
    ) -> Publisher:
        attempt = Try(owner, self.alive.__contains__, **more)
        return Publisher(self.client, self.ledger, self.sandbox.user_id, attempt, sleep or self.wait, quotas)

    def publish(
        self,
        post_key: str,
        container_id: str,
        *,
        owner: Owner = OWNER,
        check_time: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> tuple[PublishedPost, bool]:
        """Reconcile and publish, as the operator does.

        :return: The post, and whether this is the first to record it.
        """
        publisher = self.publisher(owner, **options)
        found = publisher.settle(post_key, container_id)
        if not isinstance(found, Live):
            check_time()
            found = publisher.send(found, check_again=check_time)
        return found.post, not found.already_published

    def intent(self, container_id: str, owner: Owner = OWNER, key: str = "post-1") -> Intent:
        """Write the rows that a try leaves if it dies between its intent and its answer."""
        claim = Claim(owner, f"a former try of {owner}")
        self.ledger.record_claim(key, claim)
        return self.ledger.record_intent(key, container_id, claim)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.now(), timezone.utc)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.sandbox.advance(seconds)

    def container(self, video: Path, key: str = "post-1", caption: str = "a teaser") -> str:
        creator = self.creator(key, Post(video=str(video), caption=caption))
        container_id = creator.get_or_create(MediaSource(str(video), video))
        self.sandbox.settle()
        self.sandbox.advance(5)
        return container_id

    def carousel(self, items: Sequence[Any], key: str = "post-1", caption: str = "a teaser") -> str:
        """Create a carousel, and wait until its items and the whole are processed, as the operator does."""
        values = read_values({"carousel": list(items), "caption": caption})
        post = checked_post({**values, "carousel": tuple(map(with_kind, values["carousel"]))})
        creator = self.creator(key, post)
        with open_sources(post.items, "auto") as sources:
            prepared = creator.prepare(sources)
        if isinstance(prepared, str):
            return prepared
        self.processed()
        assert not still_processing(self.client, [*prepared.pictures, *prepared.videos])
        parent = creator.get_or_create_parent(prepared.content, prepared.child_ids)
        self.processed()
        return parent

    def single(self, key: str = "post-1", *, video: Any = None, image: Any = None, **options: Any) -> str:
        """Create a container of one video or picture, and wait until it is processed."""
        post = Post(**read_values({"video": video, "image": image, **options}))
        with open_sources(post.items, "auto") as (source,):
            container_id = self.creator(key, post).get_or_create(source)
        self.processed()
        return container_id

    def processed(self) -> None:
        """Wait until the sandbox has processed what it has."""
        self.sandbox.settle()
        self.sandbox.advance(6)

    def publish_behind_our_back(self, container_id: str) -> str:
        return self.client.send(calls.publish(self.sandbox.user_id, container_id))
