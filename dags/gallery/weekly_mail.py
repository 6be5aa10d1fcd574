"""Mail the posts of the week each Monday: a table in the mail, and a page with covers and a chart attached to it.

Change DATABASE and READERS. DATABASE is the connection of the Postgres into which ``insights_and_report.py`` collects.
Copy ``weekly_mail.sql`` and ``weekly_mail.html`` as well. Create a connection ``smtp_default`` of the type *SMTP* that
names the sender. This example needs ``apache-airflow-providers-smtp``.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, task

DATABASE = "warehouse"
READERS = ["team@example.com"]
COVERS = 12  # so many posts, the most viewed ones, have a picture
POSTS = Path(__file__).with_name("weekly_mail.sql").read_text()
PAGE = Path(__file__).with_name("weekly_mail.html").read_text()


def cover_of(conn_id: str, media_id: str) -> str | None:
    """Return a small picture of a post for a page; None if Instagram shows none, as of a story that has ended."""
    import httpx
    from PIL import Image

    from airflow_provider_instagram.exceptions import InstagramError
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.hooks import InstagramHook

    fields, small = {"fields": "media_url,thumbnail_url"}, BytesIO()
    try:
        with InstagramHook(conn_id).get_conn() as client:
            post = client.send(Call("read a cover", "GET", media_id, fields, dict, safe=True))
        with httpx.stream("GET", post.get("thumbnail_url") or post["media_url"], timeout=30) as answer:
            if not answer.headers.get("content-type", "").startswith("image/"):
                return None  # a carousel may begin with a video
            with Image.open(BytesIO(answer.read())) as picture:
                picture.thumbnail((160, 160))
                picture.convert("RGB").save(small, "JPEG")
    except (InstagramError, httpx.HTTPError, KeyError, OSError):
        return None
    return f"data:image/jpeg;base64,{b64encode(small.getvalue()).decode()}"


with DAG("weekly_mail", schedule="0 7 * * MON", catchup=False) as dag:
    posts = SQLExecuteQueryOperator(task_id="posts", conn_id=DATABASE, sql=POSTS)

    @task
    def mail(rows: list[list[Any]], dag_run: Any = None) -> int:
        """Mail the posts, the most viewed first. The page escapes whatever is in a caption."""
        from airflow.providers.smtp.hooks.smtp import SmtpHook
        from jinja2 import Environment

        day, names = (
            f"{dag_run.run_after:%Y-%m-%d}",
            ("account", "caption", "url", "age", "views", "reach", "likes", "comments", "id"),
        )
        found = {
            "title": f"Instagram: the week until {day}",
            "posts": [dict(zip(names, row, strict=True)) for row in rows],
        }
        for post in found["posts"][:COVERS]:
            post["cover"] = cover_of(post["account"], post["id"])
        page = Environment(autoescape=True).from_string(PAGE)
        with TemporaryDirectory() as folder, SmtpHook("smtp_default") as smtp:
            file = Path(folder, f"instagram-{day}.html")
            file.write_text(page.render(found, pictures=True), encoding="utf-8")
            # Many mail programs show no pictures, so the mail itself has the table alone.
            table = page.render(found, pictures=False)
            smtp.send_email_smtp(to=READERS, subject=found["title"], html_content=table, files=[str(file)])
        return len(rows)

    mail(posts.output)
