"""The DAG that reads the numbers of posts and accounts."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import DAG

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.ages import DEFAULT_AGES, checked_ages, name_of
from airflow_provider_instagram.insights.tasks import CollectInsights, open_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_instagram.insights.file_target import FileTarget
    from airflow_provider_instagram.insights.sql_target import SqlTarget

#: Twice an hour, not at the full hour, when posts are published.
SCHEDULE = "12,42 * * * *"
#: The ids of connections that can be part of the id of a task.
ACCOUNT: Final = re.compile(r"[\w.-]{1,200}")
START_DATE = datetime(2010, 10, 6, tzinfo=timezone.utc)


def insights_dag(
    dag_id: str,
    accounts: Sequence[str],
    target: str | SqlTarget | FileTarget,
    *,
    ages: Sequence[timedelta] = DEFAULT_AGES,
    look_every: timedelta = timedelta(hours=20),
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that reads the numbers of each post at certain ages, and those of each account daily.

    Every account has a task of its own, so that none holds another back. A run reads what is due, as far as the calls
    for insights suffice, and the next run reads the rest.

    :param target: Where to write: the id of a database's connection, a folder or prefix for Parquet files, or a
        :class:`SqlTarget` or :class:`FileTarget`.
    :param ages: The ages at which each post is read. A story is read at those below 23 hours, and at 23 hours.
    :param look_every: How often to look for posts and stories that were not made by this provider.
    :param dag_arguments: More arguments of the DAG, for example ``schedule``, ``default_args`` or ``tags``.
    """
    opened, ordered = open_target(target), checked_ages(ages)
    names = ", ".join(name_of(age) for age in ordered)
    with DAG(
        dag_id,
        **{
            "schedule": SCHEDULE,
            "start_date": START_DATE,
            "catchup": False,
            "max_active_runs": 2,  # a task that is retried does not hold back the others' next run
            "tags": ["instagram"],
            "doc_md": f"Reads the numbers of posts at the ages {names}, and of accounts daily, into {opened.name}.",
            **dag_arguments,
        },
    ) as dag:
        for conn_id in _checked_accounts(accounts):
            CollectInsights(
                task_id=f"read_{conn_id}",
                target=opened,
                ages=ordered,
                look_every=look_every,
                instagram_conn_id=conn_id,
            )
    return dag


def _checked_accounts(accounts: Sequence[str]) -> list[str]:
    """Return the accounts, each once.

    :raises ValidationError: If they are one text, which would be read as a list of letters, or if one cannot be part
        of the id of a task.
    """
    if isinstance(accounts, str):
        raise ValidationError(f"The accounts are the text {accounts!r}.", hint=f"Write a list: [{accounts!r}]")
    for conn_id in accounts:
        if not (isinstance(conn_id, str) and ACCOUNT.fullmatch(conn_id)):
            raise ValidationError(
                f"{conn_id!r} cannot be the account of a task.",
                hint="Use a connection whose id has only letters, digits, dashes, dots and underscores.",
            )
    return list(dict.fromkeys(accounts))
