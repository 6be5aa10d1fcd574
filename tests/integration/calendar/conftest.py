"""What the tests of calendars share: a calendar whose posts are due in seconds, and the commands of authors."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from PIL import Image

from tests.integration.calendar.runs import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def pictures(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write pictures of several shapes beside the calendar. Instagram fetches them from object storage."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public")
    for name, size, colour in (("wide.png", (800, 500), "navy"), ("tall.jpg", (600, 900), "maroon")):
        Image.new("RGB", size, colour).save(tmp_path / name)


@pytest.fixture
def calendar(tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a calendar: posts by their ids, due so many seconds from now."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))

    def write(due_s: dict[str, float], min_spacing: str = "0 s", **more: Any) -> Path:
        now = datetime.now(timezone.utc)
        posts = [
            {"id": post_id, "publish_at": f"{now + timedelta(seconds=after):%Y-%m-%d %H:%M:%S} UTC"}
            | more.get(post_id, {})
            for post_id, after in due_s.items()
        ]
        file = tmp_path / "posts.yaml"
        defaults = {"video": str(portrait_video), "account": ACCOUNT, **more.get("defaults", {})}
        file.write_text(yaml.safe_dump({"min_spacing": min_spacing, "defaults": defaults, "posts": posts}))
        return file

    return write


@pytest.fixture
def run(airflow_db: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command as ``airflow`` does: exit code, stdout, stderr."""
    from airflow.cli.cli_config import GroupCommand
    from airflow.cli.cli_parser import AirflowHelpFormatter, _add_command

    from airflow_provider_instagram.cli.definition import get_instagram_commands

    def typed(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser(formatter_class=AirflowHelpFormatter)
        group = get_instagram_commands()[0]
        assert isinstance(group, GroupCommand)
        _add_command(parser.add_subparsers(), group)
        arguments = parser.parse_args(["instagram", *words])
        code = 0
        try:
            arguments.func(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed
