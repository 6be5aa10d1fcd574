"""What the tests of a calendar's runs share: a calendar whose posts are due in seconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.calendar.runs import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def calendar(tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a calendar: posts by their ids, due so many seconds from now."""
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.base.SECOND_LOOK_AFTER_S", 0)
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
