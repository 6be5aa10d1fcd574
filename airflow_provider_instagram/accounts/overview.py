"""A summary of each account: its name, the life of its token, its quota and its last post."""

from __future__ import annotations

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.accounts.connections import place_to_show
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.redaction import redact
from airflow_provider_instagram.hooks.instagram import InstagramHook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_instagram.graph.accounts import Account
    from airflow_provider_instagram.graph.models import Media, PublishingLimit

_log = logging.getLogger(__name__)
#: How long a page waits for Instagram before it shows an account without an answer.
_PATIENCE_S: Final = 15


@dataclass(frozen=True)
class AccountLine:
    """The summary of an account.

    :param conn_id: Its connection.
    :param account: The account.
    :param days_left: How many days its token lives, or None if that is unknown.
    :param has_end: Whether its token expires at all.
    :param limit: How much of its quota is used.
    :param last_post: Its newest post.
    :param problem: What is wrong; the other fields are empty then.
    :param secrets_source: Where its connection is stored, if that is outside Airflow's database and cannot be written.
    """

    conn_id: str
    account: Account | None = None
    days_left: int | None = None
    has_end: bool = True
    limit: PublishingLimit | None = None
    last_post: Media | None = None
    problem: str = ""
    secrets_source: str = ""

    @property
    def life(self) -> str:
        """How long the token lives, in words."""
        if not self.has_end:
            return "does not expire"
        return "unknown" if self.days_left is None else f"{self.days_left} days"


def account_lines(conn_ids: Iterable[str]) -> list[AccountLine]:
    """Read all accounts in parallel, with a time limit."""
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="instagram-overview")
    asked = {conn_id: pool.submit(account_line, conn_id) for conn_id in conn_ids}
    wait(asked.values(), timeout=_PATIENCE_S)
    pool.shutdown(wait=False, cancel_futures=True)
    silent = f"Instagram did not answer within {_PATIENCE_S} s. Try again."
    return [
        answer.result() if answer.done() and not answer.cancelled() else AccountLine(conn_id, problem=silent)
        for conn_id, answer in asked.items()
    ]


def account_line(conn_id: str) -> AccountLine:
    """Read one account.

    :param conn_id: The account's connection.
    """
    place = ""
    try:
        hook, place = InstagramHook(conn_id), place_to_show(conn_id)
        life = hook.token_manager()
        token = life.known()
        left = token.left(datetime.now(timezone.utc))
        with hook.get_readonly_conn() as client:
            account = hook.read_account(client)
            limit = client.send(calls.publishing_limit(account.user_id))
            posts = client.send(calls.media_list(account.user_id, limit=1)).items
    except (InstagramError, AirflowException) as error:
        return AccountLine(conn_id, problem=str(error), secrets_source=place)
    except Exception as error:  # noqa: BLE001 -- an error of one account must not break the page
        _log.error("The account of connection %r cannot be read:\n%s", conn_id, redact(traceback.format_exc()))
        said = f"This account cannot be read ({type(error).__name__}). See the log of this process for the details."
        return AccountLine(conn_id, problem=said, secrets_source=place)
    return AccountLine(
        conn_id,
        account,
        None if left is None else left // timedelta(days=1),
        life.has_end,
        limit,
        posts[0] if posts else None,
        secrets_source=place,
    )
