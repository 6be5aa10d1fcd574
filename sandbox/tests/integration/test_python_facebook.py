"""A second client that knows nothing of the sandbox: python-facebook-api."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyfacebook import FacebookError, IGBusinessApi

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


@pytest.fixture
def api(instagram_sandbox: SandboxHandle) -> IGBusinessApi:
    return IGBusinessApi(
        app_id=instagram_sandbox.app_id,
        app_secret=instagram_sandbox.app_secret,
        access_token=instagram_sandbox.token,
        instagram_business_id=instagram_sandbox.user_id,
        base_url=f"{instagram_sandbox.url}/",
    )


def test_it_reads_account_media_container_and_limit(
    api: IGBusinessApi, instagram_sandbox: SandboxHandle, caller: Caller, clip: Path
) -> None:
    container_id = caller.ready(clip, caption="Read by a stranger")
    media_id = caller.publish(container_id).json()["id"]
    instagram_sandbox.advance(60)

    assert api.user.get_info().username == "sandbox_studio"
    media = api.user.get_media().data
    assert [(one.id, one.caption) for one in media] == [(media_id, "Read by a stranger")]
    assert api.media.get_info(media_id).permalink == instagram_sandbox.posts[0].permalink
    assert api.container.get_info(container_id).status_code == "PUBLISHED"
    instagram_sandbox.switch(retired_for_new_apps="warn")  # the client reads several ids in one request
    assert api.container.get_batch([container_id])[container_id].status_code == "PUBLISHED"
    limit = api.user.get_content_publishing_limit().data[0]
    assert (limit.quota_usage, limit.config.quota_total) == (1, 100)


def test_it_understands_a_refusal(api: IGBusinessApi) -> None:
    with pytest.raises(FacebookError) as refusal:
        api.container.get_info("17900000000000000")
    assert refusal.value.code == 100
