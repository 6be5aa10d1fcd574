"""Send a message to Slack when a post is live: for a team that wants to see at once what went out.

Change ACCOUNT. Create an incoming webhook in Slack, and a connection ``slack`` of the type HTTP:
its host is ``https://hooks.slack.com/services``, and its password is the rest of the webhook's URL,
``T…/B…/…``. Mattermost and Rocket.Chat take the same message. This example needs
``apache-airflow-providers-http``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import DAG, Asset, task

from airflow_provider_instagram.utils.slack import slack_text

ACCOUNT = "instagram_default"
WEBHOOK = "slack"
POSTS = Asset(f"instagram://{ACCOUNT}/posts")

with DAG("tell_slack", schedule=[POSTS]) as dag:

    @task(retries=3)
    def send(triggering_asset_events: Any = None) -> None:
        """Send one message with all posts since the last run."""
        posts = [event.extra for event in triggering_asset_events[POSTS]]
        lines = [f"{slack_text(post['post_key'])} is live: {post['permalink'] or post['media_id']}" for post in posts]
        hook = HttpHook(method="POST", http_conn_id=WEBHOOK)
        secret_path = hook.get_connection(WEBHOOK).password
        hook.run(secret_path, json={"text": "\n".join(lines)}, extra_options={"timeout": 30})

    send()
