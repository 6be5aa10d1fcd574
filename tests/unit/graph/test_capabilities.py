"""The scopes that a connection asks for: names only, of the right login."""

from __future__ import annotations

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, needed_by, read_scopes


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("", ()),
        ("comments", ("instagram_business_manage_comments",)),
        ("comments, insights", ("instagram_business_manage_comments", "instagram_business_manage_insights")),
        (
            "instagram_business_manage_messages comments",
            ("instagram_business_manage_messages", "instagram_business_manage_comments"),
        ),
        ("instagram_business_manage_comments,comments", ("instagram_business_manage_comments",)),
        ("publishing, instagram_business_basic", ()),
    ],
)
def test_scopes_are_named_by_feature_or_by_meta(text: str, scopes: tuple[str, ...]) -> None:
    assert read_scopes(text, MetaLogin.INSTAGRAM) == scopes


def test_facebook_login_has_names_of_its_own() -> None:
    assert read_scopes("comments, pages_manage_metadata", MetaLogin.FACEBOOK) == (
        "instagram_manage_comments",
        "pages_manage_metadata",
    )


@pytest.mark.parametrize(
    ("text", "is_facebook_login"),
    [
        ("instagram_manage_comments", False),
        ("instagram_business_manage_comments", True),
        ("comments&redirect_uri=https://evil.example.com", False),
        ("instagram_business_\u200bmanage", False),
        ("instagram_business_" + "x" * 200, False),
        ("Comments", False),
        ("<script>", True),
    ],
)
def test_what_is_no_scope_of_this_login_is_refused(text: str, is_facebook_login: bool) -> None:
    with pytest.raises(ValidationError, match="is not a scope of") as refused:
        read_scopes(text, MetaLogin.FACEBOOK if is_facebook_login else MetaLogin.INSTAGRAM)
    assert "Use comments, insights, or one of Meta's names" in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"media_type": "REELS", "trial_params": "{}", "collaborators": "[]"}, []),
        ({"media_type": "STORIES"}, ["stories"]),
        ({"media_type": "REELS", "trial_params": "{}", "poll_attachment": "{}"}, ["polls"]),
    ],
)
def test_an_account_that_may_publish_may_still_lack_some_of_what_a_post_needs(
    parameters: dict[str, str], names: list[str]
) -> None:
    """A refusal of anything else means that the account may not publish."""
    assert [each.name for each in needed_by(parameters) if each.needs_more_than(PUBLISHING)] == names
