"""Delete a published post once a person agrees: for a team that finds a mistake in a post.

Change ACCOUNTS to connections of your team by Facebook Login or Unified Login, because Instagram
Login cannot delete. Each gets a DAG of its own. The Posts page finds it by its id, and links to it.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators import DeleteOperator

ACCOUNTS = ["instagram_default"]
POST_KEY = Param("", type="string", minLength=1, title="Post key", description="The Posts page shows it.")

for account in ACCOUNTS:
    with DAG(f"delete_posts_of_{account}", schedule=None, params={"post_key": POST_KEY}) as dag:
        DeleteOperator(task_id="delete", post_key="{{ params.post_key }}", instagram_conn_id=account)
