"""A client for the sandbox, and a video that it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.graph.client import GraphClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.clips import ClipCache

MAKE_REEL = (
    "-f lavfi -i testsrc2=s=360x640:r=24:d=3 -f lavfi -i sine=r=48000:d=3 -c:v libx264 "
    "-preset ultrafast -b:v 3500k -minrate 3500k -bufsize 3500k -x264-params nal-hrd=cbr -pix_fmt yuv420p -bf 0 "
    "-c:a aac -movflags +faststart -use_editlist 0"
)


@pytest.fixture(scope="session")
def reel(clips: ClipCache) -> Path:
    """A portrait clip of three seconds and about 1.3 MB."""
    return clips.get("reel.mp4", *MAKE_REEL.split())


@pytest.fixture
def client(instagram_sandbox: SandboxHandle) -> Iterator[GraphClient]:
    with GraphClient(instagram_sandbox.token, base_url=instagram_sandbox.url, sleep=lambda _: None) as graph:
        yield graph
