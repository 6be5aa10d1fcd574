"""The operator that deletes a post, once a person has said yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.approval import as_block, as_code, ask, verdict_of
from airflow_provider_instagram.operators.authored import (
    Arguments,
    InstagramBaseOperator,
    Readers,
    Templated,
    are_empty,
)
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.graph.models import Media
    from airflow_provider_instagram.ledger.records import PublishedPost
    from airflow_provider_instagram.operators.base import Event
    from airflow_provider_instagram.publishing.delete import Delete

NOT_IN_THE_LEDGER: Final = (
    "The ledger does not have this post. If a post_key of this account has an unknown outcome, settle that one first: "
    "after this deletion, nothing could show that this was its post."
)
IF_YOU_APPROVE: Final = (
    "If you approve, the post is deleted with its likes and comments. Nothing brings it back."
)
RESULT: Final = ("media_id", "post_key", "permalink", "deleted_at")


class DeleteOperator(InstagramBaseOperator):
    """Delete a post of the account, after a person has agreed to that in Airflow.

    * The task waits for the answer among Airflow's *Required Actions*. After a rejection, or
      without an answer in time, it is skipped.
    * If the answer to the request was lost, the task reads the post to find out what happened. If
      that cannot be determined, it fails with ``OutcomeUnknownError``.
    * The key of the post stays used: nothing is published under it again.
    * Instagram Login cannot delete posts. The task then fails before it sends anything.

    Returns ``media_id``, ``post_key``, ``permalink``, ``deleted_at`` and ``already_deleted``.

    :param post_key: The key under which the post was published.
    :param media_id: The post, if Airflow did not publish it: its media id, or what PublishOperator
        returns. Set at least one of the two.
    :param response_timeout: How long to wait for the answer, in seconds or as a timedelta.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "post_key": arguments.text,
        "media_id": arguments.if_set(arguments.media_id),
        "response_timeout": arguments.positive_duration,
    }
    template_fields: Sequence[str] = tuple(argument_readers)
    ui_color = "#fbdce9"
    aliases = (ledger_alias,)

    def __init__(
        self,
        *,
        post_key: Templated | None = None,
        media_id: Mapping[str, Any] | Templated | None = None,
        response_timeout: timedelta | float | Templated = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.post_key = post_key
        self.media_id = media_id
        self.response_timeout = response_timeout
        self.check()

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check that a post is named, by its key or by its id."""
        super().check_arguments(known)
        if are_empty(known, "post_key", "media_id"):
            raise ValidationError("post_key is empty, and so is media_id.", hint="Set one of them.")

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the post, and ask whether to delete it."""
        from airflow_provider_instagram.graph.capabilities import DELETION
        from airflow_provider_instagram.hooks.scopes import known_scopes

        post_key = arguments.text("post_key", self.post_key)
        media_id = arguments.if_set(arguments.media_id)("media_id", self.media_id)
        self.check_arguments({"post_key": post_key, "media_id": media_id})
        known_scopes(self.instagram_conn_id).require(DELETION)
        post, media = self._delete(context).find(post_key, media_id)
        if media is None:
            return self._result(context, post, already_deleted=True)
        timeout = arguments.positive_duration("response_timeout", self.response_timeout)
        subject = f"Delete {post.post_key} from {self.instagram_conn_id}?"
        question = self._question(post, media)
        return ask(
            context,
            self.instagram_conn_id,
            subject,
            question,
            timeout,
            media_id=post.media_id,
            post_key=post_key,
        )

    def _question(self, post: PublishedPost, media: Media) -> str:
        """Return in Markdown what a person needs to know to decide. Text from Instagram appears as plain text."""
        rows = {
            "Account": self.instagram_conn_id,
            "Post": post.post_key,
            "Link": media.permalink or post.media_id,
            "Published": post.published_at,
        }
        lines = ["| | |", "|---|---|"]
        lines += [f"| {name} | {as_code(value)} |" for name, value in rows.items()]
        lines += ["", "**Caption**", "", *as_block(media.caption or "")]
        if not post.container_id:
            lines += ["", NOT_IN_THE_LEDGER]
        lines += ["", IF_YOU_APPROVE]
        return "\n".join(lines)

    def answered(
        self, context: Context, event: Event, post_key: str | None, media_id: str
    ) -> dict[str, Any]:
        """Delete the post, if a person has agreed to that."""
        verdict = verdict_of(context, self.instagram_conn_id, event)
        if not verdict.approved:
            raise AirflowSkipException(f"Media {media_id} is not deleted: {verdict}.")
        self.log.info("Deleting media %s, %s", media_id, verdict)
        post = self._delete(context).run(post_key, media_id, verdict.person)
        return self._result(context, post, already_deleted=False)

    def _delete(self, context: Context) -> Delete:
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.delete import Delete

        return Delete(
            InstagramHook(self.instagram_conn_id), Ledger.of(context, self.instagram_conn_id)
        )

    def _result(
        self, context: Context, post: PublishedPost, *, already_deleted: bool
    ) -> dict[str, Any]:
        pin_ledger_asset(context, Ledger.of(context, self.instagram_conn_id))
        return {
            **{name: getattr(post, name) for name in RESULT},
            "already_deleted": already_deleted,
        }
