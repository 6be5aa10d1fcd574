"""``airflow instagram limits``: what an account may still do, what waits, why, and until when."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.connection_store import read_as_server
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.budget import ASKING_SHARE, SLOW_FROM_PERCENT, STEADY_SHARE
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger import Ledger
from airflow_provider_instagram.ledger_commands import opened
from airflow_provider_instagram.places import Places

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_instagram.graph.usage import Usage

TRIGGER = "airflow_provider_instagram.triggers.container.ContainerStatusTrigger"
#: A triggerer holds a log file open for each task that waits, and needs as many again for everything else.
FILES_PER_TRIGGER = 2


def show_limits(args: argparse.Namespace) -> None:
    """Print the limits of an account."""
    read_as_server()
    try:
        for name, text in describe(args.conn_id):
            print(f"{name:<22} {text}")  # noqa: T201
    except InstagramError as error:
        raise SystemExit(str(error)) from None


def describe(conn_id: str) -> Iterator[tuple[str, str]]:
    """Say what an account may still do.

    :param conn_id: Its connection.
    """
    hook = InstagramHook(conn_id)
    limits = hook.settings.limits
    with hook.get_conn() as client:
        limit = client.send(calls.publishing_limit(hook.ig_user_id(client)))
        usage = client.usage
    yield "posts, Instagram", f"{limit.quota_usage} of {limit.quota_total} used in {limit.quota_duration}"
    with opened(conn_id) as store:
        places = Places(Ledger(store, conn_id), limits.quotas)
        for quota in limits.quotas:
            yield f"posts, this {quota.name}", f"{places.used(quota)} of {quota.posts} (posts_per_{quota.name})"
        room_at = places.room_at()
    if limit.remaining == 0:
        yield "next post", "when the oldest of Instagram's last 24 h stops counting; PublishOperator waits for that"
    else:
        yield "next post", f"at {room_at.isoformat(timespec='seconds')}" if room_at else "now"
    steady = limits.calls_per_hour * STEADY_SHARE
    most = limits.calls_per_hour * ASKING_SHARE
    yield (
        "calls",
        f"{limits.calls_per_hour} an hour (calls_per_hour), {most:.0f} of them for waiting containers at most",
    )
    yield "calls, Instagram", _usage_text(usage)
    waiting = waiting_containers(conn_id)
    every_s = max(5.0, 3600 * waiting / steady)
    yield (
        "waiting",
        f"{waiting} containers" + (f", each asked about every {every_s:.0f} s or less often" * bool(waiting)),
    )


def waiting_containers(conn_id: str) -> int:
    """Count the containers of an account that are waited for in triggerers."""
    with create_session() as session:
        stored = session.scalars(select(Trigger).where(Trigger.classpath == TRIGGER))
        return sum(trigger.kwargs.get("instagram_conn_id") == conn_id for trigger in stored)


def triggerer_capacity(capacity: int, open_files: int | None = None) -> str:
    """Say whether a triggerer of this machine can hold what it is set to hold.

    :param capacity: ``[triggerer] capacity``.
    :param open_files: How many files its process may open; default: as many as this one.
    :raises LookupError: When it cannot, and what to do.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if open_files is None else open_files
    if files < FILES_PER_TRIGGER * capacity:
        raise LookupError(
            f"holds {capacity} waiting tasks ([triggerer] capacity), but may open {files} files only, and ends when "
            f"they are used up. Raise LimitNOFILE (ulimit -n) to {FILES_PER_TRIGGER * capacity}, or lower the capacity"
        )
    return f"holds {capacity} waiting tasks ([triggerer] capacity; more wait in a queue), {files} open files allowed"


def _usage_text(usage: Usage | None) -> str:
    if usage is None:
        return "Instagram did not say how much is used"
    if usage.regain:
        return f"{usage.percent} % used: stopped for {usage.regain}"
    slowed = f": slowed down from {SLOW_FROM_PERCENT} % on" * (usage.percent >= SLOW_FROM_PERCENT)
    return f"{usage.percent} % used{slowed}"
