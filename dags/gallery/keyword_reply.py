"""Reply to comments that have a word, and hide those that have another: for a shop that answers each *link* with it.

Change ACCOUNT, ANSWERS and RUDE. A word counts in any case, and as a whole. All other comments are left alone. The
account needs the permission for comments.
"""

from __future__ import annotations

import re
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_instagram.operators import CommentOperator, HideCommentOperator
from airflow_provider_instagram.triggers import InstagramCommentTrigger

ACCOUNT = "instagram_default"
ANSWERS = {"link": "Here it is: https://example.com/offer", "price": "20 euros, until Friday."}
RUDE = {"scam", "spam"}
COMMENTS = Asset(
    f"instagram://{ACCOUNT}/comments",
    watchers=[AssetWatcher(name="comments", trigger=InstagramCommentTrigger(ACCOUNT))],
)

with DAG("keyword_reply", schedule=[COMMENTS], default_args={"instagram_conn_id": ACCOUNT}) as dag:

    @task(multiple_outputs=True)
    def sort(triggering_asset_events: Any = None) -> dict[str, list[Any]]:
        """Return the replies to write, and the comments to hide."""
        found: dict[str, list[Any]] = {"replies": [], "rude": []}
        for comment in (event.extra["payload"] for event in triggering_asset_events[COMMENTS]):
            words = set(re.findall(r"\w+", (comment["text"] or "").casefold()))
            if RUDE & words:
                found["rude"].append(comment)
            elif answers := [answer for word, answer in ANSWERS.items() if word in words]:
                found["replies"].append({"reply_to": comment["comment_id"], "message": " ".join(answers)})
        return found

    CommentOperator.partial(task_id="reply").expand_kwargs(sort()["replies"])
