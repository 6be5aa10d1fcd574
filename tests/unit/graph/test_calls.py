from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.graph import calls

USER = "17841400000000001"


def test_a_creation_sends_its_parameters_in_metas_forms() -> None:
    given = {"caption": "Größe {{ 1 }}", "thumb_offset": 0, "share_to_feed": False, "collaborators": ["ada", "bob"]}
    call = calls.create_container(USER, {**given, "trial_params": {"graduation_strategy": "MANUAL"}, "cover_url": None})
    assert (call.method, call.path, call.safe) == ("POST", f"{USER}/media", False)
    assert call.params == {
        "caption": "Größe {{ 1 }}",
        "thumb_offset": "0",
        "share_to_feed": "false",
        "collaborators": '["ada", "bob"]',
        "trial_params": '{"graduation_strategy": "MANUAL"}',
    }


def test_a_status_read_asks_only_for_fields_that_exist() -> None:
    with_copyright = calls.container_status("17900000000000001", with_copyright=True)
    assert with_copyright.params == {"fields": "status_code,status,video_status,copyright_check_status"}
    call = calls.container_status("17900000000000001")
    assert (call.method, call.path, call.safe) == ("GET", "17900000000000001", True)
    assert set(call.params["fields"].split(",")) <= {
        "id", "status_code", "status", "video_status", "copyright_check_status",
    }  # fmt: skip


def test_a_publish_names_its_container_and_is_never_safe() -> None:
    call = calls.publish(USER, "17900000000000001")
    assert (call.method, call.path, call.safe) == ("POST", f"{USER}/media_publish", False)
    assert call.params == {"creation_id": "17900000000000001"}
    assert call.read({"id": "18"}) == "18"


def test_a_media_list_asks_by_time_and_place() -> None:
    params = calls.media_list(USER, since=datetime(2026, 11, 24, tzinfo=timezone.utc), after="QVFI", limit=50).params
    assert params["since"] == "1795478400"
    assert (params["after"], params["limit"]) == ("QVFI", "50")
    assert {"id", "caption", "timestamp", "permalink"} <= set(params["fields"].split(","))


def test_the_publishing_limit_asks_for_the_quota_itself() -> None:
    assert calls.publishing_limit(USER).params == {"fields": "quota_usage,config"}


@pytest.mark.parametrize("odd", ["", "None", "../me", "1/../2", "17?x=1", "\uff11\uff12", " 17"])
def test_nothing_but_an_id_becomes_part_of_a_path(odd: str) -> None:
    with pytest.raises(ValidationError):
        calls.container_status(odd)
    with pytest.raises(ValidationError):
        calls.publish(USER, odd)
    with pytest.raises(ValidationError):
        calls.create_container(odd, {})


def test_a_call_does_not_show_its_parameters() -> None:
    assert "caption" not in repr(calls.create_container(USER, {"caption": "a caption"}))


def test_a_page_token_tells_the_instagram_account_of_its_page() -> None:
    call = calls.page_account()
    assert (call.path, call.params["fields"]) == ("me", "instagram_business_account{id,username,profile_picture_url}")
    account = call.read({"instagram_business_account": {"id": "17841400000000001", "username": "studio"}, "id": "12"})
    assert (account.user_id, account.username, account.account_type) == ("17841400000000001", "studio", None)
    with pytest.raises(PermissionDeniedError, match="Linked accounts"):
        call.read({"id": "12"})
