"""A cleared task whose rows are lost: the account says whether its post is there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import OutcomeUnknownError, TransientError
from tests.integration.account import OTHER

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from airflow_provider_instagram.ledger.records import PublishedPost
    from tests.integration.account import Account


def cleared(account: Account, container_id: str, since: datetime) -> tuple[PublishedPost, bool]:
    """Publish as a task that was cleared, of a run that began at a time."""
    return account.publish("post-1", container_id, cleared_since=since)


@pytest.fixture
def began(account: Account) -> datetime:
    """When the run began."""
    return account.now() - timedelta(minutes=1)


@pytest.mark.parametrize("kept", [None, "media:"])
def test_a_clear_after_a_loss_of_the_ledger_makes_no_second_post(
    account: Account, portrait_video: Path, began: datetime, kept: str | None
) -> None:
    """At once: Instagram shows the post after a while only. A row that names the key of the post is no other post's."""
    first, _ = account.publish("post-1", account.container(portrait_video, caption="Grüße an alle"))
    for name in [name for name in account.store if kept is None or not name.startswith(kept)]:
        del account.store[name]
    again, is_new = cleared(account, account.container(portrait_video, caption="Grüße  an alle"), began)
    assert (again.media_id, is_new) == (first.media_id, False)
    assert len(account.sandbox.posts) == 1
    recorded = account.ledger.post("post-1")
    assert recorded is not None
    assert recorded.media_id == first.media_id
    assert cleared(account, again.container_id, began)[0] == recorded


def test_a_first_try_reads_nothing(account: Account, portrait_video: Path) -> None:
    account.publish("post-1", account.container(portrait_video))
    assert account.sandbox.calls("media_list") == 0


def test_a_cleared_task_whose_account_has_no_such_post_publishes(
    account: Account, portrait_video: Path, began: datetime
) -> None:
    """Others were made before the run, with another caption, under another key, or after the container."""
    account.publish_behind_our_back(account.container(portrait_video, "older"))
    account.sandbox.advance(3600)
    since = account.now()
    account.publish_behind_our_back(account.container(portrait_video, "by-hand", caption="another text"))
    account.publish("post-2", account.container(portrait_video, "post-2"))
    account.sandbox.advance(600)
    container_id = account.container(portrait_video)
    account.sandbox.advance(600)
    account.publish_behind_our_back(account.container(portrait_video, "later"))
    _, is_new = cleared(account, container_id, since)
    assert is_new
    assert len(account.sandbox.posts) == 5


def test_a_post_from_before_a_run_that_a_user_has_dated_back_is_not_taken_for_its_own(
    account: Account, portrait_video: Path
) -> None:
    day = timedelta(days=1)
    account.sandbox.add_foreign_post("a teaser", age_s=1.5 * day.total_seconds())
    container_id, now = account.container(portrait_video), account.now()
    with pytest.raises(OutcomeUnknownError):
        account.publish("post-1", container_id, cleared_since=now - 2 * day, certain_since=now - day)
    assert account.sandbox.posts == []


def test_rows_from_before_the_clear_need_no_look(account: Account, portrait_video: Path, began: datetime) -> None:
    container_id = account.container(portrait_video)
    account.ledger.withdraw(account.intent(container_id))
    cleared(account, container_id, began)
    assert account.sandbox.calls("media_list") == 0


@pytest.mark.parametrize("caption", ["", "a teaser"])
@pytest.mark.parametrize("is_live", [True, False])
def test_what_no_caption_tells_apart_is_decided_by_a_person(
    account: Account, portrait_video: Path, began: datetime, caption: str, is_live: bool
) -> None:
    """A post without a caption, and two with the same one."""
    for _ in range(2 if caption else 1):
        account.publish_behind_our_back(account.container(portrait_video, "by-hand", caption=caption))
    before = len(account.sandbox.posts)
    account.store.clear()
    container_id = account.container(portrait_video, caption=caption)
    for _ in range(2):  # a retry finds out no more
        with pytest.raises(OutcomeUnknownError) as raised:
            cleared(account, container_id, began)
        assert "ledger settle --conn-id studio --live -- post-1" in str(raised.value)
    assert len(account.sandbox.posts) == before
    (intent,) = account.ledger.open_intents("post-1")
    if not is_live:
        account.ledger.withdraw(intent)  # what settle --not-live does
        assert cleared(account, container_id, began)[1]
        assert len(account.sandbox.posts) == before + 1


def test_an_account_that_cannot_be_read_gets_no_post(account: Account, portrait_video: Path, began: datetime) -> None:
    """Also in the next try, although the ledger has the claim of this one by then."""
    first, _ = account.publish("post-1", account.container(portrait_video))
    account.store.clear()
    container_id = account.container(portrait_video)
    account.sandbox.fail("media_list", 2, times=4)
    with pytest.raises(TransientError):
        cleared(account, container_id, began)
    assert cleared(account, container_id, began)[0].media_id == first.media_id
    assert len(account.sandbox.posts) == 1


def test_a_rival_run_is_not_taken_for_a_loss(account: Account, portrait_video: Path, began: datetime) -> None:
    container_id = account.container(portrait_video)
    account.ledger.withdraw(account.intent(container_id, OTHER))
    assert cleared(account, container_id, began)[1]
