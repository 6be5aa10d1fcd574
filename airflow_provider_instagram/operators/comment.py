"""The operators that write a comment, switch comments off, and reply to, hide and privately answer those of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import CommentLedger
from airflow_provider_instagram.ledger.records import Try
from airflow_provider_instagram.operators.authored import (
    Arguments,
    InstagramBaseOperator,
    Readers,
    Templated,
    are_empty,
)
from airflow_provider_instagram.operators.base import COMMENT, AccountTask
from airflow_provider_instagram.posts.limits import read_message, read_private_message
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.publishing.comments import Act


class _OnceTask(InstagramBaseOperator):
    """Base class of tasks that do something once for each key to a post or a comment."""

    ui_color = "#fbdce9"
    aliases = (ledger_alias,)

    def __init__(
        self,
        *,
        comment_key: Templated = arguments.NOT_GIVEN,
        priority_weight: int = COMMENT,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.comment_key = comment_key

    def _do(self, context: Context, act: Act, target: Any, message: str | None = "") -> str:
        key = arguments.key("comment_key", self.comment_key)
        return write_comment(self, context, target, message, key, act)


class CommentOperator(_OnceTask):
    """Write a comment on a post of the account, or reply to one there: one ``comment_key``, one comment.

    * If the comment already exists, the task returns it and writes nothing.
    * If the answer to a request was lost, the task reads the comments of the post to find out what
      happened. If several comments may be the one, it fails with ``OutcomeUnknownError``. For a
      reply, it reads the replies.
    * If the message is empty, or the post was only a dry run, the task is skipped.
    * If the account is known to lack the scope for comments, the task fails before it sends
      anything.

    The post stays published, whatever becomes of the comment. Returns the comment's id.

    :param media_id: The post: its media id, or what PublishOperator returns.
    :param reply_to: Instead of a post, the comment to reply to: its id, or the payload of an event
        of InstagramCommentTrigger. Instagram takes no reply to a hidden comment. A reply of the
        account itself is refused, or replies would answer each other.
    :param message: The text: up to 300 UTF-16 units, 4 hashtags and 1 link, and not all in capital
        letters.
    :param comment_key: The key under which the comment is written exactly once. Default:
        ``dag_id/task_id/media_id``, followed by the pass in a loop, so that the task comments once
        on each post, in whatever run. Set a key for each of several comments of one task on one
        post. Default for a reply: ``dag_id/task_id/comment_id``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "media_id": arguments.if_set(arguments.media_id),
        "reply_to": arguments.if_set(arguments.comment_id),
        "message": lambda _, value: read_message(value),
        "comment_key": arguments.key,
    }
    template_fields: Sequence[str] = tuple(argument_readers)

    def __init__(
        self,
        *,
        media_id: Mapping[str, Any] | Templated | None = None,
        message: Templated,
        reply_to: Mapping[str, Any] | Templated | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id
        self.reply_to = reply_to
        self.message = message
        self.check()

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check that either a post or a comment is named."""
        super().check_arguments(known)
        cls._check_not_both(known)
        if are_empty(known, "media_id", "reply_to"):
            raise ValidationError(
                "media_id is empty, and so is reply_to.", hint="Write media_id=publish.output."
            )

    @classmethod
    def _check_not_both(cls, known: Arguments) -> None:
        if all(arguments.given(known.get(name)) is not None for name in ("media_id", "reply_to")):
            raise ValidationError("media_id and reply_to are both set.", hint="Set one of them.")

    def execute(self, context: Context) -> str:
        """Write the comment unless the ledger has it."""
        from airflow_provider_instagram.publishing.comments import COMMENT, REPLY

        self._check_not_both({"media_id": self.media_id, "reply_to": self.reply_to})
        message = read_message(self.message)
        is_reply = arguments.given(self.reply_to) is not None
        target, act = (self.reply_to, REPLY) if is_reply else (self.media_id, COMMENT)
        return self._do(context, act, target, message)


class SwitchOffCommentsOperator(_OnceTask):
    """Switch off the comments of a post of the account: one ``comment_key``, once.

    If a person switches them on again, the task does not switch them off again. If the answer to
    the request was lost, the task reads the post to find out what happened. The post stays
    published, whatever becomes of its comments. Returns the media id.

    :param media_id: The post: its media id, or what PublishOperator returns.
    :param comment_key: The key under which they are switched off once. Default:
        ``dag_id/task_id/media_id``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "media_id": arguments.media_id,
        "comment_key": arguments.key,
    }
    template_fields: Sequence[str] = tuple(argument_readers)

    def __init__(
        self,
        *,
        media_id: Mapping[str, Any] | Templated,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id
        self.check()

    def execute(self, context: Context) -> str:
        """Switch them off unless the ledger says that it was done."""
        from airflow_provider_instagram.publishing.comments import SWITCH_OFF

        return self._do(context, SWITCH_OFF, self.media_id)


class _OfComment(_OnceTask):
    """Base class of tasks that do something once to a comment of somebody else."""

    argument_readers: ClassVar[Readers] = {
        "comment_id": arguments.comment_id,
        "comment_key": arguments.key,
    }
    template_fields: Sequence[str] = tuple(argument_readers)

    def __init__(
        self,
        *,
        comment_id: Mapping[str, Any] | Templated,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.comment_id = comment_id


class HideCommentOperator(_OfComment):
    """Hide a comment of somebody else: one ``comment_key``, hidden once.

    Its author still sees it. If a person shows it again, the task does not hide it again. If the
    answer to the request was lost, the task reads the comment to find out what happened. Returns
    the comment's id.

    :param comment_id: The comment: its id, or the payload of an event of InstagramCommentTrigger.
    :param comment_key: The key under which it is hidden once. Default:
        ``dag_id/task_id/comment_id``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check()

    def execute(self, context: Context) -> str:
        """Hide the comment unless the ledger has it."""
        from airflow_provider_instagram.publishing.comments import HIDE

        return self._do(context, HIDE, self.comment_id)


class PrivateReplyOperator(_OfComment):
    """Send a private message to who wrote a comment: one ``comment_key``, one message.

    * Instagram takes one for each comment, within 7 days.
    * If the answer to the request was lost, the task cannot know whether the message was sent. It
      fails with ``OutcomeUnknownError``, says how a person finds out, and sends nothing again.
    * If the message is empty, the task is skipped. With Unified Login, it fails before it sends
      anything.

    Returns the message's id.

    :param comment_id: The comment: its id, or the payload of an event of InstagramCommentTrigger.
    :param message: The text: up to 1,000 bytes in UTF-8.
    :param comment_key: The key under which it is sent once. Default: ``dag_id/task_id/comment_id``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = (*_OfComment.template_fields, "message")
    argument_readers: ClassVar[Readers] = {
        **_OfComment.argument_readers,
        "message": lambda _, value: read_private_message(value),
    }

    def __init__(self, *, message: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.check()

    def execute(self, context: Context) -> str:
        """Send the message unless the ledger has it."""
        from airflow_provider_instagram.publishing.comments import PrivateReply

        message = read_private_message(self.message)
        return self._do(context, PrivateReply(self._sender()), self.comment_id, message)

    def _sender(self) -> Callable[[GraphClient], str]:
        from airflow_provider_instagram.graph.capabilities import MetaLogin
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        hook = InstagramHook(self.instagram_conn_id)
        if (login := hook.settings.login) is MetaLogin.UNIFIED:
            raise PermissionDeniedError(
                f"Connection {self.instagram_conn_id!r}: {login.in_words} has no private replies. Nothing was sent.",
                hint="Connect the account by Instagram Login or Facebook Login, or reply in public.",
            )
        return hook.ig_user_id if login is MetaLogin.INSTAGRAM else lambda _: "me"


def write_comment(
    task: AccountTask,
    context: Context,
    target: Any,
    message: str | None,
    comment_key: str | None,
    act: Act,
) -> str:
    """Run :class:`~airflow_provider_instagram.publishing.comments.Comment` in a task, or skip the task."""
    from airflow_provider_instagram.hooks.scopes import open_for_comments
    from airflow_provider_instagram.publishing.comments import Comment
    from airflow_provider_instagram.publishing.use_case import Skipped

    ledger = replace(CommentLedger.of(context, task.instagram_conn_id), remedy=act.remedy)
    comment = Comment(
        ledger, partial(open_for_comments, task.instagram_conn_id), Try.of(task, context), act
    )
    if isinstance(record := comment.run(target, message, comment_key), Skipped):
        raise AirflowSkipException(record.reason)
    pin_ledger_asset(context, ledger)
    return record.comment_id
