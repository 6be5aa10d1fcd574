"""The rules of the sandbox: how accounts, tokens, containers and posts change, in Meta's terms."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

from instagram_sandbox.simulator.accounts import DAY_S, Accounts
from instagram_sandbox.simulator.errors import GraphError, invalid
from instagram_sandbox.simulator.state import (
    NO_TRIAL,
    NOT_FETCHED,
    UNSUPPORTED,
    Child,
    Collaborator,
    Comment,
    Container,
    Details,
    MediaFacts,
    Message,
    NewMedia,
    Post,
    Processing,
    Subscription,
)
from instagram_sandbox.simulator.store import Table
from instagram_sandbox.simulator.webhooks import tell_mentions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instagram_sandbox.simulator.clock import Clock
    from instagram_sandbox.simulator.state import Account
    from instagram_sandbox.simulator.store import Store
    from instagram_sandbox.simulator.switches import Switches

CONTAINER_LIFE_S = STORY_LIFE_S = DAY_S


class World(Accounts):
    """The state of a simulated Instagram: its accounts, containers, posts and comments."""

    def __init__(self, clock: Clock, switches: Switches, store: Store) -> None:
        super().__init__(clock, switches, store)
        self.containers = Table(store, "container", Container)
        self.posts = Table(store, "post", Post)
        self.children = Table(store, "child", Child)
        self.comments = Table(store, "comment", Comment)
        self.messages = Table(store, "message", Message)
        self.subscriptions = Table(store, "subscription", Subscription, "object")
        # sends a webhook
        self.tell: Callable[[Account, str, dict[str, Any]], None] = lambda *_: None
        self.planned = store.one("plan", list[Processing]) or []

    # Containers

    def create(self, user_id: str, media: NewMedia) -> Container:
        """Open a container.

        :raises GraphError: The account is restricted, or opened too many within 24 hours.
        """
        now = self.clock.now()
        account = self.accounts[user_id]
        if account.restricted:
            raise GraphError(25, 2207050)
        recent = [
            c
            for c in self.containers.values()
            if c.user_id == user_id and c.created_at > now - DAY_S
        ]
        if len(recent) >= self.switches.containers_per_24_h:
            raise GraphError(4, None, "(#4) Too many media containers were created within 24 hours")
        if (
            media.media_type == "STORIES"
            and account.account_type != "BUSINESS"
            and not self._creators_make_stories
        ):
            raise GraphError(10, None, "(#10) Stories can be published for business accounts only")
        self._check_children(user_id, media)
        container = Container(
            **dict(media),
            id=self.new_id("179"),
            user_id=user_id,
            created_at=now,
            is_planned=bool(self.planned),
            processing=self._next_processing(),
        )
        if media.trial and not account.trial_reels:
            container.facts = MediaFacts(
                subcode=NO_TRIAL, reason="the account is not eligible for trial reels"
            )
        return self.containers.keep(container)

    @property
    def _creators_make_stories(self) -> bool:
        return self.switches.story_by_creator == "accept"

    def plan(self, processing: list[Processing]) -> None:
        """Set how the next containers are processed, instead of by the switch."""
        self.planned.extend(processing)
        self.store.put("plan", "", self.planned)

    def _next_processing(self) -> Processing:
        if not self.planned:
            return self.switches.processing
        chosen = self.planned.pop(0)
        self.store.put("plan", "", self.planned)
        return chosen

    def _check_children(self, user_id: str, media: NewMedia) -> None:
        for child_id in media.children:
            child = self.containers.get(child_id)
            is_own = child is not None and child.user_id == user_id and child.is_carousel_item
            if child is None or not is_own or self.status_code(child) == "EXPIRED":
                raise GraphError(100, 2207028)

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
        if not self.is_processed(container) or container.processing.outcome == "phase_error":
            return "IN_PROGRESS"
        if container.processing.outcome == "download_failed":
            return ""
        return "FINISHED" if self.failure(container) is None else "ERROR"

    def shown_failure(self, container: Container) -> MediaFacts | None:
        """Return the failure of a container, or None until its processing is over."""
        return self.failure(container) if self.is_processed(container) else None

    def failure(self, container: Container) -> MediaFacts | None:
        """Return why a container (or a carousel's child) will fail, or None if it will not."""
        plan = container.processing
        if plan.outcome == "finished":
            return None
        if plan.outcome != "inspected":
            of_plan = (
                (NOT_FETCHED, "uploading")
                if plan.outcome == "download_failed"
                else (plan.subcode, plan.phase)
            )
            subcode, phase = of_plan
            return MediaFacts(
                subcode=subcode or UNSUPPORTED,
                reason="planned by a test",
                phase=phase,
                told=container.link(),
            )
        for child_id in container.children:
            failure = self.failure(self.containers[child_id])
            if failure is not None:
                reason = f"child {child_id}: {failure.reason}"
                return MediaFacts(subcode=failure.subcode, reason=reason, told=failure.told)
        return container.facts if container.facts and container.facts.subcode else None

    def finished_at(self, container: Container) -> float:
        """Return when the processing ends, or infinity while that is unknown."""
        plan = container.processing
        if self.is_ready_at_once(container):
            return container.source_at if container.source_at is not None else float("inf")
        needs_no_source = plan.outcome == "download_failed" or plan.phase == "uploading"
        if plan.never or (container.source_at is None and not needs_no_source):
            return float("inf")
        if plan.after_polls is not None:
            return 0.0 if container.polls >= plan.after_polls else float("inf")
        after_s = (
            plan.after_s if plan.after_s is not None else self.switches.processing.after_s or 0.0
        )
        return (container.source_at or container.created_at) + after_s

    def is_ready_at_once(self, container: Container) -> bool:
        """Return whether a container is FINISHED as soon as its media are: by default, a picture's and a carousel's."""
        usual = not container.is_planned and container.processing.after_s is not None
        if (
            not usual
            or not self.switches.pictures_ready_at_once
            or container.processing.outcome != "inspected"
        ):
            return False
        return bool(container.children) or container.is_picture

    def is_processed(self, container: Container) -> bool:
        """Return whether the media of a container were here long enough, fit or not."""
        if container.children and not all(
            self.is_processed(self.containers[c]) for c in container.children
        ):
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
            raise GraphError(24, 2207006, None, id=container_id)
        now = self.clock.now()
        if container.post_ids:
            if self.switches.republish == "error":
                raise GraphError(24, 2207008, None, id=container_id)
            if self.switches.republish == "same_id":
                return self.posts[container.post_ids[0]]
        status = self.status_code(container)
        if status == "EXPIRED":
            raise GraphError(24, 2207008, None, id=container_id)
        if container.is_carousel_item:
            raise invalid(f"{container_id} is an item of a carousel, and not published by itself")
        failure = self.shown_failure(container)
        # "please wait" would be waited for without an end
        if failure is not None and failure.subcode is not None:
            raise GraphError.of_medium(failure.subcode, id=container_id, **failure.told)
        ready_at = self.finished_at(container) + self.switches.not_ready_after_finished_s
        if status not in {"FINISHED", "PUBLISHED"} or now < ready_at:
            raise GraphError(9007, 2207027)
        if self.quota_usage(user_id) >= self.switches.quota_total:
            raise GraphError(9, 2207042)
        return self._post(container)

    def _post(self, container: Container) -> Post:
        now = self.clock.now()
        facts = container.facts or MediaFacts()
        whole = [self.containers[child] for child in container.children]
        kind = {"CAROUSEL": "CAROUSEL_ALBUM"}.get(
            container.media_type, "IMAGE" if container.is_picture else "VIDEO"
        )
        post = Post(
            id=self.new_id("180"),
            user_id=container.user_id,
            container_id=container.id,
            caption=container.caption if container.media_type != "STORIES" else "",
            shortcode=_shortcode(),
            published_at=now,
            visible_at=now + self.switches.visible_after_s,
            media_type=kind,
            media_product_type={"REELS": "REELS", "STORIES": "STORY"}.get(
                container.media_type, "FEED"
            ),
            share_to_feed=container.share_to_feed is not False,
            has_video=not container.is_picture and facts.duration_ms > 0,
            has_cover=container.is_picture or facts.duration_ms > 0 or bool(whole),
            width=facts.width,
            height=facts.height,
            **{name: getattr(container, name) for name in Details.model_fields},
            audio_id=container.audio.audio_id if container.audio else None,
            collaborators=[
                Collaborator(id=self.new_id("1784"), username=name)
                for name in container.collaborators
            ],
        )
        post.children = [self._child(post, child).id for child in whole]
        post.tagged = list(
            dict.fromkeys([*post.tagged, *(name for child in whole for name in child.tagged)])
        )
        self.posts.keep(post)
        tell_mentions(self, post, post.caption)
        container.post_ids.append(post.id)
        if container.visible_at is None:
            container.visible_at = post.visible_at
        self.containers.keep(container)
        return post

    def _child(self, post: Post, container: Container) -> Child:
        facts = container.facts or MediaFacts()
        child = Child(
            id=self.new_id("180"),
            post_id=post.id,
            user_id=post.user_id,
            container_id=container.id,
            published_at=post.published_at,
            media_type="IMAGE" if container.is_picture else "VIDEO",
            shortcode=_shortcode(),
            alt_text=container.alt_text,
            width=facts.width,
            height=facts.height,
        )
        return self.children.keep(child)

    def add_foreign_post(
        self,
        user_id: str,
        caption: str,
        published_at: float | None = None,
        tagged: Iterable[str] = (),
    ) -> Post:
        """Add a post that was not made through the API.

        :param tagged: The usernames of the accounts that are tagged in it.
        """
        at = self.clock.now() if published_at is None else published_at
        post = Post(
            id=self.new_id("180"),
            user_id=user_id,
            container_id=None,
            caption=caption,
            shortcode=_shortcode(),
            published_at=at,
            visible_at=at,
            tagged=list(tagged),
        )
        tell_mentions(self, post, caption)
        return self.posts.keep(post)

    def post(self, media_id: str, user_id: str | None = None) -> Post | None:
        """Return a post that exists now: it was not deleted, and if it is a story, it is not older than 24 hours.

        :param user_id: The account that it must belong to; None for any.
        """
        found = self.posts.get(media_id)
        if found is None or user_id not in {None, found.user_id}:
            return None
        return found if self._exists(found) else None

    def _exists(self, post: Post) -> bool:
        is_over = post.is_story and self.clock.now() >= post.published_at + STORY_LIFE_S
        return not post.deleted and not is_over

    def existing_posts(self, user_id: str | None = None) -> list[Post]:
        """Return all posts that exist now, newest first, whether or not the API shows them yet."""
        return newest_first(
            p for p in self.posts.values() if user_id in {None, p.user_id} and self._exists(p)
        )

    def visible_posts(self, user_id: str, *, stories: bool = False) -> list[Post]:
        """Return the posts that an account's media list, or its list of stories, shows now, newest first."""
        now = self.clock.now()
        return [
            p for p in self.existing_posts(user_id) if p.visible_at <= now and p.is_story == stories
        ]

    def tagged_posts(self, account: Account) -> list[Post]:
        """Return other accounts' posts in which an account is tagged, newest first."""
        now = self.clock.now()
        found = (
            p
            for p in self.existing_posts()
            if account.username in p.tagged and p.user_id != account.user_id
        )
        return [p for p in found if p.visible_at <= now and not p.is_story]

    def delete_post(self, post: Post) -> None:
        """Delete a post. It still counts for the quota."""
        post.deleted = True
        self.posts.keep(post)

    def quota_usage(self, user_id: str, since: float | None = None) -> int:
        """Return how many posts the API made on an account since a moment; None is 24 hours ago."""
        since = self.clock.now() - DAY_S if since is None else since
        return sum(
            post.user_id == user_id and post.container_id is not None and post.published_at > since
            for post in self.posts.values()
        )

    def new_id(self, prefix: str) -> str:
        """Return an id that nothing has yet, of 17 digits."""
        while True:
            new = prefix + "".join(random.choices(string.digits, k=17 - len(prefix)))  # noqa: S311 -- an id, no secret
            if not any(
                new in taken
                for taken in (self.containers, self.posts, self.children, self.comments)
            ):
                return new


def newest_first(posts: Iterable[Post]) -> list[Post]:
    """Sort posts as a profile does."""
    return sorted(posts, key=lambda post: (post.published_at, post.id), reverse=True)


def _shortcode() -> str:
    alphabet = string.ascii_letters + string.digits + "-_"
    return random.choice("CD") + "".join(random.choices(alphabet, k=10))  # noqa: S311 -- a name, no secret
