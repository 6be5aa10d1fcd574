"""What the pages of the formats say is so: their examples run to a post, and what they link to is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_instagram.calendar.file.parser import parse_calendar
from tests.integration.conftest import load_dag

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
PAGES = {
    name: (ROOT / "docs/publish" / f"{name}.md").read_text() for name in ("reels", "pictures", "carousels", "stories")
}


@pytest.fixture
def folder(tmp_path: Path, landscape_mov: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the examples call ``/data``."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/instagram")
    (tmp_path / "teaser.mov").write_bytes(landscape_mov.read_bytes())
    Image.new("RGB", (1200, 900), "firebrick").save(tmp_path / "set.heic", format="PNG")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "caption"),
    [
        ("reels", ("VIDEO", "REELS"), "Coming Friday #teaser"),
        ("pictures", ("IMAGE", "FEED"), "The new set"),
        ("carousels", ("CAROUSEL_ALBUM", "FEED"), "Three views of one set"),
        ("stories", ("VIDEO", "STORY"), ""),
    ],
)
def test_the_example_becomes_a_post(
    instagram_sandbox: SandboxHandle, run_dag: Any, folder: Path, name: str, kind: tuple[str, str], caption: str
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGES[name], re.DOTALL)
    namespace: dict[str, Any] = {"__name__": f"{name}_md"}
    exec(compile(source.replace("/data/", f"{folder}/"), f"{name}.md", "exec"), namespace)  # noqa: S102 -- our own
    assert run_dag(namespace["dag"]).state == "success"
    (post,) = instagram_sandbox.posts
    assert ((post.media_type, post.media_product_type), post.caption) == (kind, caption)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("reels", "reel"), ("pictures", "picture"), ("carousels", "carousel"), ("stories", "story")],
)
def test_the_calendar_has_no_problem(name: str, kind: str) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGES[name], re.DOTALL)
    calendar = parse_calendar(text, "/data/example.yaml")
    assert calendar.problems == ()
    assert [post.kind for post in calendar.posts] == [kind]


@pytest.mark.parametrize(
    ("dag_id", "parameters", "media_type"),
    [
        (
            "publish_carousel",
            {"files": ["/data/set.heic", "/data/teaser.mov"], "caption": "{{ 7 * 7 }}"},
            "CAROUSEL_ALBUM",
        ),
        ("publish_story", {"file": "/data/set.heic"}, "IMAGE"),
        ("publish_story", {"file": "/data/teaser.mov", "kind": "video"}, "VIDEO"),
    ],
)
def test_the_example_dags_publish(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    dag_id: str,
    parameters: dict[str, Any],
    media_type: str,
) -> None:
    """Started with the parameters of their forms. A caption is only text."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(folder))
    conf = json.loads(json.dumps(parameters).replace("/data/", f"{folder}/"))
    assert run_dag(load_dag(ROOT / f"dags/{dag_id}.py"), **conf).state == "success"
    (post,) = instagram_sandbox.posts
    assert (post.media_type, post.caption) == (media_type, parameters.get("caption", ""))
