"""The sandbox over https, by an authority of its own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from instagram_sandbox.testing.handle import sandbox_process
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture(scope="module")
def secure() -> Iterator[SandboxHandle]:
    with sandbox_process("--tls", strict=False) as sandbox:
        yield sandbox


def test_a_picture_is_published_and_read_over_https(secure: SandboxHandle) -> None:
    """The link is its own sample, which it fetches over https as well; all links of its answers are https."""
    assert secure.url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=secure.authority)
    with httpx.Client(base_url=secure.url, verify=context, trust_env=False) as http:
        headers = {"Authorization": f"Bearer {secure.token}"}
        link = {"image_url": f"{secure.url}/samples/picture.jpg"}
        made = http.post("/v27.0/me/media", data=link, headers=headers).json()
        media_id = http.post("/v27.0/me/media_publish", data={"creation_id": made["id"]}, headers=headers).json()["id"]
        row = http.get(f"/v27.0/{media_id}", params={"fields": "permalink,media_url"}, headers=headers).json()
        assert row["permalink"].startswith(secure.url)
        assert http.get(row["media_url"]).headers["content-type"] == "image/jpeg"
        named = headers | {"Host": "graph.instagram.com"}
        resumable = {"media_type": "REELS", "upload_type": "resumable"}
        uri = http.post("/v27.0/me/media", data=resumable, headers=named).json()["uri"]
        assert uri.startswith(f"{secure.url}/ig-api-upload/")


def test_a_client_that_does_not_know_the_authority_refuses(secure: SandboxHandle) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(secure.url, trust_env=False)


@pytest.mark.parametrize("host", ["localhost", "graph.facebook.com", "graph.instagram.com", "api.instagram.com"])
def test_openssl_accepts_the_certificate_by_each_name(secure: SandboxHandle, host: str) -> None:
    """Strictly, as Python 3.13 and Java check it."""
    port = secure.url.rpartition(":")[2]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_hostname", host, "-x509_strict"]
    command += ["-verify_return_error", "-CAfile", str(secure.authority), "-brief"]
    said = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert "Verification: OK" in said.stderr


def test_node_reads_the_profile_with_the_authority(secure: SandboxHandle) -> None:
    node = shutil.which("node")
    assert node is not None
    script = f"fetch('{secure.url}/v27.0/me?fields=username&access_token={secure.token}')"
    script += ".then(answer => answer.json()).then(row => console.log(row.username))"
    environment = {"NODE_EXTRA_CA_CERTS": str(secure.authority)}
    said = subprocess.check_output([node, "-e", script], env=environment, text=True, timeout=60)
    assert said == "sandbox_studio\n"


def test_webhooks_and_paging_links_keep_the_scheme(secure: SandboxHandle) -> None:
    for name in ("One", "Two"):
        secure.add_foreign_post(name)
    context = ssl.create_default_context(cafile=secure.authority)
    with httpx.Client(verify=context, trust_env=False, headers=Caller(secure).http.headers) as http:
        page = http.get(f"{secure.url}/v27.0/me/media", params={"limit": 1}).json()
        assert page["paging"]["next"].startswith(secure.url)
        assert len(http.get(page["paging"]["next"]).json()["data"]) == 1
