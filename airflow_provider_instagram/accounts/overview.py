"""A summary of each account: its name, the remaining days of its token, its quota and its last post."""

from __future__ import annotations

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.accounts.connect import (
    ONE_CONNECTION,
    secrets_source_for_display,
)
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.capabilities import needed_by
from airflow_provider_instagram.graph.redaction import redact
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING
from airflow_provider_instagram.ledger.database import NoLedgerError, open_ledger
from airflow_provider_instagram.ledger.insights import Refusal, refusals

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.models import Account, Media, PublishingLimit

_log = logging.getLogger(__name__)
#: How long a page waits for Instagram before it shows an account without an answer.
_TIMEOUT_S: Final = 15


@dataclass(frozen=True)
class AccountSummary:
    """The summary of an account.

    :param lifetime: The remaining life of its token, in words.
    :param problem: What is wrong; the other fields are empty then.
    :param refused: The names of what Instagram refused to the account within the last day.
    :param secrets_source: Where its connection is stored, if that is outside Airflow's database and
        cannot be written.
    """

    conn_id: str
    account: Account | None = None
    lifetime: str = "unknown"
    token_ends_soon: bool = False
    can_refresh: bool = True
    limit: PublishingLimit | None = None
    last_post: Media | None = None
    problem: str = ""
    secrets_source: str = ""
    scopes: AccountScopes | None = None
    refused: tuple[str, ...] = ()

    @property
    def permissions(self) -> str:
        """What the account granted, and what is off because of what it did not grant, in words."""
        scopes = self.scopes or AccountScopes(self.conn_id, None)
        on = [feature.name for feature in scopes.features_on]
        off = [
            f"{feature.name} (needs {', '.join(scopes.missing(feature))})"
            for feature in scopes.features_off
        ]
        lacking = {feature.name for feature in scopes.features_off}
        on = [name for name in on if name not in self.refused]
        off += [f"{name} (refused by Instagram)" for name in self.refused if name not in lacking]
        granted = "not known" if scopes.granted is None else ", ".join(on) or "nothing"
        return f"{granted}; off: {', '.join(off)}" if off else granted


def account_summaries(conn_ids: Iterable[str]) -> list[AccountSummary]:
    """Read all accounts in parallel, with a time limit."""
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="instagram-overview")
    futures = {conn_id: pool.submit(account_summary, conn_id) for conn_id in conn_ids}
    wait(futures.values(), timeout=_TIMEOUT_S)
    pool.shutdown(wait=False, cancel_futures=True)
    timed_out = f"Instagram did not answer within {_TIMEOUT_S} s. Try again."
    summaries = []
    for conn_id, answer in futures.items():
        is_there = answer.done() and not answer.cancelled()
        late = AccountSummary(conn_id, problem=timed_out)
        summaries.append(answer.result() if is_there else late)
    return summaries


def duplicate_warnings(lines: Sequence[AccountSummary]) -> list[str]:
    """Return a warning for each account that has several connections, also where these do not name it."""
    by_user_id = defaultdict[str, list[AccountSummary]](list)
    for line in lines:
        if line.account:
            by_user_id[line.account.user_id].append(line)
    warnings = []
    for same in by_user_id.values():
        if len(same) > 1 and (account := same[0].account):
            names = ", ".join(repr(line.conn_id) for line in same)
            said = f"@{account.username} is the account of the connections {names}."
            warnings.append(f"{said} {ONE_CONNECTION}")
    return warnings


def account_summary(conn_id: str) -> AccountSummary:
    """Read one account."""
    source = ""
    try:
        hook = InstagramHook(conn_id)
        source = secrets_source_for_display(conn_id)
        manager = hook.token_manager()
        with hook.get_readonly_conn() as client:
            account = hook.read_account(client)
            limit = client.send(calls.publishing_limit(account.user_id))
            posts = client.send(calls.media_list(account.user_id, limit=1)).items
        scopes = known_scopes(conn_id)
        now = datetime.now(timezone.utc)
        token = manager.current_token()
    except (InstagramError, AirflowException) as error:
        return AccountSummary(conn_id, problem=str(error), secrets_source=source)
    except Exception as error:  # noqa: BLE001 -- an error of one account must not break the page
        _log.error(
            "The account of connection %r cannot be read:\n%s",
            conn_id,
            redact(traceback.format_exc()),
        )
        problem = f"This account cannot be read ({type(error).__name__}). See the log of this process for the details."
        return AccountSummary(conn_id, problem=problem, secrets_source=source)
    left = token.time_left(now)
    return AccountSummary(
        conn_id,
        account,
        lifetime=token.lifetime(now),
        token_ends_soon=left is not None and left <= EXPIRY_WARNING,
        can_refresh=manager.can_refresh,
        limit=limit,
        last_post=posts[0] if posts else None,
        secrets_source=source,
        scopes=scopes,
        refused=tuple(refused_to(conn_id)),
    )


def refused_to(conn_id: str) -> dict[str, Refusal]:
    """Return what Instagram refused to an account within the last day, by the name of the capability."""
    try:
        with open_ledger(conn_id) as store:
            return refusals(store, datetime.now(timezone.utc))
    except NoLedgerError:
        return {}


def kept_from(conn_id: str, parameters: Mapping[str, object]) -> str:
    """Return why an account is known to be unable to publish a post; empty if nothing is known.

    Meta is not asked: its login, the scopes that are stored, and what Instagram refused within the
    last day decide.

    :param parameters: Meta's parameters of the post.
    """
    try:
        hook = InstagramHook(conn_id)
        stored = hook.token_manager().store.load()
        scopes = AccountScopes(
            conn_id, frozenset(stored.scopes if stored else ()) or None, hook.settings.login
        )
    except Exception:  # noqa: BLE001 -- no such connection, for example: the task that needs it says so
        _log.debug("What connection %r can do is not known", conn_id, exc_info=True)
        return ""
    refused = refused_to(conn_id)
    for what in needed_by(parameters):
        if (lack := scopes.lack(what)) is not None:
            return str(lack)
        if (refusal := refused.get(what.name)) is not None:
            return f"Instagram refused {what.name} to this account on {refusal.at:%Y-%m-%d %H:%M} UTC: {refusal.reason}"
    return ""
