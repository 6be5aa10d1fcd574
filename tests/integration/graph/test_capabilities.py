"""Every cell of the table of capabilities, tried on the sandbox: what it allows is allowed, what it denies is refused.

The expectations are Meta's pages as they were on 2026-11-28, not the table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from airflow_provider_instagram.graph.capabilities import CAPABILITIES, FEATURES, MetaLogin, missing, needed_by
from airflow_provider_instagram.hooks.scopes import AccountScopes
from airflow_provider_instagram.posts.post import Post

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

KINDS: Final = {"instagram": "instagram", "facebook": "page", "unified": "system"}
BASIC: Final = {"instagram": "instagram_business_basic", "facebook": "instagram_basic", "unified": "instagram_basic"}
PUBLISH: Final = ("instagram_business_content_publish", "instagram_content_publish")
POLL: Final = {"caption": "Which?", "poll_attachment": '{"option_a": "Red", "option_b": "Blue"}'}
#: The scope beside the basic one, with Instagram Login (None: Meta does not offer it) and with the other two.
EXPECTED: Final[dict[str, tuple[str | None, str]]] = {
    "publishing": PUBLISH,
    "stories": PUBLISH,
    "trial reels": PUBLISH,
    "collaborators": PUBLISH,
    "licensed music": (None, PUBLISH[1]),
    "polls": (None, PUBLISH[1]),
    "comment prompts": (None, PUBLISH[1]),
    "paid partnership labels": (None, PUBLISH[1]),
    "comments": ("instagram_business_manage_comments", "instagram_manage_comments"),
    "insights": ("instagram_business_manage_insights", "instagram_manage_insights"),
    "deletion": (None, "instagram_manage_contents"),
}
NEW_REEL: Final[dict[str, dict[str, str]]] = {
    "publishing": {},
    "stories": {"media_type": "STORIES"},
    "trial reels": {"trial_params": '{"graduation_strategy": "MANUAL"}'},
    "collaborators": {"collaborators": '["studio_two"]'},
    "licensed music": {"audio_configuration": '{"audio_id": "587000000000001"}'},
    "polls": POLL,
    "comment prompts": {"caption": "Which?", "is_comment_prompt_used": "true"},
    "paid partnership labels": {"is_paid_partnership": "true"},
}
OF_A_POST: Final = {
    "comments": ("POST", "/comments", {"message": "first"}),
    "insights": ("GET", "/insights", {"metric": "reach"}),
    "deletion": ("DELETE", "", {}),
}
CELLS: Final = [(name, login) for name in EXPECTED for login in KINDS]


def scope_of(name: str, login: str) -> str | None:
    return EXPECTED[name][0 if login == "instagram" else 1]


def answer(sandbox: SandboxHandle, name: str, login: str, scopes: list[str]) -> int | None:
    """Use a capability with a new token; gives the code of Meta's error, or None."""
    sandbox.switch(login="instagram" if login == "instagram" else "facebook")
    token = sandbox.add_token(sandbox.user_id, kind=KINDS[login], scopes=scopes)
    media_id = sandbox.add_foreign_post("a post of yesterday", age_s=86_400)
    with httpx.Client(base_url=f"{sandbox.url}/v27.0", trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {token}"
        if name in NEW_REEL:
            sent = {"media_type": "REELS", "upload_type": "resumable", **NEW_REEL[name]}
            found: dict[str, Any] = http.post(f"/{sandbox.user_id}/media", data=sent).json()
        else:
            method, edge, params = OF_A_POST[name]
            found = http.request(method, f"/{media_id}{edge}", params=params).json()
    code: int | None = found.get("error", {}).get("code")
    return code


@pytest.mark.parametrize(("name", "login"), CELLS)
def test_a_login_can_do_what_meta_says_and_nothing_else(
    instagram_sandbox: SandboxHandle, name: str, login: str
) -> None:
    scope = scope_of(name, login)
    everything = [BASIC[login], *filter(None, {scope_of(each, login) for each in EXPECTED})]
    code = answer(instagram_sandbox, name, login, [BASIC[login], scope] if scope else everything)
    assert (code is None) == (scope is not None)
    (row,) = (each for each in CAPABILITIES if each.name == name)
    lack = AccountScopes("of_test", frozenset(everything), MetaLogin(login)).lack(row)
    assert (lack is None) == (scope is not None)
    if scope is not None:
        others = [each for each in everything if each != scope]
        assert answer(instagram_sandbox, name, login, others) in (10, 200)
        lack = AccountScopes("of_test", frozenset(others), MetaLogin(login)).lack(row)
        assert lack is not None
        assert scope in lack.message


def test_the_table_has_no_other_rows() -> None:
    assert [each.name for each in CAPABILITIES] == list(EXPECTED)
    assert [each.name for each in FEATURES] == ["publishing", "comments", "insights", "deletion"]


@pytest.mark.parametrize(("account_type", "code"), [("BUSINESS", None), ("MEDIA_CREATOR", 10)])
@pytest.mark.parametrize("login", KINDS)
def test_only_a_business_account_has_stories(
    instagram_sandbox: SandboxHandle, login: str, account_type: str, code: int | None
) -> None:
    instagram_sandbox.change_account(instagram_sandbox.user_id, account_type=account_type)
    scopes = [BASIC[login], str(scope_of("stories", login))]
    assert answer(instagram_sandbox, "stories", login, scopes) == code
    assert answer(instagram_sandbox, "publishing", login, scopes) is None
    stories, publishing = (each for each in reversed(CAPABILITIES) if each.name in ("stories", "publishing"))
    assert (missing(MetaLogin(login), account_type, stories) is None) == (code is None)
    assert missing(MetaLogin(login), account_type, publishing) is None
    assert missing(MetaLogin(login), "PERSONAL", publishing) is not None
    assert missing(MetaLogin(login), None, stories) is None, "an unknown type is not refused"


def test_what_a_post_needs_is_read_from_what_is_sent() -> None:
    reel = Post(video="a.mp4", trial_graduation="MANUAL", collaborators=("ann",))
    story = Post(image="a.jpg", placement="story")
    assert [each.name for each in needed_by(reel.parameters())] == ["publishing", "trial reels", "collaborators"]
    assert [each.name for each in needed_by(story.parameters())] == ["publishing", "stories"]
    asked = {"audio_configuration": {}, **{name: json.loads(POLL[name]) for name in ("poll_attachment",)}}
    assert [each.name for each in needed_by(asked)] == ["publishing", "licensed music", "polls"]


def test_a_login_without_it_says_which_has_it() -> None:
    (polls,) = (each for each in CAPABILITIES if each.name == "polls")
    lack = missing(MetaLogin.INSTAGRAM, None, polls)
    assert str(lack) == (
        "Instagram Login has no polls. Connect the account by Facebook Login or Unified Login, or do without polls."
    )
