"""The operator that creates the container of a post."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaNotFetchedError,
    MediaRejectedError,
    PermissionDeniedError,
)
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.owners import Try
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.operators.container_checks import check_account_type, check_cover, check_expiry
from airflow_provider_instagram.operators.priority import CREATE
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.posts.limits import caption_warning, check_known, checked_post, read_values
from airflow_provider_instagram.posts.post import FIELDS
from airflow_provider_instagram.publishing.sources import open_sources, with_kind
from airflow_provider_instagram.utils import arguments, locations
from airflow_provider_instagram.utils.deferral import until_next_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import Context, XComArg

    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.ledger.records import ContainerRecord
    from airflow_provider_instagram.posts.post import Post
    from airflow_provider_instagram.publishing.carousel import CarouselCreator, CarouselItem, PreparedCarousel
    from airflow_provider_instagram.publishing.containers import ContainerCreator
    from airflow_provider_instagram.publishing.sources import MediaSource

PROCESSING_TIMEOUT = timedelta(minutes=30)
POLL_INTERVAL = timedelta(seconds=5)
#: The arguments that are templated, beside the fields of the post.
OTHER_FIELDS = ("publish_at", "post_key", "wait_for_completion", "deferrable")
#: Failures of a container that a new container may fix.
REPLACEABLE = (MediaRejectedError, ContainerExpiredError)


class CreateContainerOperator(InstagramBaseOperator):
    """Create the container of a post, and send the media to it: one video, one picture, or 2 to 10 of them.

    For a ``post_key`` that has a container already (after a retry, a Clear or in a new run), the operator returns that
    container, and resumes an interrupted upload. The items of a carousel have containers of their own, and each one
    that is good is used again. Returns the container's id.

    Set exactly one of ``video``, ``image`` and ``carousel``. Instagram fetches pictures by link: an https address as it
    is, an object in storage by a presigned link, and a local file by its copy below ``[instagram] public_prefix``.

    :param video: A local path or ``file://``, a URI that ObjectStoragePath opens, or an ``https://`` address.
    :param image: The same for a JPEG.
    :param carousel: A list of 2 to 10 of these, such as the result of TranscodeOperator. An item may also be a mapping:
        ``{"image": …, "alt_text": …, "user_tags": …}`` or ``{"video": …}``.
    :param caption: The text of the post: up to 2,200 UTF-16 units, 30 hashtags and 20 @mentions. It is never read as
        the name of a file. A story has none.
    :param placement: ``reels``, ``feed`` or ``story``. Pictures and carousels are in the feed in either of the first
        two cases.
    :param alt_text: A description of the picture for people who do not see it. Used only with ``image``.
    :param video_cover_timestamp_ms: The cover frame, in ms from the start of the video. Default: the first frame.
    :param cover_url: Address of a JPEG up to 8 MB to use as the cover. Overrides ``video_cover_timestamp_ms``.
    :param location_id: Id of a Facebook Page with a location.
    :param collaborators: Up to three user names to invite.
    :param user_tags: User names to tag. In a picture, each with a place: ``{"username": …, "x": 0.5, "y": 0.4}``.
    :param share_to_feed: Whether a reel also appears in the feed. If not set, Instagram decides.
    :param audio_name: A name for the reel's original sound.
    :param trial_graduation: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    :param is_ai_generated: Whether to label the post as made with AI.
    :param upload: How videos are sent: ``file`` sends the bytes, ``url`` sends Instagram a link, ``auto`` chooses by
        the video's location.
    :param publish_at: When the post will be published. The task fails if the container would expire before. The time
        is not sent to Instagram.
    :param post_key: The key under which the post is published exactly once. Default:
        ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop. In a mapped task, the index is a
        position, so set a key if the list may change.
    :param wait_for_completion: Whether to wait until Instagram has processed the container. If the container fails for
        a reason that a new one can fix, the task creates a new one, up to three until it is cleared. By default, only
        media that Instagram fetches are waited for: if a fetch fails, the task is retried, and no other task could do
        that.
    :param deferrable: Whether to wait in the triggerer: for the container if ``wait_for_completion`` is true, and for
        the items of a carousel. Pictures are waited for in the task itself first, for about five seconds.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = (*FIELDS, *OTHER_FIELDS)
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {
        "publish_at": arguments.moment,
        "post_key": arguments.text,
        "wait_for_completion": arguments.boolean,
        "deferrable": arguments.boolean,
    }
    ui_color = "#fdf1f6"
    container_id: str | None = None
    media_sent: tuple[str, ...] = ()
    aliases = (ledger_alias,)

    def __init__(
        self,
        *,
        video: str | XComArg | None = None,
        image: str | XComArg | None = None,
        carousel: Sequence[Any] | str | XComArg | None = None,
        caption: str | XComArg = "",
        placement: str | XComArg = "reels",
        alt_text: str | XComArg | None = None,
        video_cover_timestamp_ms: int | str | XComArg | None = None,
        cover_url: str | XComArg | None = None,
        location_id: str | XComArg | None = None,
        collaborators: list[str] | str | XComArg | None = None,
        user_tags: list[Any] | str | XComArg | None = None,
        share_to_feed: bool | str | XComArg | None = None,
        audio_name: str | XComArg | None = None,
        trial_graduation: str | XComArg | None = None,
        is_ai_generated: bool | str | XComArg | None = None,
        upload: str | XComArg = "auto",
        publish_at: datetime | str | XComArg | None = None,
        post_key: str | XComArg | None = None,
        wait_for_completion: bool | str | XComArg | None = None,
        deferrable: bool | str | XComArg = True,
        priority_weight: int = CREATE,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.video, self.image, self.carousel = video, image, carousel
        self.caption = caption
        self.placement = placement
        self.alt_text = alt_text
        self.video_cover_timestamp_ms = video_cover_timestamp_ms
        self.cover_url = cover_url
        self.location_id = location_id
        self.collaborators = collaborators
        self.user_tags = user_tags
        self.share_to_feed = share_to_feed
        self.audio_name = audio_name
        self.trial_graduation = trial_graduation
        self.is_ai_generated = is_ai_generated
        self.upload = upload
        self.publish_at = publish_at
        self.post_key = post_key
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable

    @classmethod
    def check_arguments(cls, known: Mapping[str, Any]) -> None:
        """Check the media and the options, and how they go together, as far as they are known."""
        super().check_arguments(known)
        check_known({name: value for name, value in known.items() if name in FIELDS})

    def execute(self, context: Context) -> str:
        """Create the container unless the ledger has it, send the media, and wait if ``wait_for_completion`` is set."""
        post = self.post_to_create()
        self.media_sent = post.media
        check_expiry(self._publish_at())
        ledger, post_key = Ledger.of(context, self.instagram_conn_id), self._post_key(context)
        if (done := ledger.post(post_key)) is not None:
            self.log.info("%s is already published, from container %s", post_key, done.container_id)
            return done.container_id
        with self._failures(context):
            return self._finish(context, ledger, self._send(context, ledger, post_key, post))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Continue after the wait for the container in the triggerer."""
        from airflow_provider_instagram.triggers.container import processed_container

        try:
            container_id = processed_container(event)
        except REPLACEABLE as failure:
            return self._replace(context, failure, event["container_id"])
        pin_ledger_asset(context, Ledger.of(context, self.instagram_conn_id))
        self.container_id = container_id
        return container_id

    def execute_parent(self, context: Context, event: dict[str, Any]) -> str:
        """Create the parent of a carousel after the wait for its items in the triggerer."""
        from airflow_provider_instagram.publishing.carousel import CarouselCreator
        from airflow_provider_instagram.triggers.container import processed_container

        try:
            processed_container(event)
        except REPLACEABLE as failure:
            return self._replace(context, failure, *event["container_id"])
        post = self.post_to_create()
        self.media_sent = post.media
        ledger, publish_at = Ledger.of(context, self.instagram_conn_id), self._publish_at()
        with self._creator(context, ledger) as creator:
            parent = CarouselCreator(creator).get_or_create_parent(
                self._post_key(context), **event["known"], post=post, publish_at=publish_at
            )
        return self._finish(context, ledger, parent)

    def file_checks(self, post: Post) -> list[FileCheck]:
        """Return what must be true of the file of each item. Empty if the author of the DAG named them."""
        return []

    def post_to_create(self) -> Post:
        """Read and check what to post. Nothing is sent.

        :raises ValidationError: If a value cannot be read or breaks a limit.
        """
        values = read_values({name: getattr(self, name) for name in FIELDS})
        post = checked_post({**values, "carousel": tuple(map(with_kind, values["carousel"]))})
        if (warning := caption_warning(post.caption)) is not None:
            self.log.warning("%s", warning)
        return post

    def _finish(self, context: Context, ledger: Ledger, container_id: str) -> str:
        """Wait for the container if ``wait_for_completion`` is set or Instagram fetches its media, and return it."""
        waits = arguments.boolean("wait_for_completion", self.wait_for_completion)
        record = ledger.container(container_id)
        if waits or (waits is None and record is not None and record.is_fetched):
            try:
                self._wait(ledger, record, container_id)
            except REPLACEABLE as failure:
                return self._replace(context, failure, container_id)
        pin_ledger_asset(context, ledger)
        self.container_id = container_id
        return container_id

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the media in, the container out."""
        from airflow_provider_instagram.operators.lineage import dataset_of, operator_lineage

        media = [dataset_of(location) for location in self.media_sent]
        account = f"instagram://{self.instagram_conn_id}"
        outputs = [(account, f"containers/{self.container_id}")] if self.container_id else []
        return operator_lineage(media, outputs)

    def _replace(self, context: Context, failure: InstagramError, *container_ids: str) -> str:
        """Create a new container if that can help: at once, or in a retry if a fetch failed."""
        from airflow_provider_instagram.publishing.fetches import raise_if_not_fetched

        with self._failures(context):
            raise_if_not_fetched(Ledger.of(context, self.instagram_conn_id), failure, container_ids)
        self.log.warning("%s", failure)
        return str(self.execute(context))

    @contextmanager
    def _failures(self, context: Context) -> Iterator[None]:
        """Add to a fetch that failed when it is tried again, and to other failures of the media what to do."""
        from airflow_provider_instagram.publishing.fetches import pause_before_retry

        try:
            yield
        except MediaNotFetchedError as error:
            ledger = Ledger.of(context, self.instagram_conn_id)
            pause = pause_before_retry(ledger, self._post_key(context), self._try_number(context))
            if not self.may_still_be_fetched(context, pause):
                raise InstagramError.from_data({**error.as_data(), "error": MediaRejectedError.__name__}) from error
            error.retry_after = pause
            self.log.warning("Instagram fetches it again in %s, if the task has a retry left.", pause)
            raise
        except MediaRejectedError as error:
            self.explain(error)
            raise

    def _try_number(self, context: Context) -> int:
        """Return which try of its round this is, from 1."""
        return Try.of(self, context).number

    def may_still_be_fetched(self, context: Context, pause: timedelta) -> bool:
        """Return whether media that could not be fetched are of use after a pause. A subclass may override this."""
        return True

    def explain(self, error: MediaRejectedError) -> None:
        """Do nothing. A subclass may override this method, and change what the error tells the reader to do."""

    def _post_key(self, context: Context) -> str:
        return arguments.text("post_key", self.post_key) or str(Owner.of(context))

    def _publish_at(self) -> datetime | None:
        return arguments.moment("publish_at", self.publish_at)

    def _send(self, context: Context, ledger: Ledger, post_key: str, post: Post) -> str:
        """Send the media, with links instead of bytes if the account is not allowed to upload and there are links."""
        checks = self.file_checks(post)
        try:
            with open_sources(post.items, post.upload, checks) as sources, self._creator(context, ledger) as creator:
                return self._container(creator, post_key, post, sources)
        except PermissionDeniedError as error:
            videos = [item.location for item in post.items if item.kind is ItemKind.VIDEO]
            is_sent = [location for location in videos if not locations.is_web(location)]
            if post.upload != "auto" or not is_sent or any(map(locations.is_local, is_sent)):
                raise
            self.log.warning("%s Sending Instagram a link instead.", error.message)
        with open_sources(post.items, "url", checks) as sources, self._creator(context, ledger) as creator:
            return self._container(creator, post_key, post, sources)

    def _container(self, creator: ContainerCreator, post_key: str, post: Post, sources: list[MediaSource]) -> str:
        """Return the container of the post. A carousel gets one as soon as its items are processed."""
        from airflow_provider_instagram.publishing.carousel import CarouselCreator, CarouselItem

        if post.kind is PostKind.STORY and not creator.ledger.containers(post_key):
            check_account_type(self.instagram_conn_id, creator.client)
        if post.carousel:
            items = [CarouselItem(item, source) for item, source in zip(post.carousel, sources, strict=True)]
            return self._carousel(CarouselCreator(creator), post_key, items, post)
        if (path := sources[0].video_file) is not None:
            check_cover(path, post)
        return creator.get_or_create(post_key, sources[0], post, self._publish_at())

    def _carousel(self, creator: CarouselCreator, post_key: str, items: list[CarouselItem], post: Post) -> str:
        from airflow_provider_instagram.publishing.fetches import raise_if_not_fetched

        publish_at = self._publish_at()
        while True:
            prepared = creator.prepare(post_key, items, post, publish_at)
            if isinstance(prepared, str):
                return prepared
            try:
                self._wait_for_items(creator.containers, prepared)
            except REPLACEABLE as failure:
                children = [*prepared.pictures, *prepared.videos]
                raise_if_not_fetched(creator.containers.ledger, failure, children)
                self.log.warning("%s", failure)  # the next pass replaces the container if a new one can help
                continue
            content, child_ids = prepared.content, prepared.child_ids
            return creator.get_or_create_parent(post_key, content, child_ids, post, publish_at)

    def _wait_for_items(self, containers: ContainerCreator, prepared: PreparedCarousel) -> None:
        """Wait until the items of a carousel are processed: for seconds in this process, then in the triggerer."""
        from airflow_provider_instagram.graph.readiness import still_processing, wait_until_ready

        client = containers.client
        waiting = still_processing(client, prepared.pictures)
        waiting += still_processing(client, prepared.videos, pauses_s=())
        if not waiting:
            return
        if arguments.boolean("deferrable", self.deferrable) is False:
            for container_id in waiting:
                wait_until_ready(client, container_id, PROCESSING_TIMEOUT, POLL_INTERVAL)
            return
        known = {"content": prepared.content, "child_ids": prepared.child_ids}
        self._defer(containers.ledger, waiting, "execute_parent", known)

    @contextmanager
    def _creator(self, context: Context, ledger: Ledger) -> Iterator[ContainerCreator]:
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.containers import ContainerCreator

        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            attempt = Try.of(self, context)
            yield ContainerCreator(client, ledger, hook.ig_user_id(client), attempt.round, attempt.number)

    def _wait(self, ledger: Ledger, record: ContainerRecord | None, container_id: str) -> None:
        """Wait for a container: for seconds in this process if it is ready soon, then in the triggerer."""
        from airflow_provider_instagram.graph.readiness import LOOK_PAUSES_S, still_processing, wait_until_ready
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        waits_here = arguments.boolean("deferrable", self.deferrable) is False
        is_ready_soon = record is not None and record.is_ready_soon
        may_be_ready = is_ready_soon or _age(ledger, container_id) > timedelta(minutes=1)
        if may_be_ready or waits_here:
            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                pauses_s = LOOK_PAUSES_S if is_ready_soon else ()
                if may_be_ready and not still_processing(client, [container_id], pauses_s):
                    return
                if waits_here:
                    wait_until_ready(client, container_id, PROCESSING_TIMEOUT, POLL_INTERVAL)
                    return
        self._defer(ledger, container_id, "execute_complete")

    def _defer(
        self, ledger: Ledger, container_id: str | list[str], then: str, known: dict[str, Any] | None = None
    ) -> NoReturn:
        from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

        deadline, interval_s = time.time() + PROCESSING_TIMEOUT.total_seconds(), POLL_INTERVAL.total_seconds()
        trigger = ContainerStatusTrigger(self.instagram_conn_id, container_id, interval_s, deadline, known=known)
        age = _age(ledger, container_id if isinstance(container_id, str) else container_id[0])
        self.defer(trigger=trigger, method_name=then, timeout=until_next_look(age))


def _age(ledger: Ledger, container_id: str) -> timedelta:
    """Return how long ago a container was created, as far as the ledger knows."""
    record = ledger.container(container_id)
    return record.age(ledger.clock()) if record else timedelta()
