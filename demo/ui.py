"""``make ui``: an Airflow and a sandbox, left running, with a post of each format and everything in place for more."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from math import inf
from typing import TYPE_CHECKING, Any

from demo.bucket import picture_bucket
from demo.fortnight import ACCOUNTS, fortnight_from_now, open_accounts
from demo.mailbox import mail_server, mailbox_page
from demo.people import ADMIN, AUTH_MANAGER, add_people
from demo.results import results_settings
from demo.scene import CAPTION, FOLDER, ROOT, VIDEOS, airflow_settings, pictures_of, source_video
from demo.stack import AirflowStack, airflow_stack, end_on_sigterm, wait_until
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AIRFLOW_PORT = 8080
SANDBOX_PORT = 8077
MAILS_PORT = 8025
HOME = FOLDER / "ui"
CALENDAR_DAG = "content_calendar"
CAPTIONS = ("A new week", "Behind the scenes", "The spring collection")
#: After so many seconds, a start is said to be slow.
PATIENCE_S = 60


def main() -> int:
    """Start everything, make one post, and keep running until interrupted.

    :return: The exit code.
    """
    end_on_sigterm()
    video = source_video()
    calendar = fortnight_from_now(FOLDER / "calendar", video)
    print("Starting the sandbox and Airflow …", flush=True)
    settings = ui_settings(calendar, video)
    try:
        with (
            picture_bucket() as storage,
            mail_server() as mails,
            mailbox_page(mails.mails, _port(MAILS_PORT)) as mailbox,
            sandbox_process("--state", str(HOME / "sandbox"), port=_port(SANDBOX_PORT)) as sandbox,
        ):
            settings |= {**storage, "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mails.connection)}
            with (
                said_to_be_slow() as is_ready,
                airflow_stack(settings, _port(AIRFLOW_PORT), admin=ADMIN, limit_s=inf) as airflow,
            ):
                run_id = begin(airflow, sandbox, video, calendar)
                is_ready.set()
                print(addresses(airflow, sandbox, mailbox, calendar, settings), flush=True)
                state = wait_until(lambda: _ended(airflow, run_id), "the run has ended", inf, 1)
                print(f"First run: {state}", flush=True)
                threading.Event().wait()
    except KeyboardInterrupt:
        print("\nEnded.")
    return 0


def ui_settings(calendar: Path, video: Path) -> dict[str, str]:
    """Return the environment of Airflow: its users, edits of the calendar, and a database of results."""
    media_roots = {VIDEOS, video.parent, calendar.parent}
    accounts = ["instagram_default", *ACCOUNTS]
    settings = airflow_settings(HOME, *media_roots)
    with redirect_stdout(StringIO()):  # Airflow logs each statement
        settings |= results_settings(HOME, accounts, CAPTIONS)
    settings |= {
        "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
        "AIRFLOW__CORE__DAGS_FOLDER": str(linked_dags(HOME / "dags")),
        "AIRFLOW__INSTAGRAM__CALENDAR_EDITING": "True",
        "INSTAGRAM_CALENDAR": str(calendar),
        "INSTAGRAM_INSIGHTS_ACCOUNTS": ",".join(accounts),
    }
    return settings


def linked_dags(folder: Path) -> Path:
    """Return a folder with the example DAGs, in which the calendar is the one that writes mails."""
    folder.mkdir(exist_ok=True)
    for file in (*(ROOT / "dags").glob("*.py"), *(ROOT / "demo" / "dags").glob("*.py")):
        link = folder / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return folder


@contextmanager
def said_to_be_slow() -> Iterator[threading.Event]:
    """Print a line each minute until the event is set, because a slow machine takes minutes to start."""
    is_ready = threading.Event()
    began_s = time.monotonic()

    def say() -> None:
        while not is_ready.wait(PATIENCE_S):
            waited_s = time.monotonic() - began_s
            print(
                f"Still starting after {waited_s:.0f} s, on a slow machine. Wait, or end it with Ctrl-C.",
                flush=True,
            )

    threading.Thread(target=say, daemon=True).start()
    try:
        yield is_ready
    finally:
        is_ready.set()


def begin(airflow: AirflowStack, sandbox: SandboxHandle, video: Path, calendar: Path) -> str:
    """Connect the accounts, add the users, publish a post of each format, and return the id of the first run."""
    connect(airflow, sandbox)
    open_accounts(airflow, sandbox, connect)
    run_id = f"demo-{int(time.time())}"
    airflow.wait_for_dag("publish_reel")
    airflow.trigger("publish_reel", run_id, {"video": str(video), "caption": CAPTION})
    publish_other_formats(airflow, run_id, pictures_of(video, calendar.parent))
    airflow.wait_for_dag(f"{CALENDAR_DAG}_plan")
    add_people(airflow)
    return run_id


def addresses(
    airflow: AirflowStack,
    sandbox: SandboxHandle,
    mailbox: str,
    calendar: Path,
    settings: dict[str, str],
) -> str:
    """Return what there is to see, and who may do what."""
    return (
        f"\nPosts:     {airflow.url}/plugin/instagram-calendar  (preview, approve and repair posts)\n"
        f"Users:     admin, planner (edits the plan), approver (answers), viewer (looks). The password is the name.\n"
        f"Airflow:   {airflow.url}/dags/publish_reel  (press Trigger to publish another video)\n"
        f"           publish_carousel and publish_story publish the other formats\n"
        f"Calendar:  {airflow.url}/dags/{CALENDAR_DAG}  (the DAG of these posts; its file is {calendar})\n"
        f"Mails:     {mailbox}  (what the calendar tells the planner)\n"
        f"Sandbox:   {sandbox.url}/  (the posts, as Instagram would show them)\n"
        f"Videos:    runs may read those in {settings['AIRFLOW__INSTAGRAM__MEDIA_ROOTS']}\n"
        "Ctrl-C ends all of it."
    )


def publish_other_formats(airflow: AirflowStack, run_id: str, pictures: list[Path]) -> None:
    """Publish a carousel and a story beside the reel, of pictures, which take a second each."""
    still, detail = map(str, pictures)
    carousel = {"files": [still, detail], "caption": "Two views of one scene", "fit": "crop"}
    for dag_id, conf in (("publish_carousel", carousel), ("publish_story", {"file": still})):
        airflow.wait_for_dag(dag_id)
        airflow.trigger(dag_id, run_id, conf)


def connect(
    airflow: AirflowStack,
    sandbox: SandboxHandle,
    conn_id: str = "instagram_default",
    **extra: str | int,
) -> None:
    """Store the connection to the sandbox in Airflow, where its page shows it."""
    connection = sandbox.connection
    host, _, port = connection["host"].rpartition(":")
    body: dict[str, Any] = {
        "connection_id": conn_id,
        "conn_type": connection["conn_type"],
        "login": connection["login"],
        "password": connection["password"],
        "host": host,
        "port": int(port),
        "extra": json.dumps(connection["extra"] | extra),
    }
    if airflow.has(f"/connections/{conn_id}"):
        airflow.call("PATCH", f"/connections/{conn_id}", json=body)
    else:
        airflow.call("POST", "/connections", json=body)


def _ended(airflow: AirflowStack, run_id: str) -> str | None:
    state = airflow.run_state("publish_reel", run_id)
    return state if state in ("success", "failed") else None


def _port(preferred: int) -> int:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return 0
    return preferred


if __name__ == "__main__":
    sys.exit(main())
