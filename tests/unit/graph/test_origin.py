from __future__ import annotations

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.origin import base_url, upload_url


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        (None, None, "https://graph.instagram.com"),
        ("", 443, "https://graph.instagram.com"),
        (" graph.facebook.com ", None, "https://graph.facebook.com"),
        ("https://GRAPH.Instagram.com:443/", None, "https://graph.instagram.com"),
        ("https://graph.instagram.com", 8443, "https://graph.instagram.com:8443"),
        ("https://graph.instagram.com:8443", 8443, "https://graph.instagram.com:8443"),
        ("http://127.0.0.1", 8077, "http://127.0.0.1:8077"),
        ("http://localhost:80", None, "http://localhost"),
        ("http://[::1]:8077", None, "http://[::1]:8077"),
    ],
)
def test_host_and_port_become_one_normal_base_url(host: str | None, port: int | None, expected: str) -> None:
    assert base_url(host, port) == expected


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("http://graph.instagram.com", None),
        ("http://127.0.0.1.example.com", None),
        ("http://localhost.example.com", None),
        ("http://10.0.0.1", None),
        ("http://0.0.0.0", None),
        ("ftp://graph.instagram.com", None),
        ("https://user:secret@graph.instagram.com", None),
        ("https://graph.instagram.com\\@example.com", None),
        ("https://graph.instagram.com/v27.0", None),
        ("https://graph.instagram.com?access_token=secret", None),
        ("https://", None),
        ("https://graph.instagram.com:99999", None),
        ("graph.instagram.com", 0),
        ("https://graph.instagram.com:8443", 9443),
        ("https://graph\n.instagram.com", None),
    ],
)
def test_a_host_that_a_token_must_not_go_to_is_refused_without_showing_secrets(host: str, port: int | None) -> None:
    with pytest.raises(ValidationError) as refused:
        base_url(host, port)
    assert refused.value.hint
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "https://rupload.facebook.com/ig-api-upload/v27.0/17",
        "https://rupload.facebook.com:443/ig-api-upload/v27.0/17",
        "http://127.0.0.1:8077/ig-api-upload/v27.0/17",
    ],
)
def test_videos_go_to_metas_upload_host_or_the_origin_of_the_connection(uri: str) -> None:
    assert upload_url(uri, "http://127.0.0.1:8077").path == "/ig-api-upload/v27.0/17"


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/ig-api-upload/v27.0/17",
        "https://rupload.facebook.com.example.com/17",
        "https://rupload.facebook.com@example.com/17",
        "https://rupload.facebook.com:8443/17",
        "http://rupload.facebook.com/17",
        "http://127.0.0.1:9999/17",
        "https://127.0.0.1:8077/17",
        "//rupload.facebook.com/17",
        "/17",
        "",
    ],
)
def test_an_upload_uri_of_any_other_origin_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError):
        upload_url(uri, "http://127.0.0.1:8077")
