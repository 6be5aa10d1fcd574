"""Meta's own SDK as a client that knows nothing of the sandbox."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from facebook_business.adobjects.iguser import IGUser
from facebook_business.adobjects.iguserforigonlyapi import IGUserForIGOnlyAPI
from facebook_business.adobjects.shadowigmediabuilder import ShadowIGMediaBuilder
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from instagram_sandbox.simulator.parameters import PLACES, REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture
def api(instagram_sandbox: SandboxHandle, mocker: MockerFixture) -> FacebookAdsApi:
    """Meta's SDK, with nothing changed but its address."""
    mocker.patch.object(FacebookSession, "GRAPH", instagram_sandbox.url)
    session = FacebookSession(instagram_sandbox.app_id, instagram_sandbox.app_secret, instagram_sandbox.token)
    return FacebookAdsApi(session)


@pytest.mark.parametrize("node", [IGUserForIGOnlyAPI, IGUser], ids=["Instagram Login", "Facebook Login"])
def test_the_sdk_publishes_a_reel(
    node: type[Any], api: FacebookAdsApi, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    """Create, upload (plain HTTP, as the SDK has no call for it), poll, publish, read: all of it Meta's own code."""
    user = node(instagram_sandbox.user_id, api=api)
    params = {"media_type": "REELS", "upload_type": "resumable", "caption": "By Meta's SDK"}
    container = user.create_media(params=params)
    _upload(container["uri"], instagram_sandbox.token, clip.read_bytes())
    instagram_sandbox.advance(5)
    status = ShadowIGMediaBuilder(container["id"], api=api).api_get(fields=["status_code", "status"])
    assert status["status_code"] == "FINISHED"
    media = user.create_media_publish(params={"creation_id": container["id"]})
    assert [(post.media_id, post.caption) for post in instagram_sandbox.posts] == [(media["id"], "By Meta's SDK")]
    limit = user.get_content_publishing_limit(fields=["quota_usage", "config"])
    assert limit[0]["quota_usage"] == 1


def test_the_sdk_understands_a_refusal(api: FacebookAdsApi, instagram_sandbox: SandboxHandle) -> None:
    """Code, subcode and the messages for the user come out of the envelope where the SDK looks for them."""
    with pytest.raises(FacebookRequestError) as refusal:
        IGUser(instagram_sandbox.user_id, api=api).create_media(
            params={"media_type": "VIDEO", "video_url": "https://x"}
        )
    assert (refusal.value.api_error_code(), refusal.value.api_error_subcode()) == (100, 2207089)
    assert refusal.value.http_status() == 400


def test_a_wrong_proof_of_the_app_secret_is_refused(instagram_sandbox: SandboxHandle, mocker: MockerFixture) -> None:
    mocker.patch.object(FacebookSession, "GRAPH", instagram_sandbox.url)
    api = FacebookAdsApi(FacebookSession(instagram_sandbox.app_id, "another secret", instagram_sandbox.token))
    with pytest.raises(FacebookRequestError, match="appsecret_proof"):
        IGUserForIGOnlyAPI(instagram_sandbox.user_id, api=api).api_get(fields=["username"])


def test_every_parameter_of_the_sdk_is_accepted_or_refused_on_purpose() -> None:
    """The next release of the SDK shows here what Meta has changed."""
    source = inspect.getsource(IGUserForIGOnlyAPI.create_media)
    table = re.search(r"param_types = \{(.*?)\}", source, re.DOTALL)
    assert table is not None
    of_the_sdk = set(re.findall(r"'(\w+)':", table[1]))
    assert len(of_the_sdk) == 19
    assert of_the_sdk == set(PLACES) | set(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_on_purpose_says_so(name: str, api: FacebookAdsApi, instagram_sandbox: SandboxHandle) -> None:
    user = IGUserForIGOnlyAPI(instagram_sandbox.user_id, api=api)
    value = [{"product_id": "1"}] if name == "product_tags" else "anything"
    with pytest.raises(FacebookRequestError, match=name):
        user.create_media(params={"media_type": "REELS", "upload_type": "resumable", name: value})


def test_the_sdks_fields_of_a_container_are_the_sandboxs(api: FacebookAdsApi, instagram_sandbox: SandboxHandle) -> None:
    """All five fields that the SDK's schema knows are answered, and no other."""
    user = IGUserForIGOnlyAPI(instagram_sandbox.user_id, api=api)
    container = user.create_media(params={"media_type": "REELS", "upload_type": "resumable"})
    fields = [value for name, value in vars(ShadowIGMediaBuilder.Field).items() if not name.startswith("_")]
    read = ShadowIGMediaBuilder(container["id"], api=api).api_get(fields=fields)
    assert set(fields) == set(read.export_all_data())
    with pytest.warns(UserWarning, match="media_id"), pytest.raises(FacebookRequestError, match="nonexisting field"):
        ShadowIGMediaBuilder(container["id"], api=api).api_get(fields=["media_id"])


def _upload(uri: str, token: str, data: bytes) -> None:
    headers = {"Authorization": f"OAuth {token}", "offset": "0", "file_size": str(len(data))}
    assert requests.post(uri, data=data, headers=headers, timeout=30).json()["success"] is True
