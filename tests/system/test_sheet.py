"""A sheet that stays the plan, in a running Airflow. Its server fails and comes back, and the lead gets mails."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.planning.told import events_asset
from demo.bucket import BUCKET, picture_bucket
from demo.mailbox import MailServer, mail_server
from demo.stack import wait_until
from tests.calendars.running_calendar import RunningCalendar, running_calendar, whole_second
from tests.calendars.sheet_server import SheetServer, sheet_server
from tests.gallery import adapted
from tests.integration.certificate import certificate
from tests.system.test_calendar import answer, questions, states_of_runs
from tests.system.test_edits import bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

DAG_ID = "calendar_mail"
STUDIO, SHOP, FILM, PRINT, RADIO = ACCOUNTS = ("studio", "shop", "film", "print", "radio")
LEAD = "anna@example.com"
COLUMNS = ("Id", "Date", "Time", "Timezone", "Channel", "Video", "Caption", "Approval")
LIMIT_S = 300
DUE_IN, LATER = timedelta(minutes=4), timedelta(minutes=2)
PLAN = f"s3://demo_storage@{BUCKET}/plan/"
#: What the lead must get of the sheet below: one mail of each.
TOLD = {
    ("waiting", "approved"),
    ("waiting", "silent"),
    ("late", "silent"),
    ("failed", "broken"),
    ("unknown", "lost"),
    ("problem", None),
}


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SheetServer, dict[str, str]]]:
    """An https server, and the settings of an Airflow that trusts it."""
    trusted, key = certificate(tmp_path_factory.mktemp("https"))
    with sheet_server((trusted, key)) as server:
        yield server, {"SSL_CERT_FILE": str(trusted), "AIRFLOW__INSTAGRAM__CALENDAR_HOSTS": "127.0.0.1"}


@pytest.fixture(scope="module")
def calendar(
    tmp_path_factory: pytest.TempPathFactory, https: tuple[SheetServer, dict[str, str]], mails: MailServer
) -> Iterator[RunningCalendar]:
    settings = {"AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mails.connection), "AIRFLOW__INSTAGRAM__MEDIA_ROOTS": PLAN}
    folder = tmp_path_factory.mktemp("sheet")
    with (
        picture_bucket() as storage,
        running_calendar(folder, ACCOUNTS, **storage, **https[1], **settings) as everything,
    ):
        yield everything


def row(post_id: str, at: datetime, account: str, **more: str) -> dict[str, str]:
    when = {"Date": f"{at:%Y-%m-%d}", "Time": f"{at:%H:%M}", "Timezone": "UTC"}
    return {"Id": post_id, **when, "Channel": account, "Video": f"{PLAN}reel.mp4", "Caption": post_id, **more}


def write(server: SheetServer, rows: list[dict[str, str]]) -> None:
    """Publish a sheet."""
    text = io.StringIO()
    sheet = csv.DictWriter(text, COLUMNS)
    sheet.writeheader()
    sheet.writerows(rows)
    server.answers["/pub"] = (200, text.getvalue(), {})


def told(mails: MailServer) -> Counter[tuple[str, str | None]]:
    """Return how often each event was told in a mail, by the word and the post."""
    subjects = [str(message_from_bytes(mail)["Subject"]) for mail in mails.mails]
    pairs = [subject.removeprefix("Instagram, ").split(": ") for subject in subjects]
    return Counter((event, None if post == "the calendar" else post) for event, post in pairs)


def html_of(mail: bytes) -> str:
    """Return the text of a mail."""
    (part,) = (one for one in message_from_bytes(mail).walk() if one.get_content_type() == "text/html")
    return bytes(part.get_payload(decode=True)).decode()


def in_events(calendar: RunningCalendar) -> Counter[tuple[str, str | None]]:
    """Return how often each event is in the events of the calendar's asset."""
    uri = events_asset(DAG_ID).uri
    (asset,) = calendar.airflow.call("GET", "/assets", params={"uri_pattern": uri})["assets"]
    found = calendar.airflow.call("GET", "/assets/events", params={"asset_id": asset["id"], "limit": 100})
    return Counter((one["event"], one["post"]) for event in found["asset_events"] for one in event["extra"]["events"])


@pytest.mark.timeout(1200)
def test_an_outage_of_the_sheet_keeps_no_post_back_and_the_lead_gets_one_mail_of_each_event(
    calendar: RunningCalendar, https: tuple[SheetServer, Any], mails: MailServer
) -> None:
    """The DAG is that of the gallery. A row that is edited while its server is down goes out as it was edited."""
    server = https[0]
    for name, content in {"reel": (calendar.folder / "reel.mp4").read_bytes(), "broken": b"this is no video"}.items():
        bucket(calendar).put_object(Bucket=BUCKET, Key=f"plan/{name}.mp4", Body=content)
    at = whole_second(DUE_IN).replace(second=0)
    rows = [
        row("approved", at, STUDIO, Approval="required"),
        row("silent", at, SHOP, Approval="required"),
        row("lost", at, FILM),
        row("broken", at, PRINT, Video=f"{PLAN}broken.mp4"),
        row("edited", at + LATER, RADIO),
    ]
    write(server, rows)
    text = adapted("gallery/calendar_mail.py", CALENDAR=f"{server.address}/pub?key=x", ACCOUNTS=[*ACCOUNTS], LEAD=LEAD)
    text = text.replace("notify=tell)", "notify=tell, default_args={'retries': 0})")
    (calendar.airflow.home / "dags" / f"{DAG_ID}.py").write_text(text)
    asked = wait_until(lambda: questions(calendar, "approved", "silent", dag_id=DAG_ID), "they wait", LIMIT_S, 0.5)
    is_ready = lambda: calendar.states(DAG_ID).get(("publish", "lost")) == "deferred"  # noqa: E731
    wait_until(is_ready, "the post whose answer is lost waits for its time", LIMIT_S, 0.5)
    calendar.sandbox.fail("publish", drop="after", account=(film := calendar.users[FILM]))
    calendar.sandbox.fail("status", 2, nth=2, times=200, account=film)  # the first is read before the request

    server.answers["/pub"] = (503, "busy", {})
    wait_until(lambda: told(mails)["problem", None], "the outage is told", LIMIT_S, 0.5)
    answer(calendar, asked["approved"], "Approve", caption="approved", reason=None)
    wait_until(lambda: "approved" in calendar.requests(), "the approved post is published", LIMIT_S, 0.5)
    rows[-1]["Caption"] = "edited meanwhile"
    write(server, rows)
    wait_until(lambda: "edited meanwhile" in calendar.requests(), "the edited post is published", LIMIT_S, 0.5)
    wait_until(lambda: set(told(mails)) >= TOLD, "all events are told", LIMIT_S, 0.5)
    wait_until(lambda: states_of_runs(calendar, DAG_ID) <= {"success", "failed"}, "all runs have ended", 90, 0.5)

    requests = calendar.requests()
    assert {caption: len(times) for caption, times in requests.items()} == dict.fromkeys(
        ("approved", "lost", "edited meanwhile"), 1
    )
    assert requests["approved"][0] >= at.timestamp()
    assert requests["edited meanwhile"][0] >= (at + LATER).timestamp()
    assert told(mails) == dict.fromkeys(TOLD, 1)
    assert in_events(calendar) == dict.fromkeys(TOLD, 1)
    (outage,) = [text for mail in mails.mails if "does not answer" in (text := html_of(mail))]
    assert f"{server.address}/pub" in outage
    assert "key=x" not in outage
