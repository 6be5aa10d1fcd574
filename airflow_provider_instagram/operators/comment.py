"""The operator that writes a comment on a post, once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.comments import CommentLedger
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.owners import is_at_work
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.operators.media_id import read_media_id
from airflow_provider_instagram.operators.priority import COMMENT
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context, XComArg

    from airflow_provider_instagram.ledger.records import CommentRecord


class CommentOperator(InstagramBaseOperator):
    """Write a comment on a post of the account: one ``comment_key``, one comment.

    * If the comment already exists, the task returns it and writes nothing.
    * If the answer to a request was lost, the task reads the comments of the post to find out what happened. If several
      comments may be the one, it fails with ``OutcomeUnknownError``.
    * If the message is empty, or the post was only a dry run, the task is skipped.
    * If the account is known to lack the scope for comments, the task fails before it sends anything.

    The post stays published, whatever becomes of the comment. Returns the comment's id.

    :param media_id: The post: its media id, or what PublishOperator returns.
    :param message: The text: up to 300 UTF-16 units, 4 hashtags and 1 link, and not all in capital letters.
    :param comment_key: The key under which the comment is written exactly once. Default:
        ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop. In a mapped task, the index is a
        position, so set a key if the list may change.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = ("media_id", "message", "comment_key")
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {
        "media_id": lambda _, value: isinstance(value, str) and read_media_id(value),
        "message": lambda _, value: read_message(value),
        "comment_key": arguments.text,
    }
    ui_color = "#fbdce9"

    def __init__(
        self,
        *,
        media_id: str | Mapping[str, Any] | XComArg,
        message: str | XComArg,
        comment_key: str | XComArg | None = None,
        priority_weight: int = COMMENT,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.media_id = media_id
        self.message = message
        self.comment_key = comment_key

    @classmethod
    def account_outlets(cls, conn_id: str) -> list[Any]:
        """Return the alias that keeps the ledger after the DAG is deleted."""
        return [ledger_alias(conn_id)]

    def execute(self, context: Context) -> str:
        """Write the comment unless the ledger has it."""
        if (message := read_message(self.message)) is None:
            raise AirflowSkipException("The message is empty, so there is no comment to write.")
        if _is_of_dry_run(self.media_id):
            raise AirflowSkipException("The post was only a dry run, so there is nothing to comment on.")
        media_id = read_media_id(self.media_id)
        comment_key = arguments.text("comment_key", self.comment_key) or str(Owner.of(context))
        ledger = CommentLedger.of(context, self.instagram_conn_id)
        record = self._write(context, ledger, comment_key, media_id, message)
        self.log.info("The comment %s is on media %s: %s", comment_key, media_id, record.comment_id)
        pin_ledger_asset(context, ledger)
        return record.comment_id

    def _write(
        self, context: Context, ledger: CommentLedger, comment_key: str, media_id: str, message: str
    ) -> CommentRecord:
        from airflow_provider_instagram.graph.scopes import COMMENTS
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
        from airflow_provider_instagram.publishing.comments import CommentWriter, recorded_comment

        if (record := recorded_comment(ledger, comment_key, media_id)) is not None:
            return record
        known_scopes(self.instagram_conn_id).require(COMMENTS)
        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            writer = CommentWriter(client, ledger, Owner.of(context), partial(is_at_work, context["ti"]))
            try:
                return writer.get_or_write(comment_key, media_id, message)
            except PermissionDeniedError as error:
                scopes = AccountScopes(self.instagram_conn_id, None, hook.settings.is_facebook_login)
                error.hint = (
                    f"If the post's comments are switched off, switch them on. If not: {scopes.how_to_grant(COMMENTS)}"
                )
                raise


def read_message(given: Any) -> str | None:
    """Read the text of a comment.

    :param given: The value of the argument.
    :return: The text, or None if it is empty.
    :raises ValidationError: If the text breaks a limit.
    """
    from airflow_provider_instagram.publishing.comment_text import broken_comment_limits

    message = arguments.text("message", given)
    if message is not None and (broken := list(broken_comment_limits(message))):
        raise ValidationError("This comment cannot be written: " + " ".join(map(str, broken)))
    return message


def _is_of_dry_run(given: Any) -> bool:
    """Return whether this is what PublishOperator returns after a dry run: no time of publication, and no media id."""
    return isinstance(given, dict) and given.get("media_id") is None and given.get("published_at", "") is None
