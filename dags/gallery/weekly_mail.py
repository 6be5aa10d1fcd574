"""Mail the posts of the week each Monday: a table in the mail, and a page with a chart attached to it.

Change DATABASE and READERS. DATABASE is the connection of the Postgres into which
``insights_and_report.py`` collects. Copy ``weekly_mail.sql`` and ``weekly_mail.html`` as well.
Create a connection ``smtp_default`` of the type *SMTP* that names the sender. This example needs
``apache-airflow-providers-smtp``.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, task

DATABASE = "warehouse"
READERS = ["team@example.com"]
POSTS = Path(__file__).with_name("weekly_mail.sql").read_text()
PAGE = Path(__file__).with_name("weekly_mail.html").read_text()

with DAG("weekly_mail", schedule="0 7 * * MON", catchup=False) as dag:
    posts = SQLExecuteQueryOperator(task_id="posts", conn_id=DATABASE, sql=POSTS)

    @task
    def mail(rows: list[list[Any]], dag_run: Any = None) -> int:
        """Mail the posts, the most viewed first. The page escapes whatever is in a caption."""
        from airflow.providers.smtp.hooks.smtp import SmtpHook
        from jinja2 import Environment

        day, names = (
            f"{dag_run.run_after:%Y-%m-%d}",
            ("account", "caption", "url", "age", "views", "reach", "likes", "comments"),
        )
        found = {
            "title": f"Instagram: the week until {day}",
            "posts": [dict(zip(names, row, strict=True)) for row in rows],
        }
        page = Environment(autoescape=True).from_string(PAGE)
        with TemporaryDirectory() as folder, SmtpHook("smtp_default") as smtp:
            file = Path(folder, f"instagram-{day}.html")
            file.write_text(page.render(found, chart=True), encoding="utf-8")
            # Many mail programs draw no charts, so the mail itself has the table alone.
            table = page.render(found, chart=False)
            smtp.send_email_smtp(to=READERS, subject=found["title"], html_content=table, files=[str(file)])
        return len(rows)

    mail(posts.output)
