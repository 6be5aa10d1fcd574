"""The operator that creates the container of a post."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import Context, conf

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, Try
from airflow_provider_instagram.operators.approval import (
    approved_container,
    review_copyright,
    verdict_of,
)
from airflow_provider_instagram.operators.authored import (
    Arguments,
    InstagramBaseOperator,
    Readers,
    Templated,
)
from airflow_provider_instagram.operators.base import CREATE, AccountTask, Event
from airflow_provider_instagram.posts.limits import check_known, checked_post, read_values
from airflow_provider_instagram.posts.post import FIELDS
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.deferral import is_deferrable, until_next_look

if TYPE_CHECKING:
    from airflow_provider_instagram.posts.kinds import OnCopyrightMatch, Placement
    from airflow_provider_instagram.posts.post import TrialGraduation, Upload
    from airflow_provider_instagram.publishing.create import Order
    from airflow_provider_instagram.publishing.use_case import WaitForContainers


class CreatingTask(AccountTask):
    """A task that creates the container of a post."""

    ui_color = "#fdf1f6"
    container_id: str | None = None
    media_sent: tuple[str, ...] = ()
    aliases = (ledger_alias,)

    def processed(self, context: Context, event: Event, ti_id: str | None = None) -> str:
        """Continue when Instagram has processed the media. Another try begins anew.

        After a Clear of a task that runs, Airflow hands the event of that try to the next one. If a
        person answers a question of an earlier try, Airflow ends the wait with that answer.

        :param ti_id: Airflow's id of the try that has sent the media. ``dag.test()`` leaves it out.
        """
        is_own = ti_id in (None, str(context["ti"].id)) and "container_id" in event
        execute: Callable[..., str] = self.execute
        return execute(context, event if is_own else None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the media in, the container out."""
        from airflow_provider_instagram.operators.lineage import container_lineage

        return container_lineage(self.instagram_conn_id, self.media_sent, self.container_id)


class CreateContainerOperator(InstagramBaseOperator, CreatingTask):
    """Create the container of a post, and send the media to it: one video, one picture, or 2 to 10 of them.

    For a ``post_key`` that has a good container of this content already (after a retry, a Clear or
    in a new run), the operator returns that one, and resumes an interrupted upload. The items of a
    carousel have containers of their own, and each one that is good is used again. Returns the
    container's id.

    Set exactly one of ``video``, ``image`` and ``carousel``. Instagram fetches pictures by link: an
    https address as it is, an object in storage by a presigned link, and a local file by its copy
    below ``[instagram] public_prefix``.

    :param video: A local path or ``file://``, a URI that ObjectStoragePath opens, or an
        ``https://`` address.
    :param image: The same for a JPEG.
    :param carousel: A list of 2 to 10 of these, such as the result of TranscodeOperator. An item
        may also be a mapping: ``{"image": …, "alt_text": …, "user_tags": …}`` or ``{"video": …}``.
    :param caption: The text of the post: up to 2,200 UTF-16 units, 30 hashtags and 20 @mentions. It
        is never read as the name of a file. A story has none.
    :param placement: ``reels``, ``feed`` or ``story``. Pictures and carousels are in the feed in
        either of the first two cases.
    :param alt_text: A description of the picture for people who do not see it. Used only with
        ``image``.
    :param video_cover_timestamp_ms: The cover frame, in ms from the start of the video. Default:
        the first frame.
    :param cover_url: Address of a JPEG up to 8 MB to use as the cover. Overrides
        ``video_cover_timestamp_ms``.
    :param location_id: Id of a Facebook Page with a location.
    :param collaborators: Up to three user names to invite.
    :param user_tags: User names to tag. In a picture, each with a place: ``{"username": …, "x":
        0.5, "y": 0.4}``.
    :param share_to_feed: Whether a reel also appears in the feed. If not set, Instagram decides.
    :param audio_name: A name for the reel's original sound.
    :param trial_graduation: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    :param audio_id: Music or another reel's sound for the reel, by its id. Not with Instagram
        Login, as the next seven.
    :param audio_volume: How loud that audio is, 0 to 100.
    :param video_volume: How loud the video's own sound is beside it, 0 to 100.
    :param poll_attachment: A poll: 2 to 4 answers. The caption is its question.
    :param is_poll_duration_extended: Whether the poll has no end. By default, it ends after three
        days.
    :param is_comment_prompt_used: Whether the caption is a question that asks for comments.
    :param is_paid_partnership: Whether to label the post as a paid partnership.
    :param branded_content_sponsor_ids: Its sponsors: up to two user names or ids of professional
        accounts.
    :param is_ai_generated: Whether to label the post as made with AI.
    :param upload: How videos are sent: ``file`` sends the bytes, ``url`` sends Instagram a link,
        ``auto`` chooses by the video's location.
    :param on_copyright_match: What to do if Instagram's copyright check finds another's work in a
        reel or in the video of a story: ``publish`` it all the same, as Instagram does, ``fail``,
        or ``hold`` it until a person approves it in Airflow. The latter two wait for the
        processing.
    :param publish_at: When the post will be published. The task fails if the container would expire
        before. The time is not sent to Instagram.
    :param post_key: The key under which the post is published exactly once. Default:
        ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop. In a mapped task, the
        index is a position, so set a key if the list may change. A key that is given must not be
        empty.
    :param wait_for_completion: Whether to wait until Instagram has processed the container. If the
        container fails for a reason that a new one can fix, the task creates a new one, up to three
        until it is cleared. By default, only media that Instagram fetches are waited for: if a
        fetch fails, the task is retried, and no other task could do that.
    :param deferrable: Whether to wait in the triggerer: for the container if
        ``wait_for_completion`` is true, and for the items of a carousel. Pictures are waited for in
        the task itself first, for about five seconds. None does what ``[operators]
        default_deferrable`` says, if it is set in the environment, and else waits in the triggerer.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "publish_at": arguments.moment,
        "post_key": arguments.key,
        "wait_for_completion": arguments.boolean,
        "deferrable": arguments.boolean,
    }
    template_fields: Sequence[str] = (*FIELDS, *argument_readers)

    def __init__(
        self,
        *,
        video: Templated | None = None,
        image: Templated | None = None,
        carousel: Sequence[Any] | Templated | None = None,
        caption: Templated = "",
        placement: Placement | Templated = "reels",
        alt_text: Templated | None = None,
        video_cover_timestamp_ms: int | Templated | None = None,
        cover_url: Templated | None = None,
        location_id: Templated | None = None,
        collaborators: list[str] | Templated | None = None,
        user_tags: list[Any] | Templated | None = None,
        share_to_feed: bool | Templated | None = None,
        audio_name: Templated | None = None,
        trial_graduation: TrialGraduation | Templated | None = None,
        audio_id: Templated | None = None,
        audio_volume: int | Templated | None = None,
        video_volume: int | Templated | None = None,
        poll_attachment: list[str] | Templated | None = None,
        is_poll_duration_extended: bool | Templated | None = None,
        is_comment_prompt_used: bool | Templated | None = None,
        is_paid_partnership: bool | Templated | None = None,
        branded_content_sponsor_ids: list[str] | Templated | None = None,
        is_ai_generated: bool | Templated | None = None,
        upload: Upload | Templated = "auto",
        on_copyright_match: OnCopyrightMatch | Templated = "publish",
        publish_at: datetime | Templated | None = None,
        post_key: Templated = arguments.NOT_GIVEN,
        wait_for_completion: bool | Templated | None = None,
        deferrable: bool | Templated | None = None,
        priority_weight: int = CREATE,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.video = video
        self.image = image
        self.carousel = carousel
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
        self.audio_id = audio_id
        self.audio_volume = audio_volume
        self.video_volume = video_volume
        self.poll_attachment = poll_attachment
        self.is_poll_duration_extended = is_poll_duration_extended
        self.is_comment_prompt_used = is_comment_prompt_used
        self.is_paid_partnership = is_paid_partnership
        self.branded_content_sponsor_ids = branded_content_sponsor_ids
        self.is_ai_generated = is_ai_generated
        self.upload = upload
        self.on_copyright_match = on_copyright_match
        self.publish_at = publish_at
        self.post_key = post_key
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.check()

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check the media and the options, and how they go together, as far as they are known."""
        super().check_arguments(known)
        check_known({name: value for name, value in known.items() if name in FIELDS})

    def execute(self, context: Context, event: Event | None = None) -> str:
        """Create the container unless the ledger has it, send the media, and wait if ``wait_for_completion`` is set."""
        post_key = arguments.key("post_key", self.post_key) or str(Owner.of(context))
        waits_here = not is_deferrable(self.deferrable)
        self.container_id = create(
            self, context, event, post_key, self.order, waits_here=waits_here
        )
        publish_at = arguments.moment("publish_at", self.publish_at)
        review_copyright(self, context, self.container_id, self.on_copyright_match, publish_at)
        return self.container_id

    def answered(self, context: Context, event: Event, container_id: str) -> str:
        """Continue after a person has answered what to do with a container that is held."""
        verdict = verdict_of(context, self.instagram_conn_id, event)
        self.container_id = approved_container(self, verdict, container_id)
        return self.container_id

    def order(self, *, is_resumed: bool) -> Order:
        """Read and check what to post, by Meta's limits. Nothing is sent."""
        from airflow_provider_instagram.publishing.create import Order
        from airflow_provider_instagram.publishing.sources import with_kind

        values = read_values({name: getattr(self, name) for name in FIELDS})
        post = checked_post({**values, "carousel": tuple(map(with_kind, values["carousel"]))})
        self.media_sent = post.media
        waits = arguments.boolean("wait_for_completion", self.wait_for_completion)
        if post.on_copyright_match != "publish":
            waits = True
        return Order(post, arguments.moment("publish_at", self.publish_at), waits)


def create(
    task: AccountTask,
    context: Context,
    event: Event | None,
    post_key: str,
    order: Callable[..., Order],
    *,
    waits_here: bool = False,
) -> str:
    """Run :class:`~airflow_provider_instagram.publishing.create.Create` in a task, which is deferred while it waits.

    :param order: Returns what to create a container of, whenever one is created. ``is_resumed``
        says that all media are sent, and only the parent of a carousel is to be created.
    :param waits_here: Whether to wait in this process instead.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.hooks.scopes import known_scopes
    from airflow_provider_instagram.publishing.create import Create
    from airflow_provider_instagram.publishing.use_case import WaitForContainers

    hook = InstagramHook(task.instagram_conn_id)
    ledger = Ledger.of(context, task.instagram_conn_id)
    use_case = Create(
        hook,
        ledger,
        Try.of(task, context),
        post_key,
        waits_here,
        ffprobe=conf.get("instagram", "ffprobe"),
        require=lambda *needed: known_scopes(task.instagram_conn_id).require(*needed),
    )
    result: str | WaitForContainers | None = None
    if event is not None:
        failure = InstagramError.from_data(event["error"]) if event["error"] else None
        of_carousel = order(is_resumed=True) if event["known"] else None
        result = use_case.resume(of_carousel, failure, event["container_id"], event["known"])
    while result is None:
        result = use_case.run(order(is_resumed=False))
    if isinstance(result, WaitForContainers):
        _wait(task, context, result)
    pin_ledger_asset(context, ledger)
    return result


def _wait(task: AccountTask, context: Context, wait: WaitForContainers) -> NoReturn:
    """Defer a task until Instagram has processed containers."""
    from airflow_provider_instagram.publishing.create import POLL_INTERVAL, PROCESSING_TIMEOUT
    from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

    task.defer(
        trigger=ContainerStatusTrigger(
            task.instagram_conn_id,
            wait.container_ids,
            POLL_INTERVAL.total_seconds(),
            (CLOCK.now() + PROCESSING_TIMEOUT).timestamp(),
            known=wait.known,
        ),
        method_name="processed",
        kwargs={"ti_id": str(context["ti"].id)},
        timeout=until_next_look(wait.age),
    )
