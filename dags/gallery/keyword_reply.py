"""Reply to each comment that has a word: for a shop that answers *link* with its address.

Change ACCOUNT and ANSWERS. A word counts as a whole, in any case. Comments without any are left
alone. The account needs the permission for comments.
"""

from __future__ import annotations

import re
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_instagram.operators import CommentOperator
from airflow_provider_instagram.triggers import InstagramCommentTrigger

ACCOUNT = "instagram_default"
ANSWERS = {"link": "Here it is: https://example.com/offer", "Price": "20 euros, until Friday."}
watcher = AssetWatcher(name="comments", trigger=InstagramCommentTrigger(ACCOUNT))
COMMENTS = Asset(f"instagram://{ACCOUNT}/comments", watchers=[watcher])

with DAG("keyword_reply", schedule=[COMMENTS]) as dag:

    @task
    def find(triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """Return the replies to write: one to each comment, to the first of its words."""
        answers_by_word = {word.casefold(): answer for word, answer in ANSWERS.items()}
        replies = []
        for comment in (event.extra["payload"] for event in triggering_asset_events[COMMENTS]):
            words = re.findall(r"\w+", (comment["text"] or "").casefold())
            answers = [answers_by_word[word] for word in words if word in answers_by_word]
            replies += [{"reply_to": comment["comment_id"], "message": answer} for answer in answers[:1]]
        return replies

    CommentOperator.partial(task_id="reply", instagram_conn_id=ACCOUNT).expand_kwargs(find())
