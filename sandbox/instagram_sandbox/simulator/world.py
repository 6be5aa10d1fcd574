"""The rules of the sandbox: how accounts, tokens, containers and posts change, in Meta's terms."""

from __future__ import annotations

import random
import secrets
import string
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.state import (
    NO_TRIAL,
    NOT_FETCHED,
    UNSUPPORTED,
    Account,
    Container,
    LoginCode,
    MediaFacts,
    PlannedProcessing,
    Post,
    Processing,
    Switches,
    Token,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instagram_sandbox.simulator.clock import Clock
    from instagram_sandbox.simulator.parameters import NewMedia
    from instagram_sandbox.simulator.state import Scope, TokenKind
    from instagram_sandbox.simulator.store import Store

DAY_S = 86_400
HOUR_S = 3_600
LONG_LIFE_S = 60 * DAY_S
SHORT_LIFE_S = HOUR_S
CONTAINER_LIFE_S = DAY_S


class World:
    """The state of a simulated Instagram.

    Every change goes through a method of this class, which writes it to the store. All times come from one clock.
    """

    def __init__(self, clock: Clock, switches: Switches, store: Store) -> None:
        self.clock = clock
        self.switches = switches
        self.store = store
        self.accounts = store.load("account", Account)
        self.tokens = store.load("token", Token)
        self.codes = store.load("code", LoginCode)
        self.containers = store.load("container", Container)
        self.posts = store.load("post", Post)
        self.planned = store.load("plan", PlannedProcessing).get("", PlannedProcessing()).next
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    # Accounts and tokens

    def add_account(self, account: Account, token: str | None = None) -> Token:
        """Add an account, with a new long-lived token."""
        if not account.app_scoped_id:
            account.app_scoped_id = "26" + account.user_id[-15:]
        self.change_account(account)
        return self.add_token(account.user_id, token=token)

    def change_account(self, account: Account) -> None:
        """Store a change of an account."""
        self.accounts[account.user_id] = account
        self.store.put("account", account.user_id, account)

    def add_token(
        self,
        user_id: str,
        *,
        token: str | None = None,
        long_lived: bool = True,
        scopes: list[Scope] | None = None,
        kind: TokenKind = "instagram",
    ) -> Token:
        """Issue a token for an account."""
        now = self.clock.now()
        alphabet = string.ascii_letters + string.digits
        prefix = "IGAA" if kind == "instagram" else "EAA"
        record = Token(
            token=token if token is not None else prefix + "".join(secrets.choice(alphabet) for _ in range(60)),
            kind=kind,
            user_id=user_id,
            issued_at=now,
            expires_at=now + (LONG_LIFE_S if long_lived else SHORT_LIFE_S),
            long_lived=long_lived,
        )
        if scopes is not None:
            record.scopes = scopes
        self.tokens[record.token] = record
        self.store.put("token", record.token, record)
        return record

    def change_token(self, record: Token) -> None:
        """Store a change of a token."""
        self.store.put("token", record.token, record)

    def authenticate(self, token: str | None) -> Token:
        """Return the valid token with this text.

        :raises GraphError: 190: the token is malformed, unknown, for the other login, revoked (with its subcode), or
            expired (subcode 0).
        """
        if not token:
            raise GraphError(190, None, "An access token is required to request this resource.")
        record = self.tokens.get(token)
        if record is None or (record.kind == "instagram") != (self.switches.login == "instagram"):
            raise GraphError(190)
        if record.revoked is not None:
            raise GraphError(190, record.revoked or None)
        if record.kind != "page" and self.clock.now() >= record.expires_at:
            raise GraphError(190, 0)
        return record

    def count_call(self, user_id: str, weight: int = 1) -> None:
        """Count calls of an account against its rolling limit.

        :raises GraphError: 80002: the limit is reached. Refused calls count as well.
        """
        calls = self._calls[user_id]
        now = self.clock.now()
        while calls and calls[0] <= now - DAY_S:
            calls.popleft()
        calls.extend([now] * weight)
        if len(calls) > self.switches.calls_per_24_h:
            raise GraphError(80002)

    def count_former_call(self, user_id: str, at: float, weight: int) -> None:
        """Count a call that the previous process received."""
        self._calls[user_id].extend([at] * weight)

    def usage(self, user_id: str) -> tuple[int, int]:
        """Return an account's use of its calls in percent, and the minutes until it may call again (0: now)."""
        calls, limit = self._calls[user_id], self.switches.calls_per_24_h
        percent = 100 * len(calls) // limit
        if len(calls) <= limit:
            return percent, 0
        if self.switches.regain_minutes is not None:
            return percent, self.switches.regain_minutes
        free_at = calls[len(calls) - limit] + DAY_S
        return percent, max(1, int((free_at - self.clock.now()) // 60) + 1)

    # Containers

    def create(self, user_id: str, media: NewMedia) -> Container:
        """Open a container.

        :raises GraphError: The account is restricted, or opened too many within 24 hours.
        """
        now = self.clock.now()
        account = self.accounts[user_id]
        if account.restricted:
            raise GraphError(25, 2207050)
        recent = [c for c in self.containers.values() if c.user_id == user_id and c.created_at > now - DAY_S]
        if len(recent) >= self.switches.containers_per_24_h:
            raise GraphError(4, None, "(#4) Too many media containers were created within 24 hours")
        self._check_children(user_id, media)
        container = Container(
            id=self._new_id("179"),
            user_id=user_id,
            created_at=now,
            media_type=media.media_type,
            caption=media.caption,
            video_url=media.video_url,
            image_url=media.image_url,
            cover_url=media.cover_url,
            thumb_offset_ms=media.thumb_offset_ms,
            share_to_feed=media.share_to_feed,
            is_carousel_item=media.is_carousel_item,
            children=list(media.children),
            resumable=media.resumable,
            processing=self._next_processing(),
        )
        if media.trial and not account.trial_reels:
            container.facts = MediaFacts(subcode=NO_TRIAL, reason="the account is not eligible for trial reels")
        self.containers[container.id] = container
        self.keep(container)
        return container

    def plan(self, processing: list[Processing]) -> None:
        """Set how the next containers are processed, instead of by the switch."""
        self.planned.extend(processing)
        self.store.put("plan", "", PlannedProcessing(next=self.planned))

    def _next_processing(self) -> Processing:
        if not self.planned:
            return self.switches.processing
        chosen = self.planned.pop(0)
        self.store.put("plan", "", PlannedProcessing(next=self.planned))
        return chosen

    def _check_children(self, user_id: str, media: NewMedia) -> None:
        for child_id in media.children:
            child = self.containers.get(child_id)
            if child is None or child.user_id != user_id or not child.is_carousel_item:
                raise GraphError(100, 2207028)
            if self.status_code(child) == "EXPIRED":
                raise GraphError(100, 2207028)

    def keep(self, container: Container) -> None:
        """Store a change of a container."""
        self.store.put("container", container.id, container)

    def container(self, container_id: str, user_id: str) -> Container | None:
        """Return an account's own container."""
        found = self.containers.get(container_id)
        return found if found is not None and found.user_id == user_id else None

    def status_code(self, container: Container) -> str:
        """Return a container's status code. An empty text is Meta's own answer to a failed download."""
        now = self.clock.now()
        if container.visible_at is not None and now >= container.visible_at:
            return "PUBLISHED"
        if now >= container.created_at + CONTAINER_LIFE_S and not container.post_ids:
            return "EXPIRED"
        if not self._is_processed(container) or container.processing.outcome == "phase_error":
            return "IN_PROGRESS"
        if container.processing.outcome == "download_failed":
            return ""
        return "FINISHED" if self.failure(container) is None else "ERROR"

    def shown_failure(self, container: Container) -> MediaFacts | None:
        """Return the failure of a container, or None until its processing is over."""
        return self.failure(container) if self._is_processed(container) else None

    def failure(self, container: Container) -> MediaFacts | None:
        """Return why a container (or a carousel's child) will fail, or None if it will not."""
        plan = container.processing
        if plan.outcome == "finished":
            return None
        if plan.outcome == "download_failed":
            return MediaFacts(subcode=NOT_FETCHED, reason="planned by a test", phase="uploading")
        if plan.outcome != "inspected":
            return MediaFacts(subcode=plan.subcode or UNSUPPORTED, reason="planned by a test", phase=plan.phase)
        for child_id in container.children:
            failure = self.failure(self.containers[child_id])
            if failure is not None:
                return MediaFacts(subcode=failure.subcode, reason=f"child {child_id}: {failure.reason}")
        return container.facts if container.facts and container.facts.subcode else None

    def finished_at(self, container: Container) -> float:
        """Return when the processing ends, or infinity while that is unknown."""
        plan = container.processing
        needs_no_source = plan.outcome == "download_failed" or plan.phase == "uploading"
        if plan.never or (container.source_at is None and not needs_no_source):
            return float("inf")
        if plan.after_polls is not None:
            return 0.0 if container.polls >= plan.after_polls else float("inf")
        after_s = plan.after_s if plan.after_s is not None else self.switches.processing.after_s or 0.0
        return (container.source_at or container.created_at) + after_s

    def _is_processed(self, container: Container) -> bool:
        if container.children and not all(self._is_processed(self.containers[c]) for c in container.children):
            return False
        if container.facts is None and container.processing.outcome == "inspected":
            return False
        return self.clock.now() >= self.finished_at(container)

    # Posts

    def publish(self, user_id: str, container_id: str) -> Post:
        """Publish a container.

        :raises GraphError: The container cannot be published, or the account's quota is used up.
        """
        account = self.accounts[user_id]
        if account.restricted:
            raise GraphError(25, 2207050)
        container = self.container(container_id, user_id)
        if container is None:
            raise GraphError(24, 2207006)
        now = self.clock.now()
        if container.post_ids:
            if self.switches.republish == "error":
                raise GraphError(24, 2207008)
            if self.switches.republish == "same_id":
                return self.posts[container.post_ids[0]]
        status = self.status_code(container)
        if status == "EXPIRED":
            raise GraphError(24, 2207008)
        if status not in {"FINISHED", "PUBLISHED"} or container.is_carousel_item:
            raise GraphError(9007, 2207027)
        if now < self.finished_at(container) + self.switches.not_ready_after_finished_s:
            raise GraphError(9007, 2207027)
        if self.quota_usage(user_id) >= self.switches.quota_total:
            raise GraphError(9, 2207042)
        return self._post(container)

    def _post(self, container: Container) -> Post:
        now = self.clock.now()
        facts = container.facts or MediaFacts()
        post = Post(
            id=self._new_id("180"),
            user_id=container.user_id,
            container_id=container.id,
            caption=container.caption,
            shortcode=_shortcode(),
            published_at=now,
            visible_at=now + self.switches.visible_after_s,
            media_type={"CAROUSEL": "CAROUSEL_ALBUM", "IMAGE": "IMAGE"}.get(container.media_type, "VIDEO"),
            media_product_type={"REELS": "REELS", "STORIES": "STORY"}.get(container.media_type, "FEED"),
            share_to_feed=container.share_to_feed is not False,
            has_video=container.media_type != "IMAGE" and facts.duration_ms > 0,
            has_cover=facts.duration_ms > 0 or container.media_type == "IMAGE",
            width=facts.width,
            height=facts.height,
        )
        self.posts[post.id] = post
        self.store.put("post", post.id, post)
        container.post_ids.append(post.id)
        if container.visible_at is None:
            container.visible_at = post.visible_at
        self.keep(container)
        return post

    def add_foreign_post(self, user_id: str, caption: str, published_at: float | None = None) -> Post:
        """Add a post that was not made through the API."""
        at = self.clock.now() if published_at is None else published_at
        post = Post(
            id=self._new_id("180"),
            user_id=user_id,
            container_id=None,
            caption=caption,
            shortcode=_shortcode(),
            published_at=at,
            visible_at=at,
        )
        self.posts[post.id] = post
        self.store.put("post", post.id, post)
        return post

    def visible_posts(self, user_id: str) -> list[Post]:
        """Return the posts that an account's media list shows now, newest first."""
        now = self.clock.now()
        return newest_first(p for p in self.posts.values() if p.user_id == user_id and p.visible_at <= now)

    def quota_usage(self, user_id: str) -> int:
        """Return how many posts the API made on an account within the last 24 hours."""
        since = self.clock.now() - DAY_S
        return sum(
            post.user_id == user_id and post.container_id is not None and post.published_at > since
            for post in self.posts.values()
        )

    def _new_id(self, prefix: str) -> str:
        while True:
            new = prefix + "".join(random.choices(string.digits, k=14))  # noqa: S311 -- an id, no secret
            if new not in self.containers and new not in self.posts:
                return new


def newest_first(posts: Iterable[Post]) -> list[Post]:
    """Sort posts as a profile does."""
    return sorted(posts, key=lambda post: (post.published_at, post.id), reverse=True)


def _shortcode() -> str:
    alphabet = string.ascii_letters + string.digits + "-_"
    return random.choice("CD") + "".join(random.choices(alphabet, k=10))  # noqa: S311 -- a name, no secret
