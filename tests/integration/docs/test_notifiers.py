"""The calendars of the gallery that tell somebody: their own notifiers send to real servers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.calendar.tasks.alerts import CalendarEvent, notify
from airflow_provider_instagram.utils.slack import slack_text
from demo.mailbox import SENDER, mail_server, mailbox_page
from tests.gallery import adapted
from tests.integration.docs.test_gallery import dags_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = "https://airflow.example.com/plugin/instagram-calendar?dag=content&post=content%2Fhello"
TEXT = "hello <b> (studio, Mon 06 May, 08:30 CEST): waits for an approval."
EVENT = CalendarEvent("waiting", "content", "spring.yaml", "waits.", "", TEXT, LINK, post="hello", account="studio")


@pytest.fixture
def requests() -> Iterator[list[tuple[str, Any]]]:
    """The requests that a web server on port ``requests[0]`` has got: paths and bodies."""
    found: list[tuple[str, Any]] = []

    class Web(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        found.append(("port", server.server_port))
        yield found
        server.shutdown()


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The mails that the server behind the connection ``smtp_default`` has got."""
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server.connection))
        yield server.mails


def tell(name: str, calendar: Path, *events: CalendarEvent, **values: Any) -> bool:
    """Do what a task of the calendar's DAG does. Return whether the notifiers worked."""
    calendar.write_text("posts: []\n")
    file = f"gallery/{name}.py"
    (dag,) = dags_of(adapted(file, CALENDAR=str(calendar), **values), file).values()
    task: Any = dag.get_task("prepare")
    return all(notify({}, task.settings, event) for event in events)


def test_slack_gets_the_text_and_the_link(
    tmp_path: Path, requests: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((_, port),) = requests
    slack = {"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}", "password": "T1/B1/secret"}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(slack))
    assert tell("calendar_slack", tmp_path / "spring.yaml", EVENT, replace(EVENT, event="late"))
    assert [path for path, _ in requests[1:]] == ["/T1/B1/secret"] * 2
    text = "hello &lt;b&gt; (studio, Mon 06 May, 08:30 CEST): waits for an approval."
    link = "https://airflow.example.com/plugin/instagram-calendar?dag=content&amp;post=content%2Fhello"
    assert [body["text"] for _, body in requests[1:]] == [f"*waiting*: {text}\n{link}", f"*late*: {text}\n{link}"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<!channel> come & see", "&lt;!channel&gt; come &amp; see"),
        ("<@U024BE7LH> <#C024BE7LR|here>", "&lt;@U024BE7LH&gt; &lt;#C024BE7LR|here&gt;"),
        ("<https://evil.example|https://bank.example>", "&lt;https://evil.example|https://bank.example&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("Grüße *an* _alle_ \"'", "Grüße *an* _alle_ \"'"),
        (7, "7"),
        (None, ""),
    ],
)
def test_a_text_of_others_is_no_markup_of_slack(text: object, escaped: str) -> None:
    assert slack_text(text) == escaped


def test_the_lead_gets_a_mail_in_which_a_text_is_no_html(tmp_path: Path, mails: list[bytes]) -> None:
    assert tell("calendar_mail", tmp_path / "spring.yaml", EVENT, LEAD="anna@example.com")
    mail = message_from_bytes(mails[0])
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "anna@example.com",
        SENDER,
        "Instagram, waiting: hello",
    )
    (part,) = (one for one in mail.walk() if one.get_content_type() == "text/html")
    html = bytes(part.get_payload(decode=True)).decode()
    assert "hello &lt;b&gt; (studio" in html
    assert re.findall(r'href="([^"]*)"', html) == [LINK.replace("&", "&amp;")]
    with mailbox_page(mails) as url:
        page = httpx.get(url, trust_env=False).text
    assert "<h2>Instagram, waiting: hello</h2>" in page
    assert "hello &amp;lt;b&amp;gt; (studio" in page, "the mail is in a frame"


def test_apprise_passes_on_what_is_urgent(
    tmp_path: Path, requests: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((_, port),) = requests
    config = {"path": f"json://127.0.0.1:{port}/hook", "tag": "all"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_APPRISE_DEFAULT", json.dumps({"conn_type": "apprise", "extra": {"config": config}})
    )
    assert tell("calendar_apprise", tmp_path / "spring.yaml", replace(EVENT, event="problem"), EVENT)
    ((path, body),) = requests[1:]
    assert (path, body["title"], body["message"]) == ("/hook", "Instagram: waiting", f"{TEXT}\n{LINK}")
