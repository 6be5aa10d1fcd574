"""Exactly once: the publisher against the sandbox, with the ledger in a dict."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExhaustedError,
    TransientError,
)
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost
from airflow_provider_instagram.publishing.publish import Free, Live
from airflow_provider_instagram.quota.reservations import QuotaReservations, post_quotas
from tests.integration.account import OTHER, OWNER

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.ledger.records import Intent
    from tests.integration.account import Account


def test_a_post_is_published_and_recorded(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    post, is_new = account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    assert is_new
    assert (post.media_id, post.permalink, post.container_id) == (real.media_id, real.permalink, container_id)
    assert account.ledger.post("post-1") == post
    assert account.ledger.key_of_media(real.media_id) is not None


def test_a_lost_answer_is_settled_by_reading(account: Account, portrait_video: Path) -> None:
    """The post is live, but its answer never arrived: the post is found, and nothing is sent again."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    post, is_new = account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    assert is_new
    assert (post.media_id, post.permalink) == (real.media_id, real.permalink)
    assert account.sandbox.calls("publish") == 1


def test_a_request_that_never_arrived_is_sent_again_by_the_next_try_only(
    account: Account, portrait_video: Path
) -> None:
    """Meta may still execute the request until 150 s after the intent. Then the container counts as unpublished."""
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="before")
    with pytest.raises(TransientError):
        account.publish("post-1", container_id)
    assert sum(account.waits) >= 150
    assert account.sandbox.posts == []

    account.publish("post-1", container_id)
    assert len(account.sandbox.posts) == 1


def test_a_try_that_died_after_its_request_is_settled_by_the_next(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    intent = account.intent(container_id)
    media_id = account.publish_behind_our_back(container_id)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert (post.media_id, post.container_id) == (media_id, intent.container_id)
    assert account.sandbox.calls("publish") == 1


def test_a_try_that_died_before_its_request_is_repeated_once(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id)
    account.publish("post-1", container_id)
    assert sum(account.waits) >= 150
    assert len(account.sandbox.posts) == 1


def test_a_request_that_may_still_take_effect_is_repeated_with_its_container(
    account: Account, portrait_video: Path
) -> None:
    """Create was cleared meanwhile, and has made another container: both could become a post."""
    first = account.container(portrait_video)
    account.intent(first)
    free = account.publisher().settle("post-1", account.container(portrait_video, "made-anew"))
    assert isinstance(free, Free)
    assert free.container_id == first


def test_a_container_that_was_published_elsewhere_is_adopted(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    media_id = account.publish_behind_our_back(container_id)
    account.sandbox.advance(15)
    post, is_new = account.publish("post-1", container_id)
    assert not is_new
    assert post.media_id == media_id
    assert account.sandbox.calls("publish") == 1


def test_the_post_is_not_mistaken_for_another_with_the_same_caption(account: Account, portrait_video: Path) -> None:
    """Two posts have the caption, and one of them is ours: the task succeeds and does not guess which."""
    container_id = account.container(portrait_video)
    account.sandbox.add_foreign_post("a teaser")
    account.sandbox.fail("publish", drop="after")
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert (post.media_id, post.permalink) == (None, None)
    assert account.ledger.post("post-1") == post


def test_a_post_that_the_ledger_knows_is_left_out(account: Account, portrait_video: Path) -> None:
    """Of two posts with one caption, the first is recorded, so the second is identified."""
    first, _ = account.publish("post-1", account.container(portrait_video))
    container_id = account.container(portrait_video, key="post-2")
    account.sandbox.fail("publish", drop="after")
    second, _ = account.publish("post-2", container_id)
    assert {first.media_id, second.media_id} == {real.media_id for real in account.sandbox.posts}


def test_an_older_post_with_the_caption_is_not_ours(account: Account, portrait_video: Path) -> None:
    account.sandbox.add_foreign_post("a teaser", age_s=3600)
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", drop="after")
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == account.sandbox.posts[0].media_id


@pytest.mark.parametrize("caption", ["Café  au\tlait", "Cafe\u0301 au lait"], ids=["white space", "decomposed"])
def test_a_caption_is_found_however_instagram_writes_it(account: Account, portrait_video: Path, caption: str) -> None:
    container_id = account.container(portrait_video, caption=caption)
    account.sandbox.fail("publish", drop="after")
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == account.sandbox.posts[0].media_id


def test_a_spam_block_with_the_post_live_is_success(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 4, 2207051, when="after")
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == account.sandbox.posts[0].media_id
    assert account.sandbox.calls("publish") == 1


def test_a_spam_block_without_the_post_fails_for_good(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 4, 2207051, when="before")
    with pytest.raises(PermissionDeniedError) as refused:
        account.publish("post-1", container_id)
    assert not refused.value.outcome_unknown
    assert account.sandbox.calls("publish") == 1
    assert account.sandbox.posts == []


def test_not_ready_shortly_after_finished_is_asked_again(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 9007, 2207027, times=2)
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == account.sandbox.posts[0].media_id
    assert account.sandbox.calls("publish") == 3


class NotWantedError(Exception):
    """What the caller raises of a post that was edited, removed or rejected."""


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_post_that_is_not_wanted_any_more_once_its_container_is_ready_is_not_sent_again(
    account: Account, portrait_video: Path, is_shown: bool, mocker: MockerFixture
) -> None:
    container_id = account.container(portrait_video)
    if not is_shown:
        account.sandbox.fail("status", 100, 33, times=0)
    account.sandbox.fail("publish", 9007, 2207027, times=2)
    check = mocker.Mock(side_effect=[None, None, NotWantedError])
    with pytest.raises(NotWantedError):
        account.publish("post-1", container_id, check_time=check)
    assert account.sandbox.posts == []
    assert account.sandbox.calls("publish") == 2
    assert account.ledger.open_intents("post-1", OWNER) == []


def test_a_post_that_is_not_wanted_any_more_after_a_slow_write_of_the_intent_is_not_sent(
    account: Account, portrait_video: Path, mocker: MockerFixture
) -> None:
    container_id = account.container(portrait_video)
    record = account.ledger.record_intent

    def slowly(*intent: Any, **more: Any) -> Intent:
        account.wait(40)
        return record(*intent, **more)

    mocker.patch.object(account.ledger, "record_intent", slowly)
    with pytest.raises(NotWantedError):
        account.publish("post-1", container_id, check_time=mocker.Mock(side_effect=[None, NotWantedError]))
    assert account.sandbox.calls("publish") == 0
    assert account.ledger.open_intents("post-1", OWNER) == []


def test_not_ready_for_ever_ends_as_such(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 9007, 2207027, times=0)
    with pytest.raises(NotReadyError):
        account.publish("post-1", container_id)
    intent = account.ledger.intent("post-1")
    assert intent is not None
    assert intent.withdrawn


def test_a_refusal_leaves_no_intent_that_the_next_try_would_have_to_settle(
    account: Account, portrait_video: Path
) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("publish", 9, 2207042)
    with pytest.raises(QuotaExhaustedError):
        account.publish("post-1", container_id)
    account.publish("post-1", container_id)
    assert sum(account.waits) < 10
    assert len(account.sandbox.posts) == 1


def test_an_unreadable_permalink_does_not_make_a_live_post_a_failure(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.sandbox.fail("media", 10)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert (post.media_id, post.permalink) == (account.sandbox.posts[0].media_id, None)


def test_an_expired_container_was_not_published(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id)
    account.sandbox.advance(timedelta(hours=25))
    with pytest.raises(ContainerExpiredError):
        account.publish("post-1", container_id)


def test_a_container_that_vanished_after_the_request_is_not_guessed_about(
    account: Account, portrait_video: Path, mocker: MockerFixture
) -> None:
    """Instagram shows others."""
    mocker.patch("airflow_provider_instagram.publishing.outcome.shows_none", return_value=False)
    container_id = account.container(portrait_video)
    account.intent(container_id)
    account.sandbox.fail("status", 100, 33, times=0)
    with pytest.raises(OutcomeUnknownError, match=container_id) as unknown:
        account.publish("post-1", container_id)
    assert "`airflow instagram ledger settle --conn-id studio --live -- post-1`" in str(unknown.value)
    assert account.sandbox.calls("publish") == 0


def test_another_run_that_works_on_the_post_is_waited_for(account: Account, portrait_video: Path) -> None:
    """The other run publishes while this one waits: this one returns that post and sends nothing."""
    container_id = account.container(portrait_video)
    account.alive.add(OTHER)
    account.intent(container_id, OTHER)
    published: list[tuple[PublishedPost, bool]] = []

    def wait(seconds: float) -> None:
        account.wait(seconds)
        if not published:
            account.alive.clear()
            published.append(account.publish("post-1", container_id, owner=OTHER))

    post, is_new = account.publish("post-1", container_id, sleep=wait)
    assert (post, is_new) == (published[0][0], False)
    assert len(account.sandbox.posts) == 1


def test_another_run_that_does_not_end_is_named(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.alive.add(OTHER)
    account.intent(container_id, OTHER)
    named = "calendar/run-2/publish/4.*Look at the account.*settle --conn-id studio --live -- post-1.*--not-live"
    with pytest.raises(TransientError, match=named):
        account.publish("post-1", container_id)
    assert account.sandbox.calls("publish") == 0


def test_what_a_dead_run_left_open_is_settled_first(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id, OTHER)
    media_id = account.publish_behind_our_back(container_id)
    post, _ = account.publish("post-1", account.container(portrait_video, caption="a second try"))
    assert (post.media_id, post.container_id) == (media_id, container_id)
    assert account.sandbox.calls("publish") == 1


def test_an_intent_that_a_late_write_has_hidden_is_found_by_its_owner(account: Account, portrait_video: Path) -> None:
    """A dead owner published. A rival's late write replaced the latest intent, but the owner has a row of its own."""
    container_id = account.container(portrait_video)
    account.intent(container_id, OTHER)
    media_id = account.publish_behind_our_back(container_id)
    stranger = Owner("calendar", "run-3", "publish", -1)
    late = account.ledger.record_intent("post-1", "17900000000000000", Claim(stranger, "late"))
    account.ledger.withdraw(late)
    post, _ = account.publish("post-1", container_id)
    assert post.media_id == media_id
    assert account.sandbox.calls("publish") == 1


def test_a_claim_that_is_lost_between_the_two_parts_sends_nothing(account: Account, portrait_video: Path) -> None:
    """Another owner claimed the post in the meantime, and died: the request of this one could be the second."""
    container_id = account.container(portrait_video)
    publisher = account.publisher()
    free = publisher.settle("post-1", container_id)
    assert isinstance(free, Free)
    account.ledger.record_claim("post-1", Claim(OTHER, "later"))
    with pytest.raises(TransientError, match="is being published by calendar/run-2/publish/4"):
        publisher.send(free)
    assert account.sandbox.calls("publish") == 0
    assert account.ledger.open_intents("post-1", OWNER) == []


def test_a_post_that_another_owner_publishes_between_the_two_parts_is_returned(
    account: Account, portrait_video: Path
) -> None:
    container_id = account.container(portrait_video)
    publisher = account.publisher()
    free = publisher.settle("post-1", container_id)
    assert isinstance(free, Free)
    post, _ = account.publish("post-1", container_id, owner=OTHER)
    assert publisher.send(free) == Live(post, already_published=True)
    assert account.sandbox.calls("publish") == len(account.sandbox.posts) == 1


def test_a_post_is_checked_again_before_its_time_if_its_worker_waits_long(
    account: Account, portrait_video: Path, mocker: MockerFixture
) -> None:
    """Somebody may skip it meanwhile. The check comes before its time: a post may be allowed no lateness."""
    publisher = account.publisher()
    check = mocker.Mock(side_effect=lambda: account.now() + timedelta(seconds=5))
    for key, wait_s, checks in (("post-1", 20, 0), ("post-2", 60, 1)):
        free = publisher.settle(key, account.container(portrait_video, key))
        assert isinstance(free, Free)
        now = account.now()
        publisher.send(free, now + timedelta(seconds=wait_s), now, check_again=check)
        assert check.call_count == checks
        assert timedelta(seconds=wait_s) <= account.now() - now < timedelta(seconds=wait_s + 2)


def test_create_makes_one_container_for_a_key(account: Account, portrait_video: Path) -> None:
    assert account.container(portrait_video) == account.container(portrait_video)
    assert account.sandbox.calls("create") == 1
    assert account.sandbox.calls("upload") == 1


def test_create_makes_another_container_for_another_content(account: Account, portrait_video: Path) -> None:
    assert account.container(portrait_video) != account.container(portrait_video, caption="edited")


def test_create_goes_on_with_an_interrupted_upload(account: Account, portrait_video: Path) -> None:
    """The task dies in the middle: the next try sends the rest, to the same container."""
    size = portrait_video.stat().st_size
    account.sandbox.fail("upload", cut_after_bytes=size // 2)
    account.sandbox.fail("status", 10, nth=1)  # the dying task does not get to continue by itself
    with pytest.raises(InstagramError):
        account.container(portrait_video)
    (interrupted,) = account.sandbox.containers
    assert 0 < interrupted.bytes_received < size

    assert account.container(portrait_video) == interrupted.container_id
    received = [(entry.received_bytes or 0) for entry in account.sandbox.journal("upload")]
    assert sum(received) == size
    assert account.sandbox.calls("create") == 1


@pytest.mark.parametrize("subcode", [2207076, 2207053])
def test_create_replaces_a_container_whose_failure_a_new_one_can_cure(
    account: Account, portrait_video: Path, subcode: int
) -> None:
    account.sandbox.process_next(outcome="error", subcode=subcode)
    first = account.container(portrait_video)
    second = account.container(portrait_video)
    assert second != first
    account.publish("post-1", second)
    assert len(account.sandbox.posts) == 1


def test_create_makes_three_containers_at_most(account: Account, portrait_video: Path) -> None:
    account.sandbox.process_next(outcome="error", subcode=2207053, times=3)
    for _ in range(3):
        account.container(portrait_video)
    with pytest.raises(InstagramError, match="has failed"):
        account.container(portrait_video)
    assert account.sandbox.calls("create") == 3


def test_create_does_not_repeat_what_would_fail_again(account: Account, portrait_video: Path) -> None:
    account.sandbox.process_next(outcome="error", subcode=2207026)
    account.container(portrait_video)
    with pytest.raises(MediaRejectedError, match="TranscodeOperator"):
        account.container(portrait_video)
    assert account.sandbox.calls("create") == 1


def test_create_replaces_an_expired_container(account: Account, portrait_video: Path) -> None:
    first = account.container(portrait_video)
    account.sandbox.advance(timedelta(hours=25))
    assert account.container(portrait_video) != first


def test_create_keeps_a_container_that_may_be_published(account: Account, portrait_video: Path) -> None:
    """There is no second container while the outcome of the first is open, whatever was edited since."""
    first = account.container(portrait_video)
    account.intent(first)
    assert account.container(portrait_video, caption="edited") == first
    assert account.sandbox.calls("create") == 1


def test_a_full_quota_is_seen_before_anything_is_sent(account: Account, portrait_video: Path) -> None:
    quotas = post_quotas(10, 25)
    account.publish("post-1", account.container(portrait_video), quotas=quotas)
    account.sandbox.switch(quota_total=1)
    container_id = account.container(portrait_video, key="post-2")
    with pytest.raises(QuotaExhaustedError) as refused:
        account.publish("post-2", container_id, quotas=quotas)
    assert refused.value.retry_after is not None
    assert timedelta(hours=23) < refused.value.retry_after <= timedelta(hours=24, minutes=1)
    assert account.sandbox.calls("publish") == 1
    account.sandbox.advance(refused.value.retry_after)
    account.sandbox.switch(quota_total=100)
    assert QuotaReservations(account.ledger, post_quotas(10, 25)).available_at() is None


def test_the_accounts_own_limit_of_posts_is_kept(account: Account, portrait_video: Path) -> None:
    quotas = post_quotas(1, 25)
    account.publish("post-1", account.container(portrait_video), quotas=quotas)
    container_id = account.container(portrait_video, key="post-2")
    with pytest.raises(QuotaExhaustedError, match=r"limit of posts per hour \(1\)") as refused:
        account.publish("post-2", container_id, quotas=quotas)
    assert account.sandbox.calls("publish") == 1
    account.sandbox.advance(refused.value.retry_after or timedelta())
    account.publish("post-2", container_id, quotas=quotas)
    assert len(account.sandbox.posts) == 2


def test_an_unreadable_limit_does_not_keep_a_post_back(account: Account, portrait_video: Path) -> None:
    quotas = post_quotas(10, 25)
    account.sandbox.fail("limit", 10)
    account.publish("post-1", account.container(portrait_video), quotas=quotas)
    assert len(account.sandbox.posts) == 1
