"""The tasks that bring a calendar's posts to Instagram."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import Post
from airflow_provider_instagram.calendar.file.times import spoken
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Takings, run_name
from airflow_provider_instagram.calendar.planning.late_slot import room_for
from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL
from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.calendar.tasks.run_request import started_as_dry_run, wanted_now
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.base import AccountTask
from airflow_provider_instagram.operators.container import OPTIONS, CreateContainerOperator
from airflow_provider_instagram.operators.publish import PublishOperator
from airflow_provider_instagram.operators.transcode import TranscodeOperator
from airflow_provider_instagram.quota.instagram_quota import room_in
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.parser import Calendar
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.planning.snapshot import Plan
    from airflow_provider_instagram.exceptions import QuotaExhaustedError
    from airflow_provider_instagram.ledger.records import MadeContainer
    from airflow_provider_instagram.ledger.records import Post as PublishedPost

#: How a post's map index is labelled; a task that has something to say about the post adds it.
LABEL = "{{ task.post.id if task.post.id is defined else '' }}{{ mark | default('') }}"
#: A calendar that does not want a post is looked at again: it may be in the middle of being written.
LOOK_AGAIN_S = 2.0
#: Instagram says when it published what was settled by reading, and its clock is not ours.
CLOCKS_DIFFER = timedelta(minutes=2)
#: A try that died is made again soon: the post has its time.
RETRY_DELAY = timedelta(seconds=20)


class PostStep(AccountTask):
    """A task about one post.

    :param post: The post, as the calendar had it when the run began.
    :param settings: How the calendar is brought to its posts.
    :param retry_delay: How long after a try that died the next one begins.
    """

    def __init__(
        self, *, post: Any, settings: CalendarSettings, retry_delay: timedelta = RETRY_DELAY, **kwargs: Any
    ) -> None:
        kwargs.setdefault("map_index_template", LABEL)
        super().__init__(retry_delay=retry_delay, **kwargs)
        self.post = post
        self.settings = settings

    def as_post(self) -> Post:
        """Return the post from the XCom."""
        return Post.model_validate(self.post)

    def takings(self, context: Context) -> Takings:
        """Return the rows that record which run takes a post."""
        store = Ledger.of(context, self.instagram_conn_id).store
        return Takings(store, context["ti"].dag_id, self.settings.dry_run)

    def still_wanted(self, context: Context) -> tuple[Post, Takings]:
        """Return the post in full, if the calendar still wants it so and no other run has it.

        :raises AirflowSkipException: When it was removed or edited since.
        :raises ValidationError: When an edit made it faulty.
        """
        post, run, takings, plan = self.as_post(), run_name(context), self.takings(context), self.settings.plan()
        reason = self._why_not(context, post, takings, plan)
        if reason is not None:
            time.sleep(LOOK_AGAIN_S)
            plan = self.settings.plan()
            reason = self._why_not(context, post, takings, plan)
        if reason is not None:
            takings.give_back(post, run)
            if isinstance(reason, ValidationError):
                raise reason
            self.skip_post(context, *reason)
        in_full = plan.calendar.post(post.id)  # what comes along the XCom has no signatures in its links
        return (in_full if in_full is not None and in_full.version == post.version else post), takings

    def _why_not(
        self, context: Context, post: Post, takings: Takings, plan: Plan
    ) -> tuple[str, str] | ValidationError | None:
        """Return why the calendar no longer wants the post, or not in this version."""
        calendar = plan.calendar if wanted_now(context, post) else plan.timely
        if not plan.readable:
            why = plan.calendar.faults[0].message
            self.log.warning("%s goes on as it was when this run took it; %s: %s", post.id, plan.calendar.location, why)
        elif post.id in calendar.left_out:
            return _faulty(post, calendar)
        taken = None if started_as_dry_run(context) else takings.of(post)
        return schedule.why_not(post, calendar if plan.readable else None, taken, run_name(context))

    def check_links(self, post: Post) -> None:
        """Check right before its files are opened that they may be, and that its links are whole.

        :raises ValidationError: When not.
        """
        if not post.is_in_full:
            raise ValidationError(
                f"The links of {post.id} have signatures, which only the calendar keeps, and {self.settings.calendar} "
                "cannot be read.",
                hint="Make the calendar readable again, and clear this task.",
            )
        access = CalendarFiles(self.settings.calendar).access
        for location in filter(None, (post.video, post.options.get("cover_url"))):
            access.check(str(location))

    def may_be_live(self, context: Context) -> bool:
        """Return whether the post is live, or an attempt to publish it has an open outcome."""
        ledger, key = Ledger.of(context, self.instagram_conn_id), self.as_post().key
        return ledger.post(key) is not None or bool(ledger.open_intents(key, Owner.of(context)))

    def skip_if_too_late(self, context: Context, post: Post, now: datetime, at: datetime) -> None:
        """Skip a post that may no longer go out at the earliest possible time.

        :raises AirflowSkipException: When it is too late.
        """
        if (reason := self.too_late(context, post, now, at)) is not None:
            self.skip_post(context, *reason)

    def too_late(self, context: Context, post: Post, now: datetime, at: datetime) -> tuple[str, str] | None:
        """Return why a post may not go out at a time, according to the DAG's settings for late posts."""
        if wanted_now(context, post):
            return None
        return schedule.too_late(post, now, at, late=self.settings.late, max_lateness=self.settings.max_lateness)

    def is_dry_run(self, context: Context) -> bool:
        """Return whether this post is only rehearsed."""
        return self.settings.dry_run or started_as_dry_run(context) or self.as_post().dry_run

    def mark(self, context: Context, word: str) -> None:
        """Add a word to the post's label in the grid."""
        context["mark"] = f" ({word})"  # type: ignore[typeddict-unknown-key]

    def skip_post(self, context: Context, word: str, why: str) -> NoReturn:
        """End the post's way here, with a mark that a person sees in the grid."""
        self.mark(context, word)
        self.log.warning("%s", why)
        self.takings(context).settle(self.as_post(), run_name(context))
        raise AirflowSkipException(why)


class TranscodePost(PostStep, TranscodeOperator):
    """Make the video of a calendar's post comply."""

    template_fields: Sequence[str] = ("post",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="", **kwargs)

    def execute(self, context: Context) -> str:
        """Transcode it for its placement, unless it is too late for the post anyway."""
        post, _ = self.still_wanted(context)
        done = Ledger.of(context, self.instagram_conn_id).post(post.key)
        if done is not None and used_before(post, done) and self.another_account(done) is None:
            why = f"The id {post.id} was published on {done.published_at}: give this post another id in the calendar."
            self.skip_post(context, "id used before", why)
        if not (self.is_dry_run(context) or self.may_be_live(context)):
            now = datetime.now(timezone.utc)
            self.skip_if_too_late(context, post, now, now)
        self.check_links(post)
        self.source, self.placement = post.video, post.placement
        made = super().execute(context)
        if post.approval == "required":
            self._write_cover(post, made)
        return made

    def _write_cover(self, post: Post, made: str) -> None:
        """Keep the cover frame for the person who is asked; a question without a picture is better than none."""
        from airflow_provider_instagram.media.preview import write_preview

        if post.options.get("cover_url"):
            return  # it wins over the frame
        cover, at_ms = cover_file(post.version), int(str(post.options.get("video_cover_timestamp_ms") or 0))
        try:
            cover.parent.mkdir(parents=True, exist_ok=True)
            with storage.as_local_file(made) as video:
                write_preview(video, cover, at_ms, ffmpeg=conf.get("instagram", "ffmpeg"))
        except (InstagramError, OSError) as error:
            self.log.warning("The cover could not be made: %s", error)


class CreatePost(PostStep, CreateContainerOperator):
    """Create the container of a calendar's post, wait until it is processed, and make another where that can help.

    :param approved: What the approval gave: the caption as the person left it.
    :param report: What the transcode did.
    """

    template_fields: Sequence[str] = ("post", "approved", "report", "video")

    def __init__(self, *, approved: Any = None, report: Any = None, **kwargs: Any) -> None:
        super().__init__(**{"wait_for_completion": True, **kwargs})
        self.approved = approved
        self.report = report

    def execute(self, context: Context) -> str:
        """Create it as the calendar and the approval say."""
        post, _ = self.still_wanted(context)
        if post.approval == "required" and self.approved is None:
            raise ValidationError(f"{post.id} needs an approval and has none.", hint="Clear this run.")
        self.check_links(post)
        options = {**post.options, **(self.approved or {})}
        for name in OPTIONS:
            setattr(self, name, arguments.literal(options.get(name, "" if name == "caption" else None)))
        self.placement = post.placement
        self.video, self.upload, self.post_key = self._video_of(post), post.upload, post.key
        self.publish_at = None if self.is_dry_run(context) else post.publish_at
        if self.publish_at is not None:
            self._refuse_without_room(context, post)
        return super().execute(context)

    def _video_of(self, post: Post) -> str:
        """Return the compliant video: the post's own link where that complies and its bytes need not be sent.

        The transcode hands on a copy in place of a link that may be signed.

        :raises ValidationError: When a link to another file has taken the place of what the transcode made.
        """
        video = str(self.video)
        if locations.is_web(post.video) and post.upload != "file" and (self.report or {}).get("tier") == "pass":
            return post.video
        if video != post.video and locations.is_local(video) and locations.local_path(video).is_symlink():
            raise ValidationError(
                f"{video} is a link, and no file that the transcode made.", hint="Remove it, and clear the transcode."
            )
        return video

    def _refuse_without_room(self, context: Context, post: Post) -> None:
        """Upload nothing for a post that Instagram has no room for as long as it is wanted."""
        ledger = Ledger.of(context, self.instagram_conn_id)
        if ledger.post(post.key) is not None or ledger.containers(post.key):
            return
        hook, now = InstagramHook(self.instagram_conn_id), ledger.clock()
        with hook.get_conn() as client:
            user_id = hook.ig_user_id(client)
            try:
                limit = client.send(calls.publishing_limit(user_id))
            except InstagramError as error:  # it is read again before the publication
                self.log.warning("The publishing limit could not be read: %s", error)
                return
            if limit.remaining > 0 or (wait := room_in(client, user_id, now)) is None:
                return
        if self.too_late(context, post, now + wait, now + wait) is not None:
            raise ValidationError(
                f"Instagram counts {limit.quota_usage} of {limit.quota_total} posts in the last 24 hours, and has room "
                f"from {(now + wait).isoformat(timespec='seconds')} on: too late for {post.id}. Nothing was created.",
                hint="Move the post in the calendar to a time after that; a run of its own publishes it then.",
            )


class PublishPost(PostStep, PublishOperator):
    """Publish a calendar's post at its time; late ones one after the other, or not at all."""

    template_fields: Sequence[str] = ("post", "container_id")

    _context: Context
    _settling = False

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish it, unless the calendar does not want it any more.

        What may be live already is settled first, whatever the calendar says now.
        """
        post = self.as_post()
        self.post_key, self.publish_at, self.rehearsal = post.key, post.publish_at, self.is_dry_run(context)
        self._context, self._settling = context, self.may_be_live(context)
        if not self._settling:
            self.publish_at = self._time_for(context)
        if self.rehearsal:
            self.mark(context, "dry run")
        return super().execute(context, event)

    def _see_whether_it_is_time(self, ledger: Ledger, container_id: str, publish_at: datetime | None) -> None:
        """Ask the calendar, too, where it proved that a publication under way had made no post."""
        if not self._settling:
            super()._see_whether_it_is_time(ledger, container_id, publish_at)
            return
        at = self._time_for(self._context)
        super()._see_whether_it_is_time(ledger, container_id, at)
        time.sleep(max(0.0, (at - datetime.now(timezone.utc)).total_seconds()))

    def _wait_for_room(self, room_at: datetime, error: QuotaExhaustedError, made: MadeContainer | None) -> None:
        """Skip the post at once if the account has no room for it before it is too late."""
        if (reason := self.too_late(self._context, self.as_post(), room_at, room_at)) is not None:
            why = f"{error.message} There is room from {room_at.isoformat(timespec='seconds')} on, which is too late."
            self.skip_post(self._context, reason[0], why)
        super()._wait_for_room(room_at, error, made)

    def _time_for(self, context: Context) -> datetime:
        """Return when the post goes out: at its time, or for a late post, at the next free time.

        :raises AirflowSkipException: When it is not wanted any more, or too late.
        """
        post, takings = self.still_wanted(context)
        now = datetime.now(timezone.utc)
        if self.rehearsal or now - post.publish_at <= PUNCTUAL:
            return post.publish_at
        self.skip_if_too_late(context, post, now, now)
        at = room_for(post, self.settings.plan().calendar, takings)
        if self.too_late(context, post, now, at) is not None:
            takings.forget_late_time(post)
        self.skip_if_too_late(context, post, now, at)
        self.mark(context, f"{spoken(at - post.publish_at)} late")
        return at


def _faulty(post: Post, calendar: Calendar) -> ValidationError:
    """Return the error of a post that has become faulty. A fault of the defaults affects many posts."""
    own = [fault for fault in calendar.faults if fault.post_id == post.id]
    faults = own or [fault for fault in calendar.faults if fault.post_id is None]
    said = " ".join(fault.message for fault in faults)
    remedies = " ".join(fault.remedy for fault in faults)
    return ValidationError(
        f"The post has become faulty: {said}", hint=f"{remedies} A run of its own publishes it then."
    )


def used_before(post: Post, done: PublishedPost) -> bool:
    """Return whether a post's id was published before its time, by another post or before the post was moved."""
    return datetime.fromisoformat(done.published_at) + CLOCKS_DIFFER < post.publish_at
