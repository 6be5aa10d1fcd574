"""What the accounts of a calendar lack for its posts to come: a login, a scope, a token that lasts."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.graph.capabilities import COMMENTS, MetaLogin, needed_by
from airflow_provider_instagram.hooks.scopes import known_scopes
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING
from airflow_provider_instagram.utils.pages import reconnect_hint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.graph.capabilities import Capability
    from airflow_provider_instagram.hooks.scopes import AccountScopes

log = logging.getLogger(__name__)


def account_problems(calendar: Calendar, now: datetime) -> Iterator[Problem]:
    """Yield a problem for each thing that an account is known to lack for its posts to come."""
    needed: dict[str, dict[Capability, ScheduledPost]] = defaultdict(dict)
    for post in calendar.posts:
        if post.publish_at > now:
            comments = (COMMENTS,) if post.first_comment else ()
            for capability in (*needed_by(post.parameters()), *comments):
                needed[post.account].setdefault(capability, post)
    for account, firsts in needed.items():
        try:
            known = known_scopes(account)
        except Exception as error:  # noqa: BLE001 -- a connection that cannot be read is no problem of the calendar
            log.info("What %s can do is not known: %s", account, error)
            continue
        yield from _lacking(known, firsts)
        yield from _ending(known, now)


def _lacking(known: AccountScopes, firsts: dict[Capability, ScheduledPost]) -> Iterator[Problem]:
    for capability, post in firsts.items():
        if (lack := known.lack(capability)) is None:
            continue
        if capability is COMMENTS:
            message = (
                f"{known.conn_id} did not grant {' and '.join(known.missing(COMMENTS))}, so its first comments are not "
                "written. The posts themselves are published."
            )
            yield Problem(post.line, message, lack.remedy)
        else:
            message = f"{known.conn_id}: {lack.message} This post and others like it fail."
            yield Problem(post.line, message, lack.remedy, post.id)


def _ending(known: AccountScopes, now: datetime) -> Iterator[Problem]:
    if known.expires is None or known.expires - now > EXPIRY_WARNING:
        return
    message = f"the token of {known.conn_id} expires on {known.expires:%Y-%m-%d}. Posts after that fail."
    turn_on = "Turn on the DAG refresh_instagram_tokens. " if known.login is MetaLogin.INSTAGRAM else ""
    yield Problem(0, message, turn_on + reconnect_hint(known.conn_id))
