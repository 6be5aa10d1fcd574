"""Reply to comments that Meta announces by webhook: for an account that answers within seconds.

Change QUEUE and ACCOUNT. ``deploy/webhook_function.py`` writes to the queue. The connection
``aws_default`` may read it and delete from it. This example needs
``apache-airflow-providers-amazon``.
"""

from __future__ import annotations

import json
from typing import Any

from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_instagram.operators import CommentOperator

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/instagram"
ACCOUNT = "17841400000000000"  # the Instagram user ID of instagram_default

WEBHOOKS = Asset("instagram-webhooks", watchers=[AssetWatcher(name="sqs", trigger=SqsSensorTrigger(QUEUE))])


def is_from_others(comment: dict[str, Any]) -> bool:
    """Return whether a comment is neither a reply nor the account's own."""
    author = comment.get("from", {})
    return "parent_id" not in comment and author.get("id", "") not in (
        ACCOUNT,
        author.get("self_ig_scoped_id"),
    )


with DAG("webhook_reply", schedule=[WEBHOOKS], tags=["instagram"], doc_md=__doc__) as dag:

    @task
    def comments(triggering_asset_events: Any = None) -> list[str]:
        """List the comments of others. Webhooks of other accounts and fields are left out."""
        batches = [event.extra["payload"]["message_batch"] for event in triggering_asset_events[WEBHOOKS]]
        changes = [json.loads(message["Body"]) for batch in batches for message in batch]
        ours = [one["value"] for one in changes if (one["account"], one["field"]) == (ACCOUNT, "comments")]
        return [comment["id"] for comment in ours if is_from_others(comment)]

    CommentOperator.partial(task_id="reply", message="Thank you!").expand(reply_to=comments())
