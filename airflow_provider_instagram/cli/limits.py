"""``airflow instagram limits``: how many calls and posts an account has left, and what is waiting."""

from __future__ import annotations

import argparse
import resource
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone

from airflow.cli.simple_table import AirflowConsole
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import AirflowException
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.accounts.connections import read_as_server
from airflow_provider_instagram.exceptions import InstagramError, RateLimitError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.capabilities import MUSIC
from airflow_provider_instagram.graph.usage import SLOW_FROM_PERCENT, Usage
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.hooks.scopes import known_scopes
from airflow_provider_instagram.ledger.database import NoLedgerError, open_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.quota.call_budget import POLLING_SHARE, STEADY_SHARE, UNSTATED_STOP
from airflow_provider_instagram.quota.reservations import Quota, QuotaReservations, post_quotas, time_until_quota_frees

TRIGGER = "airflow_provider_instagram.triggers.container.ContainerStatusTrigger"
#: A triggerer keeps a log file open for each waiting task, and needs as many files again for everything else.
FILES_PER_TRIGGER = 2


def show_limits(args: argparse.Namespace) -> None:
    """Print the limits of an account."""
    read_as_server()
    try:
        for name, text in describe(args.conn_id):
            print(f"{name:<22} {text}")
    except (InstagramError, AirflowException) as error:
        raise SystemExit(str(error)) from None


def search_audio(args: argparse.Namespace) -> None:
    """Print audio that a reel can have, by its id."""
    read_as_server()
    hook = InstagramHook(args.conn_id)
    try:
        known_scopes(args.conn_id).require(MUSIC)
        with hook.get_readonly_conn() as client:
            audio_type = "original_sound" if args.sounds else "music"
            query = " ".join(args.query) or None
            found = client.send(calls.search_audio(hook.ig_user_id(client), audio_type, query))
    except (InstagramError, AirflowException) as error:
        raise SystemExit(str(error)) from None
    AirflowConsole().print_as(data=[asdict(one) for one in found], output=args.output)


def describe(conn_id: str) -> Iterator[tuple[str, str]]:
    """Describe the limits of an account, as pairs of a name and a text."""
    hook = InstagramHook(conn_id)
    limits, reported = hook.settings.limits, _reported_by_instagram(hook)
    quotas = post_quotas(limits.posts_per_hour, limits.posts_per_day)
    used, available_at = _own_posts(conn_id, quotas)
    if reported.posts is not None:
        yield "posts, Instagram", reported.posts
    for quota in quotas:
        yield f"posts, this {quota.name}", f"{used[quota]} of {quota.posts} (posts_per_{quota.name})"
    next_at = max(filter(None, (available_at, reported.available_at)), default=None)
    yield "next post", f"at {_format_time(next_at)}; PublishOperator waits until then" if next_at else "now"
    poll_share = limits.calls_per_hour * POLLING_SHARE
    yield (
        "calls",
        f"{limits.calls_per_hour} an hour (calls_per_hour), of which waiting containers use at most {poll_share:.0f}",
    )
    yield "calls, Instagram", reported.calls
    yield "waiting containers", _waiting_text(deadlines_of_waits(conn_id), limits.calls_per_hour * STEADY_SHARE)


@dataclass(frozen=True)
class _Reported:
    """What Instagram reports about an account.

    :param available_at: When the account can post again; None if it can post now, or if the time is unknown.
    """

    calls: str
    posts: str | None = None
    available_at: datetime | None = None


def _reported_by_instagram(hook: InstagramHook) -> _Reported:
    now = datetime.now(timezone.utc)
    with hook.get_conn() as client:
        try:
            user_id = hook.ig_user_id(client)
            limit = client.send(calls.publishing_limit(user_id))
            wait = time_until_quota_frees(client, user_id, now) if limit.remaining == 0 else None
        except RateLimitError as error:
            return _Reported(
                f"stopped until {_format_time(now + (error.retry_after or UNSTATED_STOP))}, {error.message}"
            )
        hours = limit.quota_duration / timedelta(hours=1)
        posts = f"{limit.quota_usage} of {limit.quota_total} used in the last {hours:.0f} h"
        return _Reported(_usage_text(client.usage), posts, now + wait if wait else None)


def _format_time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _own_posts(conn_id: str, quotas: tuple[Quota, ...]) -> tuple[dict[Quota, int], datetime | None]:
    """Return how many posts the ledger counts, and when the account can post again (None: now)."""
    try:
        with open_ledger(conn_id) as store:
            reservations = QuotaReservations(Ledger(store, conn_id), quotas)
            return {quota: reservations.used(quota) for quota in quotas}, reservations.available_at()
    except NoLedgerError:
        return dict.fromkeys(quotas, 0), None


def deadlines_of_waits(conn_id: str) -> list[float]:
    """Return the deadlines of an account's containers that wait in a triggerer, the earliest first."""
    with create_session() as session:
        stored = [trigger.kwargs for trigger in session.scalars(select(Trigger).where(Trigger.classpath == TRIGGER))]
    return sorted(float(kwargs["deadline"]) for kwargs in stored if kwargs.get("instagram_conn_id") == conn_id)


def _waiting_text(deadlines: list[float], steady_calls: float) -> str:
    if not deadlines:
        return "0"
    every_s = max(5.0, 3600 * len(deadlines) / steady_calls)
    first = _format_time(datetime.fromtimestamp(deadlines[0], timezone.utc))
    polled = f"each polled at most once every {every_s:.0f} s"
    return f"{len(deadlines)}, {polled}; the first one times out at {first}"


def triggerer_capacity(capacity: int, open_files: int | None = None) -> str:
    """Check whether a triggerer on this machine may open as many files as its capacity needs."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if open_files is None else open_files
    if files < FILES_PER_TRIGGER * capacity:
        raise LookupError(
            f"holds {capacity} waiting tasks ([triggerer] capacity) but may open only {files} files, and crashes when "
            f"it runs out of files. Raise LimitNOFILE (ulimit -n) to {FILES_PER_TRIGGER * capacity}, or lower the "
            "capacity"
        )
    return f"holds {capacity} waiting tasks ([triggerer] capacity; any others are queued) and may open {files} files"


def _usage_text(usage: Usage | None) -> str:
    if usage is None:
        return "Instagram did not report the usage"
    if usage.regain:
        return f"{usage.percent} % used; stopped for {usage.regain}"
    slowed = f"; polling slows down from {SLOW_FROM_PERCENT} %" * (usage.percent >= SLOW_FROM_PERCENT)
    return f"{usage.percent} % used{slowed}"
