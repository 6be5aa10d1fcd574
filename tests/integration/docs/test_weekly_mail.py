"""The gallery's mail of the week: its numbers, and what hostile captions do in it."""

from __future__ import annotations

import json
import re
from email import message_from_bytes
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from tests.gallery import adapted
from tests.integration.docs.test_gallery import TODAY, dags_of
from tests.integration.docs.test_gallery import warehouse as warehouse
from tests.integration.docs.test_notifiers import mails as mails

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import RunDag

HOSTILE = """<script>alert(1)</script> {{ 7 * 7 }} "><img src=x onerror=alert(1)> {% raw %}"""


class Page(HTMLParser):
    """The tags of a page, and the cells of its table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and self.get_starttag_text() and data.strip():
            self.rows[-1][-1] += data.strip()

    def of(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]


@pytest.mark.usefixtures("warehouse")
def test_the_mail_has_the_posts_of_the_week_and_runs_nothing_of_their_captions(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, mails: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEEKLY_NUMBERS", json.dumps(instagram_sandbox.connection))
    ages = {"First line\nand more": 2, HOSTILE: 26, "old": 24 * 8, "just now": 0}
    media = {caption: instagram_sandbox.add_foreign_post(caption, age_s=age * 3600) for caption, age in ages.items()}
    for caption, numbers in (
        ("First line\nand more", {"views": 11, "reach": 9, "likes": 2, "comments": 0}),
        (HOSTILE, {"views": 22, "reach": 20, "likes": 1, "comments": 3}),
    ):
        instagram_sandbox.set_insights(media[caption], **numbers)
    collect = "gallery/insights_and_report.py"
    run_dag(dags_of(adapted(collect, ACCOUNTS=["weekly_numbers"]), collect)["insights_to_postgres"])
    name = "gallery/weekly_mail.py"
    (dag,) = dags_of(adapted(name, READERS=["anna@example.com", "ben@example.com"]), name).values()
    assert run_dag(dag).xcom("mail") == 3
    mail: Any = message_from_bytes(mails[0])
    assert (mail["To"], mail["Subject"]) == ("anna@example.com, ben@example.com", f"Instagram: the week until {TODAY}")
    body, attached = [part for part in mail.walk() if not part.is_multipart()]
    assert attached.get_filename() == f"instagram-{TODAY}.html"
    pages = [Page(part.get_payload(decode=True).decode()) for part in (body, attached)]
    for page in pages:
        assert page.rows == [
            ["Post", "Account", "Read at", "Views", "Reach", "Likes", "Comments"],
            [HOSTILE[:80], "weekly_numbers", "24h", "22", "20", "1", "3"],
            ["First line", "weekly_numbers", "1h", "11", "9", "2", "0"],
            ["just now", "weekly_numbers", "-", "-", "-", "-", "-"],
        ]
        assert {tag for tag, _ in page.tags} <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "svg", "text", "rect"),
            *("table", "tr", "th", "td", "a"),
        }
        assert not [
            name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "src"
        ]
        assert [re.sub(r"[\w-]+/?$", "", link or "") for link in page.of("a", "href")] == [
            f"{instagram_sandbox.url}/reel/"
        ] * 3
    assert [page.of("rect", "width") for page in pages] == [[], ["400", "200", "0"]]


@pytest.mark.usefixtures("warehouse")
def test_a_week_without_posts_says_so(run_dag: RunDag, mails: list[bytes], instagram_sandbox: SandboxHandle) -> None:
    from airflow_provider_instagram.insights import SqlTarget

    SqlTarget("warehouse").prepare()
    name = "gallery/weekly_mail.py"
    (dag,) = dags_of((adapted(name)), name).values()
    assert run_dag(dag).xcom("mail") == 0
    mail: Any = message_from_bytes(mails[0])
    texts = [part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart()]
    assert ["No posts this week." in text for text in texts] == [True, True]
