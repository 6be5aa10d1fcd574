"""One comment per key: the writer against the sandbox, with the ledger in a dict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.exceptions import (
    InstagramError,
    OutcomeUnknownError,
    PermissionDeniedError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.ledger.ledger import CommentLedger, digest
from airflow_provider_instagram.ledger.records import Claim, Owner, Try
from airflow_provider_instagram.publishing.comments import COMMENT, HIDE, REPLY, Act, CommentWriter, PrivateReply
from tests.integration.account import OTHER, OWNER

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.integration.account import Account

TEXT = "Filmed in Lisbon"


class Writing:
    """The comments of an account, on one of its posts."""

    def __init__(self, account: Account) -> None:
        self.account, self.sandbox = account, account.sandbox
        self.ledger = CommentLedger(account.store, "studio", account.now)
        self.media_id = self.sandbox.add_foreign_post("A post")

    def write(self, message: str = TEXT, *, key: str = "first", owner: Owner = OWNER, media_id: str = "") -> str:
        return self.act(COMMENT, media_id or self.media_id, message, key=key, owner=owner)

    def act(self, act: Act, target: str, message: str = TEXT, *, key: str = "first", owner: Owner = OWNER) -> str:
        attempt = Try(owner, self.account.alive.__contains__)
        writer = CommentWriter(self.account.client, self.ledger, attempt, act, self.account.wait)
        return writer.get_or_write(key, target, message).comment_id

    def intent(self, owner: Owner = OWNER, message: str = TEXT, target: str = "") -> None:
        """Write the rows that a try leaves if it dies between its intent and its answer."""
        claim = Claim(owner, f"a former try of {owner}")
        ledger = CommentLedger(self.account.store, "studio", self.account.now, text=digest(message))
        ledger.record_claim("first", claim)
        ledger.record_intent("first", target or self.media_id, claim)

    def send(self, message: str = TEXT) -> str:
        return self.account.client.send(calls.write_comment(self.media_id, message))

    @property
    def texts(self) -> list[str]:
        return [comment.text for comment in self.sandbox.comments(self.media_id)]


@pytest.fixture
def writing(account: Account) -> Writing:
    return Writing(account)


def test_a_comment_is_written_once(writing: Writing) -> None:
    comment_id = writing.write()
    (real,) = writing.sandbox.comments()
    assert comment_id == real.comment_id
    assert writing.write() == comment_id
    assert writing.texts == [TEXT]
    assert writing.sandbox.calls("comment") == 1


def test_each_key_has_its_comment_even_with_the_same_text(writing: Writing) -> None:
    assert writing.write(key="first") != writing.write(key="second")
    assert writing.texts == [TEXT, TEXT]


@pytest.mark.parametrize(
    ("act", "loop_index", "given", "key"),
    [
        (COMMENT, None, None, "calendar/publish/178"),
        (COMMENT, 1, None, "calendar/publish/178/pass-1"),
        (COMMENT, 1, "first", "first"),
        (REPLY, 1, None, "reply:calendar/publish/178"),  # a loop that reads comments again answers each once
        (REPLY, None, "first", "reply:first"),
    ],
)
def test_the_default_key_names_the_task_and_what_it_comments_on(
    act: Act, loop_index: int | None, given: str | None, key: str
) -> None:
    assert act.key(given, replace(OTHER, loop_index=loop_index), "178") == key


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "after"},
        {"code": 2, "when": "after"},
        {"html": True, "when": "after"},
        {"status": 500, "when": "after"},
        {"code": 20, "subcode": 1772107, "when": "after"},
    ],
    ids=["dropped", "code 2", "HTML", "HTTP 500", "no such format of an answer"],
)
def test_a_lost_answer_is_settled_by_reading(writing: Writing, fault: dict[str, Any]) -> None:
    """The comment is live, but its answer never arrived: it is found, and nothing is sent again."""
    writing.sandbox.fail("comment", **fault)
    comment_id = writing.write()
    (real,) = writing.sandbox.comments()
    assert comment_id == real.comment_id
    assert writing.sandbox.calls("comment") == 1


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"code": 2}], ids=["dropped", "code 2"])
def test_a_request_that_never_arrived_is_sent_again_by_the_next_try_only(
    writing: Writing, fault: dict[str, Any]
) -> None:
    """Meta may still execute the request for 150 s. A comment that is not there after that was not written."""
    writing.sandbox.fail("comment", **fault)
    with pytest.raises(TransientError) as lost:
        writing.write()
    assert not lost.value.outcome_unknown
    assert sum(writing.account.waits) >= 150
    assert writing.texts == []
    writing.write()
    assert writing.texts == [TEXT]


def test_a_try_that_died_after_its_request_is_settled_by_the_next(writing: Writing) -> None:
    writing.intent()
    comment_id = writing.send()
    assert writing.write() == comment_id
    assert writing.sandbox.calls("comment") == 1


def test_a_try_that_died_before_its_request_is_repeated_once(writing: Writing) -> None:
    writing.intent()
    writing.write()
    assert sum(writing.account.waits) >= 150
    assert writing.texts == [TEXT]


def test_what_was_sent_counts_even_if_the_message_has_changed_since(writing: Writing) -> None:
    writing.intent(message="An earlier text")
    comment_id = writing.send("An earlier text")
    assert writing.write("A later text") == comment_id
    assert writing.texts == ["An earlier text"]


def test_an_answer_that_is_lost_while_the_comments_cannot_be_read_is_settled_by_the_next_try(writing: Writing) -> None:
    writing.sandbox.fail("comment", drop="after")
    writing.sandbox.fail("comments", status=500, times=4)
    with pytest.raises(TransientError):
        writing.write()
    assert writing.write() == writing.sandbox.comments()[0].comment_id
    assert writing.sandbox.calls("comment") == 1


def test_the_same_words_of_another_account_are_not_ours(writing: Writing) -> None:
    writing.intent()
    writing.sandbox.add_comment(writing.media_id, TEXT, "a_follower")
    writing.account.wait(5)
    writing.write()
    assert sorted(comment.username for comment in writing.sandbox.comments()) == ["a_follower", "sandbox_studio"]


def test_an_older_comment_with_the_text_is_not_ours(writing: Writing) -> None:
    older = writing.send()
    writing.account.wait(600)
    writing.intent()
    assert writing.write() != older
    assert writing.texts == [TEXT, TEXT]


def test_another_keys_comment_is_not_taken(writing: Writing) -> None:
    other = writing.write(key="second")
    writing.intent()
    assert writing.write() != other
    assert writing.texts == [TEXT, TEXT]


def test_two_comments_that_may_be_the_one_are_left_to_a_person(writing: Writing) -> None:
    """Nothing is guessed, and nothing is sent. Once one of them is deleted, the other is taken."""
    writing.intent()
    first, second = writing.send(), writing.send()
    writing.account.wait(5)
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError, match="2 comments there may be the one") as unknown:
            writing.write()
        assert "delete those that are not wanted" in str(unknown.value)
    assert writing.sandbox.calls("comment") == 2
    headers = {"Authorization": f"Bearer {writing.sandbox.token}"}
    httpx.delete(f"{writing.sandbox.url}/v27.0/{second}", headers=headers, trust_env=False).raise_for_status()
    assert writing.write() == first


def test_a_comment_is_found_among_many(writing: Writing) -> None:
    writing.intent()
    comment_id = writing.send()
    for number in range(120):
        writing.sandbox.add_comment(writing.media_id, f"Lovely {number}")
    assert writing.write() == comment_id
    assert writing.sandbox.calls("comments") >= 3


def test_a_post_that_is_too_new_to_be_known_is_waited_for(account: Account) -> None:
    """Strict: a new id answers 100/33 for a while, also to the comment."""
    writing = Writing(account)
    account.sandbox.switch(fresh_id_unknown_s=8)
    writing.media_id = account.sandbox.add_foreign_post("A new post")
    writing.write()
    assert writing.texts == [TEXT]
    assert account.sandbox.calls("comment") == 1


def test_a_missing_scope_is_a_refusal_that_leaves_nothing_open(writing: Writing) -> None:
    token = writing.sandbox.add_token(
        writing.sandbox.user_id, scopes=["instagram_business_basic", "instagram_business_content_publish"]
    )
    with GraphClient(token, base_url=writing.sandbox.url) as client:
        writer = CommentWriter(client, writing.ledger, Try(OWNER, lambda _: False), sleep=writing.account.wait)
        with pytest.raises(PermissionDeniedError, match="instagram_business_manage_comments"):
            writer.get_or_write("first", writing.media_id, TEXT)
    assert writing.ledger.open_intents("first", OWNER) == []
    writing.write()
    assert writing.texts == [TEXT]


@pytest.mark.parametrize(("code", "subcode"), [(506, None), (20, 1772107)])
def test_a_comment_that_instagram_says_it_made_and_that_is_not_found_is_left_to_a_person(
    writing: Writing, code: int, subcode: int | None
) -> None:
    writing.sandbox.fail("comment", code=code, subcode=subcode)
    with pytest.raises(OutcomeUnknownError) as unknown:
        writing.write()
    assert "clear this task" in str(unknown.value)
    assert writing.texts == []
    assert len(writing.ledger.open_intents("first", OWNER)) == 1


def test_an_owner_that_is_at_work_keeps_the_others_away(writing: Writing) -> None:
    writing.intent(OTHER)
    writing.account.alive.add(OTHER)
    with pytest.raises(TransientError, match="comment_key 'first' is being written by calendar/run-2"):
        writing.write()
    assert writing.sandbox.calls("comment") == 0
    writing.account.alive.clear()
    writing.write()
    assert writing.texts == [TEXT]


def test_an_owner_that_was_overtaken_sends_nothing(writing: Writing, mocker: MockerFixture) -> None:
    """Another owner claims the key between this one's intent and its request."""
    record_intent = CommentLedger.record_intent

    def overtaken(ledger: CommentLedger, key: str, media_id: str, claim: Claim) -> Any:
        intent = record_intent(ledger, key, media_id, claim)
        ledger.record_claim(key, Claim(OTHER, "later"))
        return intent

    mocker.patch.object(CommentLedger, "record_intent", overtaken)
    with pytest.raises(TransientError, match="sent nothing"):
        writing.write()
    assert writing.sandbox.calls("comment") == 0


def test_a_key_is_for_one_post(writing: Writing) -> None:
    writing.write()
    other = writing.sandbox.add_foreign_post("Another post")
    with pytest.raises(ValidationError, match="not on") as refused:
        writing.write(media_id=other)
    assert "airflow instagram ledger forget --conn-id studio -- first" in str(refused.value)
    assert writing.texts == [TEXT]


def test_a_comment_leaves_the_rows_of_posts_alone(writing: Writing) -> None:
    writing.write(key="one-key")
    assert writing.account.ledger.claim("one-key") is None
    assert writing.account.ledger.intent("one-key") is None
    assert writing.account.ledger.post("one-key") is None
    assert {key.partition(":")[0] for key in writing.account.store} == {
        "comment",
        "comment-claim",
        "comment-id",
        "comment-intent",
    }


def test_a_refusal_that_meta_does_not_document_is_certain_after_reading(writing: Writing) -> None:
    writing.sandbox.fail("comment", code=100)
    with pytest.raises(InstagramError) as refused:
        writing.write()
    assert not refused.value.outcome_unknown
    assert writing.ledger.open_intents("first", OWNER) == []


@pytest.fixture
def asked(writing: Writing) -> str:
    """A comment of a follower."""
    comment_id = writing.sandbox.add_comment(writing.media_id, "Where is this?").comment_id
    writing.account.wait(600)
    return comment_id


def replies(writing: Writing, comment_id: str) -> list[str]:
    return [one.comment_id for one in writing.sandbox.comments() if one.parent_id == comment_id]


def test_a_reply_is_written_once(writing: Writing, asked: str) -> None:
    assert [writing.act(REPLY, asked) for _ in range(2)] == replies(writing, asked) * 2
    assert writing.sandbox.calls("comment") == 1


def test_a_lost_answer_to_a_reply_is_settled_by_reading_the_replies(writing: Writing, asked: str) -> None:
    """The same words below the post, and below another comment, are not taken for it."""
    other = writing.sandbox.add_comment(writing.media_id, "And who?").comment_id
    writing.write(key="below the post")
    writing.act(REPLY, other, key="below another")
    writing.sandbox.fail("comment", drop="after")
    assert [writing.act(REPLY, asked)] == replies(writing, asked)


def test_a_reply_that_never_arrived_is_sent_again_by_the_next_try_only(writing: Writing, asked: str) -> None:
    writing.sandbox.fail("comment", drop="before")
    with pytest.raises(TransientError):
        writing.act(REPLY, asked)
    assert replies(writing, asked) == []
    assert [writing.act(REPLY, asked)] == replies(writing, asked)


def test_a_reply_to_a_reply_is_found_among_the_replies_to_its_comment(writing: Writing, asked: str) -> None:
    further = writing.sandbox.add_comment(writing.media_id, "Which street?", parent_id=asked).comment_id
    writing.sandbox.fail("comment", drop="after")
    assert [further, writing.act(REPLY, further)] == replies(writing, asked)
    assert writing.sandbox.calls("comment") == 1


def test_the_accounts_own_reply_is_not_answered(writing: Writing, asked: str) -> None:
    """A DAG that replies to each comment would answer itself without end. Its own comment it may answer."""
    own = writing.act(REPLY, asked)
    with pytest.raises(ValidationError, match="is a reply of the account itself"):
        writing.act(REPLY, own, key="again")
    below = writing.write(key="below the post")
    assert [writing.act(REPLY, below, key="below")] == replies(writing, below)


def test_two_replies_that_may_be_the_one_are_left_to_a_person(writing: Writing, asked: str) -> None:
    writing.intent(target=asked)
    for _ in range(2):
        writing.account.client.send(calls.write_reply(asked, TEXT))
    writing.account.wait(5)
    with pytest.raises(OutcomeUnknownError, match=f"started to reply to comment {asked}, and 2 comments there may be"):
        writing.act(REPLY, asked)


def test_nobody_replies_to_a_comment_that_is_hidden_or_gone(writing: Writing, asked: str) -> None:
    headers = {"Authorization": f"Bearer {writing.sandbox.token}"}
    with httpx.Client(base_url=f"{writing.sandbox.url}/v27.0", headers=headers, trust_env=False) as http:
        http.post(f"/{asked}", data={"hide": "true"}).raise_for_status()
        with pytest.raises(ValidationError, match="is hidden"):
            writing.act(REPLY, asked)
        http.delete(f"/{asked}").raise_for_status()
        with pytest.raises(ValidationError, match=f"has no comment {asked}"):
            writing.act(REPLY, asked)
    assert writing.sandbox.calls("comment") == 0
    assert writing.ledger.open_intents("first", OWNER) == []


def hidden(writing: Writing, comment_id: str) -> bool:
    return next(one.hidden for one in writing.sandbox.comments() if one.comment_id == comment_id)


def hides(writing: Writing) -> int:
    return sum(entry.effect for entry in writing.sandbox.journal("moderate"))


def test_a_comment_is_hidden_once_and_not_again_if_a_person_shows_it(writing: Writing, asked: str) -> None:
    assert writing.act(HIDE, asked, "") == asked
    assert hidden(writing, asked)
    headers = {"Authorization": f"Bearer {writing.sandbox.token}"}
    url = f"{writing.sandbox.url}/v27.0/{asked}"
    httpx.post(url, data={"hide": "false"}, headers=headers, trust_env=False).raise_for_status()
    assert writing.act(HIDE, asked, "") == asked
    assert not hidden(writing, asked)


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"code": 2, "when": "after"}], ids=["dropped", "code 2"])
def test_a_lost_answer_to_hide_is_settled_by_reading_the_comment(
    writing: Writing, asked: str, fault: dict[str, Any]
) -> None:
    writing.sandbox.fail("moderate", **fault)
    assert writing.act(HIDE, asked, "") == asked
    assert hides(writing) == 1


def test_a_request_to_hide_that_never_arrived_is_sent_again_by_the_next_try(writing: Writing, asked: str) -> None:
    writing.sandbox.fail("moderate", drop="before")
    with pytest.raises(TransientError):
        writing.act(HIDE, asked, "")
    assert not hidden(writing, asked)
    writing.act(HIDE, asked, "")
    assert (hidden(writing, asked), hides(writing)) == (True, 1)


def test_ones_own_comment_cannot_be_hidden(writing: Writing) -> None:
    own = writing.write()
    with pytest.raises(ValidationError, match="the account's own"):
        writing.act(HIDE, own, "", key="hide")


def private(writing: Writing) -> Act:
    return PrivateReply(lambda _: writing.sandbox.user_id)


def test_a_private_reply_is_sent_once(writing: Writing, asked: str) -> None:
    ids = [writing.act(private(writing), asked) for _ in range(2)]
    (sent,) = writing.sandbox.messages()
    assert (sent.comment_id, sent.text, ids) == (asked, TEXT, [sent.message_id] * 2)
    assert writing.sandbox.calls("message") == 1


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_private_reply_whose_answer_is_lost_is_left_to_a_person(writing: Writing, asked: str, side: Any) -> None:
    """Nothing that the scopes allow tells whether it was sent. Nothing is sent again, not even by later tries."""
    ledger = replace(writing.ledger, remedy=private(writing).remedy)
    writing.ledger = ledger
    writing.sandbox.fail("message", drop=side)
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError, match="does not tell whether the message was sent") as unknown:
            writing.act(private(writing), asked)
        assert "Look at the messages of the account" in str(unknown.value)
        assert "run `airflow instagram ledger forget --conn-id studio -- first`" in str(unknown.value)
    assert writing.sandbox.calls("message") == 1
    assert len(writing.sandbox.messages()) == (side == "after")


def test_a_private_reply_that_instagram_refuses_leaves_nothing_open(writing: Writing, asked: str) -> None:
    writing.sandbox.fail("message", code=10)
    with pytest.raises(PermissionDeniedError):
        writing.act(private(writing), asked)
    assert writing.ledger.open_intents("first", OWNER) == []
    writing.act(private(writing), asked)
    assert len(writing.sandbox.messages()) == 1


def test_a_comment_of_last_week_is_not_answered_privately(writing: Writing, asked: str) -> None:
    writing.account.wait(7 * 86_400)
    with pytest.raises(ValidationError, match="for 7 days"):
        writing.act(private(writing), asked)
    assert writing.sandbox.calls("message") == 0
