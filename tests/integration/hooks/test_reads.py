"""What the hook reads of an account, page by page, against the sandbox over HTTP."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks import InstagramHook

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def hook(instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> InstagramHook:
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(instagram_sandbox.connection))
    return InstagramHook()


def test_the_account_is_that_of_the_token(hook: InstagramHook, instagram_sandbox: SandboxHandle) -> None:
    account = hook.get_account()
    assert (account.user_id, account.username) == (instagram_sandbox.user_id, "sandbox_studio")


def test_the_newest_posts_come_first_and_a_page_is_read_only_when_it_is_needed(
    hook: InstagramHook, instagram_sandbox: SandboxHandle
) -> None:
    """There are 101 posts, on two pages."""
    added = [instagram_sandbox.add_foreign_post(f"Post {age}", age_s=60 * age) for age in range(101)]
    assert [post.caption for post in hook.list_media(limit=2)] == ["Post 0", "Post 1"]
    assert instagram_sandbox.calls("media_list") == 1
    assert [post.id for post in hook.list_media(limit=200)] == added
    assert instagram_sandbox.calls("media_list") == 3


@pytest.mark.parametrize("limit", [0, None])
def test_a_limit_that_is_none_is_refused_before_a_call(
    limit: Any, hook: InstagramHook, instagram_sandbox: SandboxHandle
) -> None:
    with pytest.raises(ValidationError, match=f"limit is {limit}.*at least 1"):
        hook.list_media(limit=limit)
    assert instagram_sandbox.journal() == []


def test_a_post_is_read_by_its_id_or_by_what_publish_returns(
    hook: InstagramHook, instagram_sandbox: SandboxHandle
) -> None:
    media_id = instagram_sandbox.add_foreign_post("Grüße", age_s=60)
    for given in (media_id, int(media_id), {"media_id": media_id, "permalink": None}):
        post = hook.get_media(given)
        assert (post.id, post.caption) == (media_id, "Grüße")
        assert post.permalink is not None
        assert post.timestamp is not None


def test_what_is_no_media_id_is_refused_before_a_call(hook: InstagramHook, instagram_sandbox: SandboxHandle) -> None:
    reads: tuple[Any, ...] = (hook.get_media, partial(hook.get_comments, limit=1), hook.get_insights)
    for read in reads:
        with pytest.raises(ValidationError, match="is not a media id"):
            read("https://instagram.com/p/1")
        with pytest.raises(ValidationError, match="There is no media id"):
            read({"media_id": None})
    assert instagram_sandbox.journal() == []


def test_comments_come_newest_first_page_by_page(hook: InstagramHook, instagram_sandbox: SandboxHandle) -> None:
    media_id = instagram_sandbox.add_foreign_post("Hello", age_s=7200)
    for number in range(51):
        instagram_sandbox.add_comment(media_id, f"Comment {number}", "anna")
        instagram_sandbox.advance(1)
    newest = hook.get_comments(media_id, limit=2)
    assert [(comment.text, comment.username) for comment in newest] == [("Comment 50", "anna"), ("Comment 49", "anna")]
    assert instagram_sandbox.calls("comments") == 1
    assert len(hook.get_comments(media_id, limit=100)) == 51
    assert instagram_sandbox.calls("comments") == 3


def test_insights_are_all_that_the_kind_of_the_post_has(hook: InstagramHook, instagram_sandbox: SandboxHandle) -> None:
    media_id = instagram_sandbox.add_foreign_post("Hello", age_s=7200)
    instagram_sandbox.set_insights(media_id, views=685, reach=0)
    reading = hook.get_insights(media_id)
    assert (reading.values["views"], reading.values["reach"]) == (685, 0)
    assert "reels_skip_rate" in reading.values


def test_a_metric_that_instagram_refuses_leaves_the_others(
    hook: InstagramHook, instagram_sandbox: SandboxHandle
) -> None:
    media_id = instagram_sandbox.add_foreign_post("Hello", age_s=7200)
    instagram_sandbox.set_insights(media_id, views=685)
    reading = hook.get_insights(media_id, ["views", "navigation"])
    assert reading.values == {"views": 685, "navigation": None}
    assert [reading.reason_of(name) for name in ("views", "navigation")] == [None, "refused"]
