"""The example calendar for ``make ui``: the same posts, the first of them due in a few minutes, and its accounts."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import yaml

from airflow_provider_instagram.calendar.file.parser import read_calendar
from demo.scene import ROOT, pictures_of
from instagram_sandbox.testing.handle import SandboxHandle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.stack import AirflowStack

EXAMPLE = ROOT / "dags" / "calendars" / "example.yaml"
#: The accounts that the example names, and their user ids in the sandbox.
ACCOUNTS = {"instagram_studio": "17841499000000001", "instagram_shop": "17841499000000002"}
FIRST_IN = timedelta(minutes=3)


def fortnight_from_now(folder: Path, video: Path) -> Path:
    """Write the example calendar with its times moved to the near future, once. A later start continues with it.

    :param folder: The folder for the copy, the video and the pictures.
    :param video: The video of the posts.
    :return: The copy.
    """
    copy = folder / "fortnight.yaml"
    if copy.exists():
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(video, folder / f"camera{video.suffix}")
    pictures_of(video, folder)
    document = yaml.safe_load(
        EXAMPLE.read_text(encoding="utf-8").replace("camera.mov", f"camera{video.suffix}")
    )
    document["defaults"]["timezone"] = "UTC"
    times = {post.id: post.publish_at for post in read_calendar(str(EXAMPLE)).posts}
    moved = (
        datetime.now(timezone.utc).replace(second=0, microsecond=0) + FIRST_IN - min(times.values())
    )
    for post in document["posts"]:
        post["publish_at"] = (
            f"{times[post['id']].astimezone(timezone.utc) + moved:%Y-%m-%d %H:%M:%S}"
        )
    copy.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return copy


def open_accounts(
    airflow: AirflowStack, sandbox: SandboxHandle, connect: Callable[..., None]
) -> None:
    """Open the example's accounts in the sandbox, and connect Airflow to them.

    :param connect: Stores a connection to an account of the sandbox in Airflow.
    """
    for conn_id, user_id in ACCOUNTS.items():
        token = f"IGAA-of-the-sandbox-{conn_id}"
        with suppress(ValueError):  # an earlier start has added it
            sandbox.add_account(user_id, conn_id, token=token)
        account = SandboxHandle(sandbox.url, token, user_id)
        connect(airflow, account, conn_id)
        account.close()
