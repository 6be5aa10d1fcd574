"""Draft a reply to each comment, and send those that a person approves: for a team that answers everybody.

Change ACCOUNT, and let ``draft`` ask your model. The account needs the permission for comments. Nobody's answer within
a day counts as a no.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, AssetWatcher, task, task_group

from airflow_provider_instagram.operators import CommentOperator
from airflow_provider_instagram.triggers import InstagramCommentTrigger

ACCOUNT = "instagram_default"
NO = {"response_timeout": timedelta(days=1), "defaults": "Reject"}
watcher = AssetWatcher(name="comments", trigger=InstagramCommentTrigger(ACCOUNT))
COMMENTS = Asset(f"instagram://{ACCOUNT}/comments", watchers=[watcher])

with DAG("draft_reply", schedule=[COMMENTS]) as dag:

    @task
    def draft(triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """Return a reply to each comment, with the question to a person. Strangers write the text: it is shown as code."""
        replies = []
        for comment in (event.extra["payload"] for event in triggering_asset_events[COMMENTS]):
            reply = f"Thank you, @{comment['username']}!"  # ask your model here
            body = "\n".join(f"    {line}" for line in [*(comment["text"] or "").splitlines(), "", f"> {reply}"])
            replies.append({"comment_id": comment["comment_id"], "reply": reply, "body": body})
        return replies

    @task_group
    def answer(drafted: Any) -> None:
        """Ask, and write the reply after a yes."""
        ask = ApprovalOperator(task_id="ask", subject="Send this reply?", body=drafted["body"], **NO)
        ask >> CommentOperator(task_id="reply", reply_to=drafted, message=drafted["reply"], instagram_conn_id=ACCOUNT)

    answer.expand(drafted=draft())
