"""Draft a reply to each comment, and send those that a person approves: for a team that answers everybody.

Change ACCOUNT, and let ``draft`` ask your model. The account needs the permission for comments.
"""

from __future__ import annotations

from textwrap import indent
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Asset, AssetWatcher, task, task_group

from airflow_provider_instagram.operators import CommentOperator
from airflow_provider_instagram.triggers import InstagramCommentTrigger

ACCOUNT = "instagram_default"
watcher = AssetWatcher(name="comments", trigger=InstagramCommentTrigger(ACCOUNT))
COMMENTS = Asset(f"instagram://{ACCOUNT}/comments", watchers=[watcher])

with DAG("draft_reply", schedule=[COMMENTS]) as dag:

    @task
    def draft(triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """Return a reply to each comment, and a question that shows both as code: a stranger wrote the comment."""
        drafts = []
        for comment in (event.extra["payload"] for event in triggering_asset_events[COMMENTS]):
            reply = f"Thank you, @{comment['username']}!"  # what your model says
            question = indent(f"{comment['text']}\n\nReply: {reply}", "    ", lambda _: True)
            drafts.append({"comment_id": comment["comment_id"], "reply": reply, "question": question})
        return drafts

    @task
    def approved(answer: Any, reply: str) -> str:
        """Return the reply after an approval, or else an empty message, which is not written."""
        return reply if answer["chosen_options"] == ["Send it"] else ""

    @task_group
    def answer(comment_id: str, reply: str, question: str) -> None:
        """Ask a person, and reply."""
        ask = HITLOperator(task_id="ask", subject="Send this reply?", body=question, options=["Send it", "No reply"])
        message = approved(ask.output, reply)
        CommentOperator(task_id="reply", instagram_conn_id=ACCOUNT, reply_to=comment_id, message=message)

    answer.expand_kwargs(draft())
