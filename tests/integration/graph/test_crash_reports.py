"""A crash report that shows the local variables of every frame, as error trackers make them, shows no secret."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.upload import VideoUpload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

NOBODY = "http://127.0.0.1:9"
TOKEN, SECRET = "IGAAthe" + "Token0123456789", "app" + "Secret0123456789"


def reported(fails: Callable[[], object]) -> str:
    with pytest.raises(InstagramError) as caught:
        fails()
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    return "".join(report.format())


@pytest.mark.parametrize("served", [False, True], ids=["no connection", "refused"])
@pytest.mark.parametrize("what", ["status", "publish", "refresh", "exchange", "login", "upload"])
def test_no_local_variable_shows_a_secret(
    instagram_sandbox: SandboxHandle, reel: Path, what: str, served: bool
) -> None:
    address = instagram_sandbox.url if served else NOBODY
    app = oauth.LoginApp("990000000000001", SECRET, "https://a.example/back", address, oauth_host=address)
    with GraphClient(TOKEN, base_url=address, app_secret=SECRET, sleep=lambda _: None) as client:
        ways: dict[str, Callable[[], object]] = {
            "status": lambda: client.send(calls.container_status("17900000000000001")),
            "publish": lambda: client.send(calls.publish("17841400000000001", "17900000000000001")),
            "refresh": lambda: client.send(oauth.refresh(TOKEN)),
            "exchange": lambda: client.send(oauth.exchange_for_long_lived(app, TOKEN)),
            "login": lambda: client.send(oauth.exchange_code(app, "code")),
            "upload": lambda: VideoUpload(client, f"{address}/ig-api-upload/v27.0/179", reel, "179").send(),
        }
        report = reported(ways[what])
    assert "client = " in report or "self = " in report  # the local variables are in it
    for secret in (TOKEN, SECRET):
        assert secret not in report
