"""The tasks that bring a calendar's posts to Instagram."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import Post
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Assignments, run_name
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now, started_as_dry_run
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.base import InstagramBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.parser import Calendar
    from airflow_provider_instagram.calendar.planning.plan import Plan
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.ledger.records import PublishedPost

#: How a post's map index is labelled; a task that has something to say about the post adds it.
LABEL = "{{ task.post.id if task.post.id is defined else '' }}{{ mark | default('') }}"
#: A calendar that does not want a post is looked at again: it may be in the middle of being written.
SECOND_LOOK_AFTER_S = 2.0
#: Instagram says when it published what was settled by reading, and its clock is not ours.
CLOCKS_DIFFER = timedelta(minutes=2)
#: A try that died is made again soon: the post has its time.
RETRY_DELAY = timedelta(seconds=20)


class PostStep(InstagramBaseOperator):
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

    def assignments(self, context: Context) -> Assignments:
        """Return the rows that record which run takes a post."""
        store = Ledger.of(context, self.instagram_conn_id).store
        return Assignments(store, context["ti"].dag_id, self.settings.dry_run)

    def still_wanted(self, context: Context) -> tuple[Post, Assignments]:
        """Return the post in full, if the calendar still wants it so and no other run has it.

        :raises AirflowSkipException: When it was removed or edited since.
        :raises ValidationError: When an edit made it faulty.
        """
        post, run, assignments, plan = (
            self.as_post(),
            run_name(context),
            self.assignments(context),
            self.settings.plan(),
        )
        reason = self._reason_to_drop(context, post, assignments, plan)
        if reason is not None:
            time.sleep(SECOND_LOOK_AFTER_S)
            plan = self.settings.plan()
            reason = self._reason_to_drop(context, post, assignments, plan)
        if reason is not None:
            assignments.release(post, run)
            if isinstance(reason, ValidationError):
                raise reason
            self.skip_post(context, *reason)
        in_full = plan.calendar.post(post.id)  # what comes along the XCom has no signatures in its links
        return (in_full if in_full is not None and in_full.version == post.version else post), assignments

    def _reason_to_drop(
        self, context: Context, post: Post, assignments: Assignments, plan: Plan
    ) -> tuple[str, str] | ValidationError | None:
        """Return why the calendar no longer wants the post, or not in this version."""
        calendar = plan.calendar if is_requested_now(context, post) else plan.timely
        if not plan.readable:
            why = plan.calendar.problems[0].message
            self.log.warning("%s goes on as it was when this run took it; %s: %s", post.id, plan.calendar.location, why)
        elif post.id in calendar.left_out:
            return _problem_error(post, calendar)
        taken = None if started_as_dry_run(context) else assignments.of(post)
        return schedule.reason_to_drop(post, calendar if plan.readable else None, taken, run_name(context))

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
        if is_requested_now(context, post):
            return None
        return schedule.too_late(post, now, at, late=self.settings.late, max_lateness=self.settings.max_lateness)

    def dry_run_requested(self, context: Context) -> bool:
        """Return whether this post is only rehearsed."""
        return self.settings.dry_run or started_as_dry_run(context) or self.as_post().dry_run

    def mark(self, context: Context, word: str) -> None:
        """Add a word to the post's label in the grid."""
        context["mark"] = f" ({word})"  # type: ignore[typeddict-unknown-key]

    def skip_post(self, context: Context, word: str, why: str) -> NoReturn:
        """End the post's way here, with a mark that a person sees in the grid."""
        self.mark(context, word)
        self.log.warning("%s", why)
        self.assignments(context).close(self.as_post(), run_name(context))
        raise AirflowSkipException(why)


def _problem_error(post: Post, calendar: Calendar) -> ValidationError:
    """Return the error of a post that has become faulty. A problem of the defaults affects many posts."""
    own = [problem for problem in calendar.problems if problem.post_id == post.id]
    problems = own or [problem for problem in calendar.problems if problem.post_id is None]
    said = " ".join(problem.message for problem in problems)
    remedies = " ".join(problem.remedy for problem in problems)
    return ValidationError(
        f"The post has become faulty: {said}", hint=f"{remedies} A run of its own publishes it then."
    )


def used_before(post: Post, done: PublishedPost) -> bool:
    """Return whether a post's id was published before its time, by another post or before the post was moved."""
    return datetime.fromisoformat(done.published_at) + CLOCKS_DIFFER < post.publish_at
