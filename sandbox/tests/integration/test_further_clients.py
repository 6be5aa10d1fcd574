"""What further clients send, written down from their sources, and the answers that they need.

The clients: instapost, instagram-publish, instagram-client, instagram-creator-mcp, creatorloop, marqetive-lib and
thenavidm-instagram-mcp (PyPI); facebook-nodejs-business-sdk, fb and passport-facebook (npm); Postiz and TryPost.
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from instagram_sandbox.simulator import fetch
from sandbox.tests.integration.conftest import Caller, WebServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

BACK = "https://app.example/back"


@pytest.fixture
def person(documented: SandboxHandle) -> Caller:
    """A caller with the token of a person who manages a Page."""
    return Caller(documented, documented.add_token(documented.user_id, kind="user"))


@pytest.fixture
def published(client: Caller, picture: WebServer) -> str:
    """A picture that is on the profile."""
    container_id = client.create(media_type="IMAGE", image_url=picture.url, caption="A picture").json()["id"]
    return str(client.publish(container_id).json()["id"])


def test_a_carousel_is_published_without_a_look_once_its_videos_are_ready(
    client: Caller, picture: WebServer, web: WebServer
) -> None:
    """Instapost waits for the video, and then publishes the carousel at once."""
    client.sandbox.switch(processing={"after_s": 5})
    child = {"is_carousel_item": "true"}
    first = client.create(media_type="IMAGE", image_url=picture.url, **child).json()["id"]
    second = client.create(media_type="VIDEO", video_url=web.url, **child).json()["id"]
    client.sandbox.settle()
    early = client.create(media_type="CAROUSEL", children=f"{first},{second}").json()["id"]
    assert client.publish(early).json()["error"]["error_subcode"] == 2207027, "the video is in progress"
    client.sandbox.advance(5)
    whole = client.create(media_type="CAROUSEL", children=f"{first},{second}").json()["id"]
    assert client.publish(whole).status_code == 200


def test_strict_lets_every_carousel_wait(caller: Caller, picture: WebServer) -> None:
    caller.sandbox.switch(processing={"after_s": 5})
    child = {"media_type": "IMAGE", "is_carousel_item": "true", "image_url": picture.url}
    ids = [caller.create(**child).json()["id"] for _ in "ab"]
    caller.sandbox.settle()
    caller.sandbox.advance(5)
    whole = caller.create(media_type="CAROUSEL", children=",".join(ids)).json()["id"]
    assert caller.publish(whole).json()["error"]["error_subcode"] == 2207027


def test_a_connected_account_is_subscribed_to_webhooks(client: Caller, facebook: Caller) -> None:
    """instagram-client does so after each login. Nothing is sent without a callback, of which the journal warns."""
    for one, node, fields in ((client, "me", "comments,mentions"), (facebook, "101400000000001", "feed")):
        answer = one.http.post(f"/v27.0/{node}/subscribed_apps", data={"subscribed_fields": fields})
        assert answer.json() == {"success": True}
        (app,) = one.get(f"{node}/subscribed_apps").json()["data"]
        assert app["subscribed_fields"] == fields.split(",")
        assert one.http.delete(f"/v27.0/{node}/subscribed_apps").json() == {"success": True}
        assert one.get(f"{node}/subscribed_apps").json() == {"data": []}
    assert ["Nothing is sent until the app has a callback" in warning for warning in client.sandbox.warnings] == [
        True
    ] * 2
    assert client.http.post("/v27.0/me/subscribed_apps").json()["error"]["code"] == 100


def test_a_client_that_names_metas_host_gets_links_that_work(client: Caller, published: str) -> None:
    """A client is led here, and keeps Meta's name in its header: a link to that name would lead to Meta."""
    named = {"Host": "graph.instagram.com"}
    fields = {"fields": "permalink,media_url", "limit": "1"}
    row = client.http.get(f"/v27.0/{published}", params=fields, headers=named).json()
    assert row["permalink"].startswith(f"{client.sandbox.url}/p/")
    assert httpx.get(row["media_url"], trust_env=False).headers["content-type"] == "image/jpeg"
    made = {"media_type": "REELS", "upload_type": "resumable"}
    uri = client.http.post("/v27.0/me/media", data=made, headers=named).json()["uri"]
    assert uri.startswith(f"{client.sandbox.url}/ig-api-upload/")
    client.sandbox.add_foreign_post("Another")
    paging = client.http.get("/v27.0/me/media", params=fields, headers=named).json()["paging"]
    assert client.http.get(paging["next"]).json()["data"][0]["id"] == published


def test_insights_are_a_field_of_the_media_list(client: Caller, published: str) -> None:
    client.sandbox.advance(3600)
    client.sandbox.set_insights(published, views=12)
    asked = "id,insights.metric(views,reach){name,values},comments.limit(1){text}"
    (row,) = client.get("me/media", fields=asked).json()["data"]
    assert [one["name"] for one in row["insights"]["data"]] == ["views", "reach"]
    assert row["insights"]["data"][0] == {
        "name": "views",
        "values": [{"value": 12}],
        "id": f"{published}/insights/views/lifetime",
    }
    assert client.get("me/media", fields="insights.metric(plays)").json()["error"]["code"] == 100
    only_basic = client.sandbox.add_token(client.user_id, scopes=["instagram_business_basic"])
    refused = Caller(client.sandbox, only_basic).get("me/media", fields="insights.metric(views)").json()["error"]
    assert refused["code"] == 200


def test_edges_inside_fields_have_cursors(client: Caller, published: str) -> None:
    other = client.sandbox.add_foreign_post("Newer")
    first = client.get("me", fields="stories{id},media.limit(1){id}").json()
    assert "stories" not in first
    assert [row["id"] for row in first["media"]["data"]] == [other]
    after = first["media"]["paging"]["cursors"]["after"]
    second = client.get("me", fields=f"media.limit(1).after({after}){{id}}").json()
    assert [row["id"] for row in second["media"]["data"]] == [published]


def test_pages_are_found_through_a_person_and_a_portfolio(person: Caller) -> None:
    """As creatorloop, Postiz and TryPost look for them."""
    linked = "name,access_token,instagram_business_account{id,username}"
    me = person.get("me", fields=f"id,middle_name,accounts{{{linked}}}").json()
    (page,) = me["accounts"]["data"]
    assert page["instagram_business_account"]["id"] == person.user_id
    listed = person.get(f"{me['id']}/accounts", fields=f"{linked},fan_count", limit=100).json()
    assert listed["data"] == [page]
    assert set(listed["paging"]) == {"cursors"}, "it is the only page"
    (business,) = person.get("me/businesses", limit=100).json()["data"]
    assert person.get(f"{business['id']}/owned_pages", fields=linked).json()["data"] == [page]
    assert person.get(f"{business['id']}/client_pages", fields=linked).json() == {"data": []}
    assert person.get(me["id"], fields="id,name").json()["id"] == me["id"]
    without = person.sandbox.add_token(person.user_id, kind="user", scopes=["pages_show_list"])
    assert Caller(person.sandbox, without).get("me/businesses").json()["error"]["code"] == 200


def test_a_person_takes_permissions_back(person: Caller) -> None:
    assert person.http.delete("/v27.0/me/permissions/pages_show_list").json() == {"success": True}
    names = [row["permission"] for row in person.get("me/permissions").json()["data"]]
    assert "pages_show_list" not in names
    assert "instagram_basic" in names
    assert person.http.delete("/v27.0/me/permissions").json() == {"success": True}
    assert person.get("me").json()["error"]["error_subcode"] == 458
    assert Caller(person.sandbox).get("me").status_code == 200, "the other login is another grant"


def test_a_token_shows_what_it_covers(person: Caller) -> None:
    app = f"{person.sandbox.app_id}|{person.sandbox.app_secret}"
    seen = person.http.get("/debug_token", params={"input_token": person.token, "access_token": app}).json()["data"]
    covered = {one["scope"]: one.get("target_ids") for one in seen["granular_scopes"]}
    assert covered["instagram_content_publish"] == [person.user_id]
    assert covered["pages_show_list"] == ["101400000000001"]
    assert covered["business_management"] is None
    assert seen["data_access_expires_at"] > seen["issued_at"]


def test_an_account_is_discovered_with_facebook_login(person: Caller, client: Caller, published: str) -> None:
    person.sandbox.add_account("17841400000000099", "second_studio")
    asked = "business_discovery.username(sandbox_studio){username,media_count,media.limit(1){id,caption}}"
    found = Caller(person.sandbox, person.token).get(person.user_id, fields=asked).json()["business_discovery"]
    assert (found["username"], found["media_count"]) == ("sandbox_studio", 1)
    assert found["media"]["data"] == [{"id": published, "caption": "A picture"}]
    unknown = person.get(person.user_id, fields="business_discovery.username(nobody){id}").json()["error"]
    assert (unknown["code"], unknown["error_subcode"]) == (110, 2207013)
    assert "nonexisting field" in client.get("me", fields=asked).json()["error"]["message"]


def test_an_accounts_numbers_are_broken_down(client: Caller) -> None:
    asked = {"period": "lifetime", "metric_type": "total_value", "timeframe": "this_month"}
    total = client.get("me/insights", metric="follower_demographics", breakdown="age,gender", **asked).json()
    (broken,) = total["data"][0]["total_value"]["breakdowns"]
    assert broken["dimension_keys"] == ["age", "gender"]
    assert sum(row["value"] for row in broken["results"]) == 1000, "the audience of the account"
    assert {"dimension_values", "value"} == set(broken["results"][0])
    reach = client.get("me/insights", metric="reach", breakdown="media_product_type", **asked | {"period": "day"})
    value = reach.json()["data"][0]["total_value"]
    assert sum(row["value"] for row in value["breakdowns"][0]["results"]) == value["value"]
    online = client.get("me/insights", metric="online_followers", period="lifetime").json()["data"][0]["values"][0]
    assert set(online["value"]) == {str(hour) for hour in range(24)}
    assert online["end_time"].endswith("T07:00:00+0000"), "midnight in California"


@pytest.mark.parametrize(("followers", "told"), [(99, 0), (100, 1)])
def test_fewer_than_a_hundred_followers_are_told_nothing_of(client: Caller, followers: int, told: int) -> None:
    """The set is empty, as for every number that Meta does not have."""
    client.sandbox.change_account(client.user_id, audience=followers)
    assert client.get("me", fields="followers_count").json()["followers_count"] == followers
    asked = {"period": "lifetime", "metric_type": "total_value", "timeframe": "this_month"}
    who = client.get("me/insights", metric="follower_demographics", breakdown="age", **asked)
    when = client.get("me/insights", metric="online_followers", period="lifetime")
    assert [(answer.status_code, len(answer.json()["data"])) for answer in (who, when)] == [(200, told)] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "follower_demographics"},
        {"metric": "follower_demographics", "breakdown": "follow_type"},
        {"metric": "follower_demographics", "breakdown": "age", "timeframe": "", "period": ""},
        {"metric": "follower_demographics", "breakdown": "age", "timeframe": "last_year"},
        {"metric": "reach", "breakdown": "age"},
        {"metric": "reach", "breakdown": "follow_type", "metric_type": "time_series"},
    ],
    ids=["no breakdown", "not of this metric", "no time", "no timeframe that is known", "of another", "day by day"],
)
def test_a_breakdown_that_does_not_fit_is_refused(client: Caller, wrong: dict[str, str]) -> None:
    asked = {"period": "day", "metric_type": "total_value", "timeframe": "this_month"} | wrong
    assert client.get("me/insights", **asked).json()["error"]["code"] == 100


@pytest.mark.parametrize("missing", ["period", "timeframe"])
def test_demographics_with_one_time_are_taken_with_a_warning_and_strict_refuses_them(
    client: Caller, missing: str
) -> None:
    """Reported: two clients in production send one each. Meta's page asks for both."""
    asked = {"metric": "follower_demographics", "breakdown": "age", "metric_type": "total_value"}
    times = {"period": "lifetime", "timeframe": "this_month"}
    del times[missing]
    assert len(client.get("me/insights", **asked, **times).json()["data"]) == 1
    assert f"Demographics need a {missing}" in client.sandbox.warnings[0]
    client.sandbox.switch(unknown_parameters="refuse")
    assert client.get("me/insights", **asked, **times).json()["error"]["code"] == 100


def test_insights_of_a_story_are_broken_down(client: Caller, picture: WebServer) -> None:
    """Captured: names in small letters, under total_value. Documented: other metrics have no breakdown."""
    story = client.publish(client.create(media_type="STORIES", image_url=picture.url).json()["id"]).json()["id"]
    client.sandbox.set_insights(story, navigation=40, reach=50)
    asked = {"metric": "navigation", "breakdown": "story_navigation_action_type"}
    (row,) = client.get(f"{story}/insights", **asked).json()["data"]
    (parts,) = row["total_value"]["breakdowns"]
    assert parts["dimension_keys"] == ["story_navigation_action_type"]
    assert {one["dimension_values"][0] for one in parts["results"]} >= {"tap_forward", "tap_back", "tap_exit"}
    assert sum(one["value"] for one in parts["results"]) == row["total_value"]["value"] == 40
    inside = client.get(story, fields="insights.metric(navigation).breakdown(story_navigation_action_type)").json()
    assert inside["insights"]["data"] == [row]
    for wrong in ({"metric": "navigation,reach"}, {"breakdown": "age"}):
        assert client.get(f"{story}/insights", **asked | wrong).json()["error"]["code"] == 100


def test_parameters_of_facebook_login_alone_are_ignored_with_instagram_login(
    client: Caller, facebook: Caller, picture: WebServer
) -> None:
    """marqetive-lib marks a paid partnership."""
    paid = {"media_type": "IMAGE", "image_url": picture.url, "is_paid_partnership": "true"}
    made = facebook.create(**paid, branded_content_sponsor_ids='["17841400000000099"]')
    media_id = facebook.publish(made.json()["id"]).json()["id"]
    (post,) = facebook.sandbox.posts
    assert post.media_id == media_id
    assert "Paid partnership with 17841400000000099" in facebook.http.get(post.permalink).text
    for wrong in ('["1", "2"]', '["17841400000000097", "17841400000000098", "17841400000000099"]', "nobody"):
        assert facebook.create(**paid, branded_content_sponsor_ids=wrong).json()["error"]["code"] == 100
    assert client.sandbox.warnings == []
    assert client.create(**paid).status_code == 200
    assert "is_paid_partnership" in client.sandbox.warnings[0]


@pytest.mark.parametrize(
    "more",
    [
        {"share_to_feed": "", "is_carousel_item": "", "thumb_offset": "", "location_id": "", "user_tags": ""},
        {"id": "17841400000000001"},
        {"media_type": "STORIES", "user_tags": '[{"username": "mira.k", "x": 0.5, "y": 0.5}]'},
        {"media_type": "STORIES", "user_tags": '[{"username": "mira.k"}]'},
    ],
    ids=["empty values", "the id of the node", "a story's tag with a place", "a story's tag without one"],
)
def test_what_clients_send_beside_a_picture_needs_no_warning(
    client: Caller, picture: WebServer, more: dict[str, str]
) -> None:
    sent = {"media_type": "IMAGE", "image_url": picture.url} | more
    assert client.create(**sent).status_code == 200
    assert [warning for warning in client.sandbox.warnings if "share_to_feed" not in warning] == []


def test_numbers_and_nulls_in_json_are_taken(client: Caller, web: WebServer) -> None:
    made = client.http.post(
        "/v27.0/me/media", json={"media_type": "REELS", "video_url": web.url, "thumb_offset": 1500.0, "caption": None}
    ).json()
    client.sandbox.settle()
    assert client.http.post("/v27.0/me/media_publish", json={"creation_id": int(made["id"])}).status_code == 200
    query = {"creation_id": made["id"]}
    null = client.http.post(
        "/v27.0/me/media_publish", params=query, content="null", headers={"Content-Type": "application/json"}
    )
    assert null.json()["error"]["error_subcode"] == 2207008, "the body is none, and the query is read"


def test_fields_may_be_an_array_in_json(client: Caller) -> None:
    """The package fb sends lists so."""
    assert client.get("me", fields='["id","username"]').json()["username"] == "sandbox_studio"
    assert client.get("me", fields='["id"').json()["error"]["code"] == 2500


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"response_type": "code"}, {"code"}),
        ({"response_type": "code,granted_scopes"}, {"code", "granted_scopes", "denied_scopes"}),
        ({"scope": "", "config_id": "1234"}, {"code"}),
        ({"scope": "instagram_basic,pages_manage_engagement,read_insights"}, {"code"}),
    ],
    ids=["code", "with the scopes", "a configuration instead of scopes", "scopes of Pages"],
)
def test_the_dialog_of_facebook_takes_what_clients_ask(
    documented: SandboxHandle, asked: dict[str, str], told: set[str]
) -> None:
    sent = {"client_id": documented.app_id, "redirect_uri": BACK, "scope": "instagram_basic", "state": "s1"} | asked
    http = httpx.Client(base_url=documented.url, trust_env=False)
    assert http.get("/v27.0/dialog/oauth", params=sent).status_code == 200
    back = http.post("/v27.0/dialog/oauth", data=sent | {"decision": "allow", "account": documented.user_id})
    url = urlsplit(back.headers["location"])
    assert url.fragment == "_=_"
    query = {name: value for name, (value,) in parse_qs(url.query, keep_blank_values=True).items()}
    assert set(query) == told | {"state"}
    app = {"client_id": documented.app_id, "client_secret": documented.app_secret}
    grant = app | {"redirect_uri": BACK, "code": query["code"]}
    token = http.get("/v27.0/oauth/access_token", params=grant).json()["access_token"]
    scopes = [row["permission"] for row in Caller(documented, token).get("me/permissions").json()["data"]]
    assert "instagram_basic" in scopes


def test_a_script_gets_its_token_from_the_dialog(documented: SandboxHandle) -> None:
    sent = {
        "client_id": documented.app_id,
        "redirect_uri": BACK,
        "response_type": "token",
        "scope": "instagram_basic,pages_show_list",
        "state": "s1",
    }
    chosen = {"decision": "allow", "account": documented.user_id}
    back = httpx.post(f"{documented.url}/v27.0/dialog/oauth", data=sent | chosen, trust_env=False)
    url = urlsplit(back.headers["location"])
    told = {name: value for name, (value,) in parse_qs(url.fragment).items()}
    assert (url.query, told["state"], told["expires_in"]) == ("", "s1", "3600")
    assert Caller(documented, told["access_token"]).get("me/accounts").json()["data"]


def test_a_script_in_a_browser_may_call_and_read(client: Caller) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    allowed = client.http.options("/v27.0/me/media", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "*")
    assert allowed.headers["access-control-allow-headers"] == "authorization,content-type"
    assert client.get("me").headers["access-control-allow-origin"] == "*"
    assert client.get("me", fields="nonsense").headers["access-control-allow-origin"] == "*"
    for page in ("/oauth/authorize", "/_sandbox/journal", "/"):
        assert "access-control-allow-origin" not in client.http.get(page).headers
    assert [entry.operation for entry in client.sandbox.journal()][:1] == ["account"], "a preflight is no call"


def test_a_certificate_that_the_machine_trusts_is_trusted(mocker: MockerFixture) -> None:
    """A client that takes links of https only needs a test server with an authority of its own."""
    fetch.trusted.cache_clear()
    names = {json.dumps(one["subject"]) for one in fetch.trusted().get_ca_certs()}
    assert len(names) > 50, "those of the web"
    loaded: list[Any] = []
    real = ssl.SSLContext.load_default_certs

    def load(context: ssl.SSLContext) -> None:
        loaded.append(context)
        real(context)

    mocker.patch.object(ssl.SSLContext, "load_default_certs", load)
    fetch.trusted.cache_clear()
    assert loaded == [fetch.trusted()]
    fetch.trusted.cache_clear()


def test_one_bad_video_among_many_media_is_named(client: Caller, make_picture: Callable[..., bytes]) -> None:
    """A carousel whose child failed shows the child's error at once, not an endless IN_PROGRESS."""
    with (
        serving(WebServer(make_picture(), content_type="image/jpeg", status=200)) as good,
        serving(WebServer(b"", status=404)) as bad,
    ):
        sources = ({"media_type": "IMAGE", "image_url": good.url}, {"media_type": "VIDEO", "video_url": bad.url})
        ids = [client.create(**source, is_carousel_item="true").json()["id"] for source in sources]
        whole = client.create(media_type="CAROUSEL", children=",".join(ids)).json()["id"]
        client.sandbox.settle()
        assert client.status(whole)["status_code"] == "ERROR"
