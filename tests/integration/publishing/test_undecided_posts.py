"""Open outcomes of earlier tries and other runs: they are settled by reading, never by another request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    NotReadyError,
    OutcomeUnknownError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph.models import Media, Page
from airflow_provider_instagram.ledger.records import Claim, Owner
from airflow_provider_instagram.posts.post import Post
from airflow_provider_instagram.publishing.sources import MediaSource
from airflow_provider_instagram.quota.reservations import QuotaReservations, post_quotas
from tests.integration.account import OTHER, OWNER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.ledger.records import Intent
    from tests.integration.account import Account

NOT_READY = [(9007, 2207027), (24, 2207006), (100, 33)]


def listed(account: Account, change: Callable[[Page[Media]], Page[Media]]) -> None:
    """Change the list of media that the client reads."""
    send = account.client.send

    def sent(call: Call[Any]) -> Any:
        answer = send(call)
        return change(answer) if isinstance(answer, Page) else answer

    account.client.send = sent  # type: ignore[method-assign]


# ---- no second request


def test_a_list_that_cannot_be_read_yet_sends_nothing_again(account: Account, portrait_video: Path) -> None:
    """The answer is lost, the container is PUBLISHED, and its post cannot be looked for: nothing is sent again."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    account.sandbox.fail("media_list", 100, 33)
    with pytest.raises(NotReadyError):
        account.publish("post-1", container_id)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert account.sandbox.calls("publish") == 1


@pytest.mark.parametrize(("code", "subcode"), NOT_READY)
def test_the_container_is_read_before_a_request_that_was_not_ready_is_sent_again(
    account: Account, portrait_video: Path, code: int, subcode: int
) -> None:
    """Instagram calls a published container *not ready*. Reading the container shows the post after a while."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", code, subcode, when="after")
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert account.sandbox.calls("publish") == 1


@pytest.mark.parametrize("answer", [{"status": 400, "body": {"success": False}}, {"status": 403, "body": {}}])
def test_an_answer_that_is_not_from_meta_proves_nothing(
    account: Account, portrait_video: Path, answer: dict[str, Any]
) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", when="after", **answer)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert account.sandbox.calls("publish") == 1


def test_create_does_not_overwrite_the_intent_of_another_run(account: Account, portrait_video: Path) -> None:
    """Create of run 2 has read an old intent of run 1 and is slow. Meanwhile, run 1 sends its request and dies."""
    account.intent(account.container(portrait_video))
    account.sandbox.advance(timedelta(hours=25))
    send, account.client.send = account.client.send, lambda call: meanwhile(call)  # type: ignore[method-assign]

    def meanwhile(call: Call[Any]) -> Any:
        status = send(call)
        account.client.send = send  # type: ignore[method-assign]
        account.intent(account.container(portrait_video))
        return status

    account.container(portrait_video)
    new = account.ledger.containers("post-1")[1]
    assert [intent.container_id for intent in account.ledger.open_intents("post-1")] == [new.container_id]


def test_of_two_intents_for_a_container_the_later_counts(account: Account, portrait_video: Path) -> None:
    """Run 1 died long ago. Run 2 settled that, sent its request and died at once. Instagram still executes it."""
    account.sandbox.switch(visible_after_s=10)
    for number in range(2, 6):  # in any order of the owners in a set
        key, other = f"post-{number}", Owner("calendar", f"run-{number}", "publish", -1)
        container_id = account.container(portrait_video, key=key)
        account.intent(container_id, OWNER, key)
        account.sandbox.advance(600)
        account.intent(container_id, other, key)
        account.publish_behind_our_back(container_id)
        account.publish(key, container_id)
        assert account.sandbox.calls("publish") == len(account.sandbox.posts) == number - 1


def test_an_intent_that_a_late_write_has_hidden_is_not_lost_with_the_try_that_found_it(
    account: Account, portrait_video: Path
) -> None:
    """Another owner published and died, and a late write hides its intent. Our first try finds the intent and fails."""
    container_id = account.container(portrait_video)
    account.intent(container_id, OTHER)
    media_id = account.publish_behind_our_back(container_id)
    late = Claim(Owner("calendar", "run-9", "publish", -1), "late")
    account.ledger.withdraw(account.ledger.record_intent("post-1", "17900000000000000", late))
    account.sandbox.fail("status", 2, times=4)
    with pytest.raises(TransientError):
        account.publish("post-1", container_id)

    assert account.container(portrait_video, caption="edited") == container_id, "create sees it as well"
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == media_id
    assert account.sandbox.calls("publish") == 1


@pytest.mark.parametrize(("status", "side"), [(400, "before"), (500, "after")])
def test_another_token_sends_a_request_anew_only_behind_a_fence_of_its_own(
    account: Account, portrait_video: Path, status: int, side: Literal["before", "after"]
) -> None:
    """A dead token is certainly refused by a 400 only: a new intent is written, and the request is sent again."""
    container_id = account.container(portrait_video)
    another = account.sandbox.add_token(account.sandbox.user_id)
    account.client._replacement_token = lambda: another
    body = {"error": {"code": 190, "message": "The session has ended", "type": "OAuthException"}}
    account.sandbox.fail("publish", status=status, body=body, when=side)
    intents = []
    record = account.ledger.record_intent
    account.ledger.record_intent = lambda *row, **more: intents.append(row) or record(*row, **more)  # type: ignore[method-assign, func-returns-value]
    account.publish("post-1", container_id)
    assert len(account.sandbox.posts) == 1
    assert len(intents) == account.sandbox.calls("publish") == (1 if status == 500 else 2)


def test_an_undocumented_error_proves_nothing(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 77777, when="after")
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert post.media_id == account.sandbox.posts[0].media_id


def test_a_duplicate_needs_manual_resolution(account: Account, portrait_video: Path) -> None:
    """506: no read shows of which post it is a duplicate. Nothing is sent until a person has settled the post."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 506)
    for _ in range(2):  # a Clear sends nothing
        with pytest.raises(OutcomeUnknownError, match="ledger settle --conn-id studio --live -- post-1"):
            account.publish("post-1", container_id)
        assert account.container(portrait_video) == container_id
    assert account.sandbox.calls("publish") == 1


@pytest.mark.parametrize("status", [{}, {"status_code": "IN_PROGRESS"}])
def test_a_container_that_is_not_finished_is_not_published_again(
    account: Account, portrait_video: Path, status: dict[str, str]
) -> None:
    """The answer is lost, the post is live, and the container's status is empty or IN_PROGRESS for a while."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    account.sandbox.fail("status", status=200, body={"id": container_id, **status}, times=20, nth=2)
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.publish("post-1", container_id)
    account.sandbox.settle()
    account.publish("post-1", container_id)
    assert account.sandbox.calls("publish") == len(account.sandbox.posts) == 1


def test_a_lost_answer_is_waited_for_from_when_it_was_lost(account: Account, portrait_video: Path) -> None:
    """The process stalls for three minutes between its intent and its request."""
    account.sandbox.switch(visible_after_s=60)
    container_id = account.container(portrait_video)
    record = account.ledger.record_intent

    def slowly(post_key: str, container_id: str, claim: Claim, **more: Any) -> Intent:
        intent = record(post_key, container_id, claim, **more)
        account.sandbox.advance(180)
        return intent

    account.ledger.record_intent = slowly  # type: ignore[method-assign]
    account.sandbox.fail("publish", drop="after")
    account.publish("post-1", container_id)
    assert account.sandbox.calls("publish") == len(account.sandbox.posts) == 1


def test_another_workers_clock_does_not_end_the_wait_for_a_lost_answer(account: Account, portrait_video: Path) -> None:
    """A try died right after its request. The next begins at once, on a clock that is three minutes ahead."""
    container_id = account.container(portrait_video)
    account.intent(container_id)
    account.publish_behind_our_back(container_id)
    account.ledger.clock = lambda: account.now() + timedelta(minutes=3)
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]


def test_the_intent_of_another_run_at_work_is_not_settled(account: Account, portrait_video: Path) -> None:
    """The other run wrote its claim and intent after this one had looked for others, and this claim is the last."""
    container_id = account.container(portrait_video)
    open_intents = account.ledger.open_intents

    def read_after_the_look(post_key: str, *owners: Owner) -> list[Intent]:
        account.ledger.open_intents = open_intents  # type: ignore[method-assign]
        account.intent(container_id, OTHER)
        account.alive.add(OTHER)
        return open_intents(post_key, *owners)

    account.ledger.open_intents = read_after_the_look  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="is being published by calendar/run-2/publish/4"):
        account.publish("post-1", container_id)
    assert [intent.claim.owner for intent in account.ledger.open_intents("post-1", OTHER)] == [OTHER]


def test_the_post_of_another_key_is_not_returned_for_this_one(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video, key="post-1")
    account.publish("post-1", container_id)
    with pytest.raises(ValidationError, match="is the published post of 'post-1', not of 'post-2'"):
        account.publish("post-2", container_id)
    assert account.ledger.post("post-2") is None


# ---- no failure for a live post, and no post of another key


@pytest.mark.parametrize("code", [10, 25, 190, 368, 77777])
def test_a_live_post_that_cannot_be_looked_for_is_live(account: Account, portrait_video: Path, code: int) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    account.sandbox.fail("media_list", code, times=0)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert (post.media_id, post.permalink) == (None, None)
    assert account.ledger.post("post-1") == post


def test_a_live_post_that_the_last_try_cannot_look_for_is_live(account: Account, portrait_video: Path) -> None:
    """Instagram lists nothing for hours. Every try but the last one is retried."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    account.sandbox.fail("media_list", 2, times=0)
    with pytest.raises(TransientError):
        account.publish("post-1", container_id)
    post, is_new = account.publish("post-1", container_id, is_last=True)
    assert is_new
    assert post.media_id is None
    assert len(account.sandbox.posts) == account.sandbox.calls("publish") == 1


def test_the_post_of_another_key_that_is_listed_first_is_not_returned(account: Account, portrait_video: Path) -> None:
    """Two keys with one caption are published at once, and both answers are lost. Our post is listed a minute later."""
    first = account.container(portrait_video, key="post-1")
    second = account.container(portrait_video, key="post-2")
    theirs = account.publish_behind_our_back(first)
    account.sandbox.fail("publish", drop="after")
    began = account.now()

    def without_ours(page: Page[Media]) -> Page[Media]:
        ours = account.sandbox.posts[-1].media_id
        late = account.now() < began + timedelta(seconds=60)
        return replace(page, items=tuple(media for media in page.items if not (late and media.id == ours)))

    listed(account, without_ours)
    post, _ = account.publish("post-2", second)
    assert post.media_id != theirs


def test_a_post_without_a_time_is_not_returned(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    old = account.sandbox.add_foreign_post("a teaser", age_s=30 * 86400)
    account.sandbox.fail("publish", drop="after")
    listed(account, lambda page: replace(page, items=(Media(old, caption="a teaser"),)))
    post, _ = account.publish("post-1", container_id)
    assert (post.media_id, post.permalink) == (None, None)


def test_a_later_post_with_the_same_caption_is_not_returned(account: Account, portrait_video: Path) -> None:
    """A person posted the same caption by hand before the open outcome was settled."""
    container_id = account.container(portrait_video)
    account.intent(container_id)
    ours = account.publish_behind_our_back(container_id)
    account.sandbox.advance(3600)
    account.sandbox.add_foreign_post("a teaser")
    account.sandbox.advance(3600)
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == ours


def test_a_post_that_is_settled_late_has_its_real_time(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id)
    account.publish_behind_our_back(container_id)
    account.sandbox.advance(timedelta(hours=9))
    post, _ = account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    assert post.published_at == real.published_at.isoformat(timespec="seconds")


def test_the_list_is_read_back_to_the_time_of_the_intent_only(account: Account, portrait_video: Path) -> None:
    """Even if Instagram ignores ``since``, ten days of posts are not paged through."""
    for number in range(160):
        account.sandbox.add_foreign_post(f"old {number}", age_s=10 * 86400 + number)
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    send = account.client.send

    def sent(call: Call[Any]) -> Any:
        return send(replace(call, params={name: value for name, value in call.params.items() if name != "since"}))

    account.client.send = sent  # type: ignore[method-assign]
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts if real.caption == "a teaser"]
    assert account.sandbox.calls("media_list") == 2


# ---- nothing blocks for ever


def test_an_intent_on_a_container_that_expired_does_not_block_the_next_container(
    account: Account, portrait_video: Path
) -> None:
    """Create and publish have different keys. Publish died, and create was cleared the next day, as advised."""
    old = account.container(portrait_video, key="made")
    account.intent(old, key="launch")
    account.sandbox.advance(timedelta(hours=25))
    with pytest.raises(ContainerExpiredError, match="Clear the create task"):
        account.publish("launch", old)
    new = account.container(portrait_video, key="made")
    post, _ = account.publish("launch", new)
    assert (post.container_id, len(account.sandbox.posts)) == (new, 1)


@pytest.mark.parametrize(("code", "subcode"), [(24, 2207006), (100, 33)])
def test_a_container_that_is_gone_is_replaced(account: Account, portrait_video: Path, code: int, subcode: int) -> None:
    old = account.container(portrait_video)
    account.sandbox.advance(timedelta(minutes=3))
    account.sandbox.fail("status", code, subcode, times=7)
    new = account.container(portrait_video)
    assert new != old
    account.publish("post-1", new)
    assert len(account.sandbox.posts) == 1


def test_a_container_that_is_gone_when_it_is_to_be_published_is_replaced(
    account: Account, portrait_video: Path
) -> None:
    """24/2207006: not found. The container is read for two minutes, and then a new one may replace it."""
    old = account.container(portrait_video)
    account.sandbox.fail("publish", 24, 2207006)
    account.sandbox.fail("status", 100, 33, times=4, nth=2)
    with pytest.raises(ContainerExpiredError, match="Clear the create task"):
        account.publish("post-1", old)
    assert 120 <= sum(account.waits) <= 300
    account.sandbox.fail("status", 100, 33, times=7)
    new = account.container(portrait_video)
    post, _ = account.publish("post-1", new)
    assert (post.container_id, len(account.sandbox.posts)) == (new, 1)


def test_a_container_that_is_only_fresh_is_not_given_up(account: Account, portrait_video: Path) -> None:
    account.container(portrait_video)
    account.sandbox.fail("status", 100, 33, times=7)
    with pytest.raises(NotReadyError):
        account.container(portrait_video)
    assert account.sandbox.calls("create") == 1


def test_create_replaces_no_missing_container_that_may_be_published(account: Account, portrait_video: Path) -> None:
    account.intent(account.container(portrait_video))
    account.sandbox.advance(timedelta(minutes=3))
    account.sandbox.fail("status", 100, 33, times=7)  # a new one is shown
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.container(portrait_video)
    assert len([made for made in account.sandbox.containers if made.caption]) == 1


@pytest.mark.parametrize("subcode", [2207053, 2207026])
def test_create_and_publish_replace_no_failed_container_with_an_open_intent(
    account: Account, portrait_video: Path, subcode: int
) -> None:
    """Whatever the cause, ERROR does not prove that the request had no effect."""
    account.sandbox.process_next(outcome="error", subcode=subcode)
    container_id = account.container(portrait_video)
    account.intent(container_id)
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.container(portrait_video)
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.publish("post-1", container_id)
    assert (account.sandbox.calls("create"), account.sandbox.calls("publish")) == (1, 0)


def test_a_container_that_expires_before_its_post_is_due_is_not_used_again(
    account: Account, portrait_video: Path
) -> None:
    """A post is moved to the next day. Its container exists, and is valid for a few minutes more."""
    old = account.container(portrait_video)
    account.sandbox.advance(timedelta(hours=23, minutes=50))
    video = MediaSource(str(portrait_video), portrait_video)
    again = partial(account.creator, "post-1", Post(video=video.name, caption="a teaser"))
    assert again().get_or_create(video) == old
    assert again(account.now() + timedelta(minutes=55)).get_or_create(video) != old


def test_the_error_after_three_expired_containers_says_how_to_continue(account: Account, portrait_video: Path) -> None:
    for _ in range(3):
        account.container(portrait_video)
        account.sandbox.advance(timedelta(hours=25))
    with pytest.raises(ContainerExpiredError, match="or clear this task to start over"):
        account.container(portrait_video)


def test_the_reservation_of_an_attempt_that_died_lapses(account: Account, portrait_video: Path) -> None:
    quotas = post_quotas(2, 25)
    QuotaReservations(account.ledger, quotas).reserve("post-1", "a try that died")
    account.publish("post-1", account.container(portrait_video), quotas=quotas)
    account.sandbox.advance(timedelta(minutes=11))
    account.publish("post-2", account.container(portrait_video, key="post-2"), quotas=quotas)
    assert len(account.sandbox.posts) == 2


def test_an_attempt_that_died_is_not_pending_once_its_post_is_published(account: Account, portrait_video: Path) -> None:
    """Instagram allows one more post, and no other attempt is pending."""
    quotas = post_quotas(10, 25)
    QuotaReservations(account.ledger, quotas).reserve("post-1", "a try that died")
    account.publish("post-1", account.container(portrait_video), quotas=quotas)
    account.sandbox.switch(quota_total=2)
    account.publish("post-2", account.container(portrait_video, key="post-2"), quotas=quotas)
    assert len(account.sandbox.posts) == 2


def test_the_time_is_checked_once_the_open_outcome_is_settled(account: Account, portrait_video: Path) -> None:
    """A try died before it sent its request. There is no post, and meanwhile it is too late for one."""
    container_id = account.container(portrait_video)
    account.intent(container_id)

    def too_late() -> None:
        raise ValidationError("It is too late.")

    with pytest.raises(ValidationError):
        account.publish("post-1", container_id, check_time=too_late)
    assert sum(account.waits) >= 150
    assert account.sandbox.posts == []
    assert account.ledger.open_intents("post-1") == []


def test_an_owner_that_waited_reads_the_permalink_that_the_publishing_task_has_not_read_yet(
    account: Account, portrait_video: Path
) -> None:
    container_id = account.container(portrait_video)
    account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    recorded = account.ledger.post("post-1")
    assert recorded is not None
    account.ledger.record_post(replace(recorded, permalink=None))
    post, is_new = account.publish("post-1", container_id, owner=OTHER)
    assert (post.permalink, is_new) == (real.permalink, False)
    assert account.ledger.post("post-1") == replace(recorded, permalink=None), "only the publishing task writes the row"


def test_a_post_that_is_deleted_while_its_permalink_is_read_stays_deleted(
    account: Account, portrait_video: Path, mocker: MockerFixture
) -> None:
    container_id, send = account.container(portrait_video), account.client.send

    def send_and_delete(call: Any) -> Any:
        answer = send(call)
        if (live := account.ledger.post("post-1")) is not None:
            account.ledger.record_post(replace(live, deleted_at=account.ledger.now()))
        return answer

    mocker.patch.object(account.client, "send", send_and_delete)
    account.publish("post-1", container_id)
    recorded = account.ledger.post("post-1")
    assert recorded is not None
    assert recorded.deleted_at is not None
    assert recorded.permalink == account.sandbox.posts[0].permalink


def test_the_event_of_a_post_is_still_pending_for_an_owner_that_waited(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.publish("post-1", container_id)
    post, is_new = account.publish("post-1", container_id, owner=OTHER)
    assert (post.event_pending, is_new) == (True, False)
