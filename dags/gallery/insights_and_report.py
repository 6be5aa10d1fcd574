"""Collect the metrics of all posts in PostgreSQL, and write a report each Monday: for a team that compares its posts.

Change ACCOUNTS, DATABASE and REPORTS. DATABASE is a connection of the type Postgres. The accounts
need the permission for insights. This example needs ``apache-airflow-providers-postgres``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_instagram.insights import insights_dag

ACCOUNTS = ["instagram_default"]
DATABASE = "warehouse"
REPORTS = "s3://media@reports/instagram/"
POSTS_OF_THE_WEEK = """
SELECT post_url, MAX(COALESCE(reel_views, picture_views, carousel_views, story_views)) AS views
FROM instagram_posts JOIN instagram_post_snapshots USING (post_id)
WHERE created_timestamp >= '{{ macros.ds_add(dag_run.run_after | ds, -7) }}'
GROUP BY post_url ORDER BY views DESC NULLS LAST
"""

collect = insights_dag("insights_to_postgres", ACCOUNTS, DATABASE)

with DAG("weekly_report", schedule="0 7 * * MON", catchup=False) as report:
    posts = SQLExecuteQueryOperator(task_id="posts", conn_id=DATABASE, sql=POSTS_OF_THE_WEEK)

    @task
    def write(rows: list[tuple[str, int]], dag_run: Any = None) -> str:
        """Write the posts of the week as a table in Markdown, the most viewed first."""
        lines = ["| post | views |", "|---|---|", *(f"| {url} | {views} |" for url, views in rows)]
        file = ObjectStoragePath(f"{REPORTS}{dag_run.run_after:%Y-%m-%d}.md")
        file.write_text("\n".join(lines))
        return str(file)

    write(posts.output)
