"""``make ui``: an Airflow and a sandbox, left running, with a post of each format and everything in place for more."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from demo.bucket import picture_bucket
from demo.fortnight import fortnight_from_now, open_accounts
from demo.scene import CAPTION, FOLDER, VIDEOS, airflow_settings, pictures_of, source_video
from demo.stack import AirflowStack, airflow_stack, wait_until
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from pathlib import Path

AIRFLOW_PORT = 8080
SANDBOX_PORT = 8077
HOME = FOLDER / "ui"
RUN_LIMIT_S = 300


def main() -> int:
    """Start everything, make one post, and keep running until interrupted.

    :return: The exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    video = source_video()
    calendar = fortnight_from_now(FOLDER / "calendar", video)
    roots = {VIDEOS, video.parent, calendar.parent}
    settings = airflow_settings(HOME, *roots) | {"INSTAGRAM_CALENDAR": str(calendar)}
    print("Starting the sandbox and Airflow …", flush=True)
    try:
        with (
            picture_bucket() as storage,
            sandbox_process("--state", str(HOME / "sandbox"), port=_port(SANDBOX_PORT)) as sandbox,
            airflow_stack(settings | storage, _port(AIRFLOW_PORT)) as airflow,
        ):
            connect(airflow, sandbox)
            open_accounts(airflow, sandbox, connect)
            run_id = f"demo-{int(time.time())}"
            airflow.wait_for_dag("publish_reel")
            airflow.trigger("publish_reel", run_id, {"video": str(video), "caption": CAPTION})
            publish_other_formats(airflow, run_id, pictures_of(video, calendar.parent))
            state = wait_until(lambda: _ended(airflow, run_id), "the run has ended", RUN_LIMIT_S)
            print(
                f"\nPosts:     {airflow.url}/plugin/instagram-calendar  (preview, approve and repair posts)\n"
                f"First run: {state}\n"
                f"Airflow:   {airflow.url}/dags/publish_reel  (no login; press Trigger to publish another video)\n"
                f"           publish_carousel and publish_story publish the other formats\n"
                f"Calendar:  {airflow.url}/dags/content_calendar  (the DAG of these posts; edit {calendar})\n"
                f"Sandbox:   {sandbox.url}/  (the posts, as Instagram would show them)\n"
                f"Videos:    runs may read those in {settings['AIRFLOW__INSTAGRAM__MEDIA_ROOTS']}\n"
                "Ctrl-C ends both.",
                flush=True,
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        print("\nEnded.")
    return 0


def publish_other_formats(airflow: AirflowStack, run_id: str, pictures: list[Path]) -> None:
    """Publish a carousel and a story beside the reel, of pictures, which take a second each."""
    still, detail = map(str, pictures)
    carousel = {"files": [still, detail], "caption": "Two views of one scene", "fit": "crop"}
    for dag_id, conf in (("publish_carousel", carousel), ("publish_story", {"file": still})):
        airflow.wait_for_dag(dag_id)
        airflow.trigger(dag_id, run_id, conf)


def connect(
    airflow: AirflowStack, sandbox: SandboxHandle, conn_id: str = "instagram_default", **extra: str | int
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
