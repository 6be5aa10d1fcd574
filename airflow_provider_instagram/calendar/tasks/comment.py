"""The task that writes the first comment on a published post."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.planning.assignments import run_name
from airflow_provider_instagram.calendar.tasks.answers import answer_row, unsealed
from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.base import COMMENT
from airflow_provider_instagram.operators.comment import write_comment
from airflow_provider_instagram.posts.limits import read_message
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost


class CommentPost(PostStep):
    """Write the first comment of a calendar's post, once. The post stays published if that fails.

    The comment belongs to the version of the post that was published, so later edits of the calendar do not count.

    :param published: The result of the publication.
    """

    template_fields: Sequence[str] = ("post", "published")
    ui_color = "#fbdce9"
    weight = COMMENT
    aliases = (ledger_alias,)

    def __init__(self, *, published: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.published = published

    @reports_failure
    def execute(self, context: Context) -> str:
        """Write the comment, if the post has one."""
        post = self.as_post()
        if not post.first_comment:
            raise AirflowSkipException(f"{post.id} has no first comment.")
        if (unnamed := self.unnamed_account()) is not None:
            raise unnamed
        try:
            message = read_message(arguments.literal(self._text(context, post)))
            return write_comment(self, context, self.published, message, post.key)
        except InstagramError as error:
            error.message = f"{post.id} is published, but its first comment is not written: {error.message}"
            raise

    def _text(self, context: Context, post: ScheduledPost) -> str | None:
        """Return the comment that was approved, or that of the XCom, which users may edit, if no approval is required.

        :raises ValidationError: If nobody approved it.
        """
        if post.approval == "none":
            return post.first_comment
        row = Ledger.of(context, self.instagram_conn_id).store.get(answer_row(post, is_dry_run=False))
        answer = unsealed(row, post.version, run_name(context), InstagramHook(self.instagram_conn_id).sign)
        if answer is None or not answer.first_comment:
            raise ValidationError(
                "this run has no record of an approval of the comment that the task approve made.",
                hint="Write the comment in the app.",
            )
        return answer.first_comment
