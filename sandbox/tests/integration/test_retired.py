"""What v27 retires for new apps, what the sandbox does not serve, and what each answer says of the version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.http.endpoints import NOT_SERVED

if TYPE_CHECKING:
    import httpx

    from sandbox.tests.integration.conftest import Caller

WHAT = {
    "multi-id requests": lambda caller: caller.http.get("/v27.0/", params={"ids": "me"}),
    "method override": lambda caller: caller.http.get("/v27.0/me/subscribed_apps", params={"method": "delete"}),
    "field aliases": lambda caller: caller.get("me", fields="media.as(posts){id}"),
    "date_format": lambda caller: caller.get("me/media", date_format="U"),
}


@pytest.mark.parametrize("what", WHAT)
def test_what_is_retired_for_new_apps_is_a_warning_and_strict_refuses_it(client: Caller, what: str) -> None:
    """Meta's blog, 2026-11-04. Which error it is, nobody has said."""
    answer: httpx.Response = WHAT[what](client)
    assert answer.status_code in {200, 400}
    said = f"Apps that were made after 2026-11-04 may not use {what}, on any version of the API."
    assert [warning.partition(": ")[2] for warning in client.sandbox.warnings] == [said]
    client.sandbox.switch(retired_for_new_apps="refuse")
    error = WHAT[what](client).json()["error"]
    assert (error["code"], error["message"]) == (12, f"(#12) {said}")


def test_ids_are_read_as_json_too(client: Caller) -> None:
    ids = [client.sandbox.add_foreign_post(name) for name in ("One", "Two")]
    for asked in (json.dumps(ids), ",".join(ids)):
        found = client.http.get("/v27.0/", params={"ids": asked, "fields": "caption"}).json()
        assert [found[media_id]["caption"] for media_id in ids] == ["One", "Two"]


def test_each_answer_names_the_version_that_gave_it(client: Caller) -> None:
    assert client.get("me").headers["facebook-api-version"] == "v27.0"
    assert client.get("me", fields="nonsense").headers["facebook-api-version"] == "v27.0"
    assert client.http.get("/v17.0/me").headers["facebook-api-version"] == "v21.0", "v17.0 is gone"


def test_ids_of_an_earlier_api_are_other_numbers(client: Caller) -> None:
    media_id = client.sandbox.add_foreign_post("One")
    for path, own in (("me", client.user_id), (media_id, media_id)):
        legacy = client.get(path, fields="ig_id").json()["ig_id"]
        assert legacy.isdecimal()
        assert legacy not in own
        assert client.get(legacy).json()["error"]["code"] == 100


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "ig_hashtag_search?q=autumn", "hashtags"),
        ("GET", "17843826142012701/recent_media", "hashtags"),
        ("POST", "me/mentions", "answers to mentions"),
        ("GET", "me/conversations", "conversations"),
        ("GET", "me/collaboration_invites", "invitations"),
        ("GET", "instagram_oembed?url=https://www.instagram.com/p/x/", "oEmbed"),
    ],
)
def test_what_is_not_served_says_so_in_the_answer_and_the_journal(
    client: Caller, method: str, path: str, what: str
) -> None:
    error = client.http.request(method, f"/v27.0/{path}").json()["error"]
    assert error["code"] in {100, 2500}
    assert error["message"].endswith(f"The sandbox does not serve {what}. Its README says what else it does not serve.")
    assert f"The sandbox does not serve {what}." in client.sandbox.warnings[0]


def test_the_readme_lists_what_is_not_served() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    listed = text.partition("Not served: ")[2].partition(".\n")[0]
    assert set(listed.replace("\n", " ").split(", ")) == set(NOT_SERVED.values())
